--- Custom scripts in specs: folders of them, and scenarios in which real worker processes run them.

local T = require("T")
local begin = require("spec.support.begin")
local library = require("scripts.library")
local lfs = require("lfs")
local script = require("script")

local support = {}

local folders, mark = {}, 1000

--- Runs in a worker, while virtual time stands still.
support.door = { list = script.list, run = function(...)
  local given = table.pack(...)
  return T.run(function() return script.run(table.unpack(given, 1, given.n)) end)
end }

--- A new empty folder.
function support.folder()
  local path = os.tmpname()
  os.remove(path)
  lfs.mkdir(path)
  folders[#folders + 1] = path
  return path
end

--- Writes DIR/path; each time it counts as changed.
function support.write(dir, path, text)
  lfs.mkdir(dir .. "/" .. path:match("^[^/]+"))
  local file <close> = assert(io.open(dir .. "/" .. path, "wb"))
  file:write(text)
  file:close()
  mark = mark + 1
  lfs.touch(dir .. "/" .. path, mark)
end

local function remove(path)
  for name in lfs.dir(path) do
    if name ~= "." and name ~= ".." then
      local inside = path .. "/" .. name
      if lfs.attributes(inside, "mode") == "directory" then remove(inside) else os.remove(inside) end
    end
  end
  lfs.rmdir(path)
end

--- Removes every folder that was made.
function support.clean()
  for _, path in ipairs(folders) do remove(path) end
  folders = {}
end

--- A library of a folder (nil: none) whose scripts run in workers.
function support.library(dir, host, allow_shadow)
  host.script = support.door
  if not dir then return nil end
  local out = library.new({ host = host, folders = { dir }, allow_shadow = allow_shadow })
  out:load()
  return out
end

--- As begin.applied, with the scripts of a folder { ["checks/x.lua"] = text }, before anything is looked at.
--- change.files; the rest as there. run.dir and run.library are what was made.
function support.applied(change)
  local run
  local dir = change.files and support.folder()
  for path, text in pairs(change.files or {}) do support.write(dir, path, text) end
  local scenario = require("spec.support.scenario")
  local new = scenario.new
  scenario.new = function(options)
    run = new(options)
    run.dir = dir
    function run.boot()
      run.driver.host.library = support.library(dir, run.driver.host, change.allow_shadow)
      run.library = run.driver.host.library
    end
    run.boot()
    return run
  end
  local ok, message = pcall(begin.applied, change)
  scenario.new = new
  if not ok then error(message, 2) end
  return run
end

function support.initialised(change)
  local run = support.applied(change)
  run:wait_for_phase("demo", "app", "Initialized")
  run:pass(1)
  return run
end

function support.progressing(change)
  local run = support.initialised(change)
  run.world:set_image("demo", "app", change.image or "podinfo:2")
  run:wait_for_phase("demo", "app", "Progressing")
  return run
end

return support
