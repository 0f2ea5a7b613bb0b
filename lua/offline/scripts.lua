--- Custom scripts looked at one by one: syntax here, the header in a worker, as `serin run -scripts` would.

local bundle = require("scripts.bundle")
local folder = require("scripts.folder")
local grants = require("scripts.grants")
local header = require("scripts.header")
local inside = require("kit.inside")
local library = require("scripts.library")
local lint = require("offline.lint")
local run = require("scripts.run")

local scripts = {}

local BY_FOLDER = {}
for kind, row in pairs(header.KINDS) do BY_FOLDER[row.folder] = kind end

--- What a message is about: "policies/x.lua:3: what" in two.
local function place(message)
  local line, rest = message:match("^[%w%./_%-]+%.lua:(%d+): (.*)$")
  if line then return math.tointeger(tonumber(line)), rest end
  return nil, message:match("^[%w_]+/[%w_%-]+%.lua: (.*)$") or message
end

local function finding(path, message)
  local line, rest = place(message)
  return { file = path, line = line, object = "script", field = "", message = rest, severity = "error" }
end

--- The folder of a script's kind, above it.
local function root_of(path)
  local dir, sub = path:match("^(.-)/?([^/]+)/[^/]+$")
  if not dir then return nil, nil end
  if dir == "" then dir = path:sub(1, 1) == "/" and "/" or "." end
  return dir, sub
end

--- What stands beside the script, for what it requires.
local function sources_of(list, dir)
  local out = {}
  local found = dir and folder.look(list, { dir })
  for module, file in pairs(found and found.files or {}) do
    local source = folder.read(file)
    if source then out[module] = { source = source, label = file.label } end
  end
  return out
end

--- nil and the grants of its header, or what is wrong with it.
local function test(host, path, kind, name, source)
  local dir, sub = root_of(path)
  local label = ("%s/%s.lua"):format(sub, name)
  local module = ("%s.%s"):format(sub, name)
  local sources = sources_of(host.script.list, dir)
  sources[module] = { source = source, label = label }
  local made, message = bundle.make(module, sources)
  if not made then return message end
  local script = { kind = kind, name = name, module = module, label = label, sha256 = made.sha256, text = made.text }
  local found
  found, message = run.header(host, script)
  if not found then return message end
  message = header.problem(found, kind, name)
  if message then return header.message(label, source, message) end
  script.fields, script.grants = found.fields, grants.read(found.fields.grants)
  local problem = header.functions(found).selftest and select(2, run.selftest(host, script))
  return problem or nil, kind ~= "lib" and script.grants or nil
end

--- The findings about a script. Waits.
--- @param host table  { script = the module `script` }
function scripts.check(host, path, source)
  local _, message = load(source, "=" .. path:match("[^/]+$"), "t", {})
  if message then
    local line, rest = message:match("^[^:]+:(%d+): (.*)$")
    return { { file = path, line = math.tointeger(tonumber(line)), object = "script", field = "",
      message = rest or message, severity = "error" } }
  end
  local _, sub = root_of(path)
  local kind, name = BY_FOLDER[sub or ""], path:match("([%w_%-]+)%.lua$")
  if not kind then
    local known = {}
    for word in pairs(BY_FOLDER) do known[#known + 1] = word end
    table.sort(known)
    return { finding(path, ("expected a script in a folder of its kind: one of %s"):format(table.concat(known, ", "))) }
  end
  if not name then return { finding(path, "expected a name of letters, digits, - and _") } end
  local granted
  message, granted = test(host, path, kind, name, source)
  local out = { message and finding(path, message) or nil }
  for _, item in ipairs(lint.of(source, { grants = granted })) do
    local told = out[1] and out[1].line == item.line
    if not told then
      out[#out + 1] = { file = path, line = item.line, object = "script", field = "", message = item.message,
        severity = "error" }
    end
  end
  return out
end

local QUIET = { debug = function() end, info = function() end, warn = function() end, error = function() end }

--- The scripts of folders as `serin run` has them: what is wrong with one is said where it is named. Waits. Or nil and
--- a message.
--- @param script table  the module `script`
--- @param dirs table    the folders of --scripts
function scripts.library(script, dirs)
  local found, message = folder.look(script.list, dirs)
  if not found then return nil, message end
  local out = library.new({ host = { script = script, log = QUIET }, folders = dirs })
  out:load()
  return out
end

--- Gives a host of the embedded cluster the scripts of folders, run in this process: with the globals, grants and
--- checks of the workers, but not confined, and what never ends is not ended.
--- @param dirs table  folders that can be read: `library` or `readable` said so
function scripts.attach(host, dirs)
  host.script = { run = inside.run, list = require("script").list }
  host.library = library.new({ host = { script = host.script, log = QUIET }, folders = dirs })
  host.library:load()
end

--- True, or nil and why the folders cannot be read.
function scripts.readable(dirs)
  local found, message = folder.look(require("script").list, dirs)
  return found and true or nil, message
end

return scripts
