--- What surrounds a custom script in its worker. Its text goes there; nothing here requires it.
--
-- Called with the name of the script and { [module] = { name = of the chunk, source =, shipped = bool } }. Gives back
-- { call = fn }: see lua/scripts/run.lua for what it is asked.

local main, sources = ...
local loaded, loading = {}, {}
local words = {} -- what a script may use beside the globals
local near

local function hint(word, names)
  local close = near and near.of(word, names)
  return close and (" (did you mean %s?)"):format(close) or ""
end

local function keys(...)
  local out = {}
  for _, map in ipairs({ ... }) do
    for name in pairs(map) do
      if type(name) == "string" then out[#out + 1] = name end
    end
  end
  table.sort(out)
  return out
end

local GRANTED = { prom = true, http = true, kube = true }

--- The globals of scripts: a name that is none, or is set, is an error in the line where it stands.
local strict = setmetatable({}, {
  __index = function(_, name)
    local value = words[name]
    if value == nil then value = _G[name] end
    if value ~= nil then return value end
    if GRANTED[name] then error(("%s is not granted: expected it in the header's grants"):format(name), 2) end
    error(("%s is not defined%s"):format(tostring(name), hint(tostring(name), keys(words, _G))), 2)
  end,
  __newindex = function(_, name)
    error(("%s: expected a local, found a global"):format(tostring(name)), 2)
  end,
})

--- A misspelt function of the engine is told with the one that is there.
local function guard(name, functions)
  if type(functions) ~= "table" then return end
  setmetatable(functions, { __index = function(_, key)
    error(("%s.%s: expected one of %s%s"):format(name, tostring(key), table.concat(keys(functions), ", "),
      hint(tostring(key), functions)), 2)
  end })
end

local function load_module(name, env)
  local module = sources[name]
  local chunk, message = load(module.source, "=" .. module.name, "t", env)
  if not chunk then error(message, 0) end
  return chunk
end

local function required(name)
  if name == "json" then return _G.json end
  local module = sources[name]
  if not module then
    error(("require: expected one of %s, found %s%s"):format(table.concat(keys(sources), ", "), tostring(name),
      hint(tostring(name), sources)), 2)
  end
  if loaded[name] then return loaded[name] end
  if loading[name] then error(("require: %s requires itself"):format(name), 2) end
  loading[name] = true
  local shipped = { __index = function(_, key) return key == "require" and words.require or _G[key] end }
  local value = load_module(name, module.shipped and setmetatable({}, shipped) or strict)()
  loading[name] = nil
  loaded[name] = value == nil and true or value
  return loaded[name]
end

words.require = required

local verdict = {}
for _, word in ipairs({ "pass", "fail", "inconclusive", "nodata", "error" }) do
  verdict[word] = function(evidence)
    local out = {}
    for name, value in pairs(evidence or {}) do out[name] = value end
    out.verdict = word
    return out
  end
end
words.verdict = verdict

--- The header of a script: its fields that are data, and the names of its functions.
local function header(module)
  if type(module) ~= "table" then return { found = type(module) } end
  local out, functions = {}, {}
  for name, value in pairs(module) do
    if type(value) == "function" then functions[#functions + 1] = name else out[name] = value end
  end
  return { fields = out, functions = functions }
end

--- order: { entry = name of a function, arguments = list } | { header = true } | { inline = { name = value } }
local function call(order)
  near = sources["util.nearest"] and required("util.nearest")
  for _, name in ipairs({ "prom", "http", "kube", "clock", "log" }) do guard(name, _G[name]) end
  guard("verdict", verdict)
  for name, value in pairs(order.inline or {}) do words[name] = value end
  local module
  if order.inline then module = load_module(main, strict)() else module = required(main) end
  if order.header then return header(module) end
  if order.inline then
    if type(module) == "table" and type(module.run) == "function" then module = module.run(order.inline) end
    return { value = module }
  end
  local fn = type(module) == "table" and module[order.entry]
  if type(fn) ~= "function" then
    error(("%s: expected a function, found %s"):format(order.entry, type(fn or nil)), 0)
  end
  local value, message = fn(table.unpack(order.arguments))
  return { value = value, message = message ~= nil and tostring(message) or nil }
end

return { call = call }
