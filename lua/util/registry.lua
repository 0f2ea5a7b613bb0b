--- Finds the file of a folder that serves a name: the folder is the registry.
--
-- A name is looked for as `folder/name.lua`, then without what follows its first colon, then in the
-- folder's own `aliases.lua`, a table { name = file }. A file serves its `name` and its `aliases`;
-- an alias `a:b` stands for `a:b:anything` too.

local registry = {}

local function exists(module)
  if package.loaded[module] ~= nil or package.preload[module] then return true end
  return package.searchpath(module, package.path) ~= nil
end

--- Only plain names become file names: whoever writes one must not pick files elsewhere.
local function file_of(folder, name)
  if not name:find("^[%w_]+$") or name == "aliases" then return nil end
  local module = folder .. "." .. name
  return exists(module) and module or nil
end

--- Every value the module answers to.
function registry.names(module)
  local out = { module.name }
  for _, alias in ipairs(module.aliases or {}) do out[#out + 1] = alias end
  return out
end

local function serves(module, name)
  for _, own in ipairs(registry.names(module)) do
    if name == own or name:sub(1, #own + 1) == own .. ":" and own:find(":", 1, true) then return true end
  end
  return false
end

--- The module of the file `candidate` when it serves `name`, or nil.
local function serving(folder, candidate, name)
  local path = candidate and file_of(folder, candidate)
  local module = path and require(path)
  if type(module) == "table" and module.name and serves(module, name) then return module end
end

local function other_candidates(folder, name)
  local aliases = exists(folder .. ".aliases") and require(folder .. ".aliases") or {}
  local head = name:match("^[^:]*")
  return { head, aliases[name] or false, aliases[head] or false }
end

--- The module of `folder` that serves `name`, or nil and a message. The file of that name is asked first: most are
--- found so, at every look at every Canary, and without a look into the folder.
function registry.find(folder, name)
  local module = serving(folder, name, name)
  if module then return module end
  for _, candidate in ipairs(other_candidates(folder, name)) do
    module = serving(folder, candidate, name)
    if module then return module end
  end
  return nil, ("nothing in %s serves %q"):format(folder, name)
end

--- Every name and alias of the given files → module; an error when two files claim the same.
--- @param files table  file names without their ending
function registry.load(folder, files)
  local out, from = {}, {}
  for _, file in ipairs(files) do
    local module = require(folder .. "." .. file)
    if type(module) ~= "table" then return nil, ("%s/%s.lua gives no table"):format(folder, file) end
    for _, name in ipairs(module.name and registry.names(module) or {}) do
      if out[name] then return nil, ("%s is claimed by %s and %s"):format(name, from[name], file) end
      out[name], from[name] = module, file
    end
  end
  return out
end

return registry
