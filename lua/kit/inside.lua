--- In place of the workers: scripts run in this process, with the globals that they have there and nothing else. It
-- cannot end one that runs for ever; `serin check` and `serin run` do.

local json = require("json")

local inside = {}

-- As engine/worker_lib.c has them; spec/kit/kit_spec.lua holds the two lists together.
inside.GLOBALS = {
  "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawlen", "rawset",
  "select", "setmetatable", "tonumber", "tostring", "type", "xpcall", "_VERSION", "load", "collectgarbage",
}
inside.LIBRARIES = {
  string = { "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "pack", "packsize", "rep",
    "reverse", "sub", "unpack", "upper" },
  table = { "concat", "insert", "move", "pack", "remove", "sort", "unpack" },
  math = { "abs", "acos", "asin", "atan", "ceil", "cos", "deg", "exp", "floor", "fmod", "huge", "log", "max",
    "maxinteger", "min", "mininteger", "modf", "pi", "rad", "random", "sin", "sqrt", "tan", "tointeger", "type",
    "ult" },
  utf8 = { "char", "charpattern", "codepoint", "codes", "len", "offset" },
  coroutine = { "create", "isyieldable", "resume", "running", "status", "wrap", "yield" },
}

local compiled = {} -- name and text -> what it was compiled to; a suite calls a script ten thousand times

--- As load(text, name, "t", env).
local function load_text(text, name, env)
  local key = name .. "\0" .. text
  if compiled[key] then return load(compiled[key], name, "b", env) end
  local chunk, message = load(text, name, "t", env)
  if chunk then compiled[key] = string.dump(chunk) end
  return chunk, message
end

local function globals()
  local out = {}
  for _, name in ipairs(inside.GLOBALS) do out[name] = _G[name] end
  for library, names in pairs(inside.LIBRARIES) do
    out[library] = {}
    for _, name in ipairs(names) do out[library][name] = _G[library][name] end
  end
  out.json = { encode = json.encode, decode = json.decode, null = json.null, array = json.array,
    is_array = json.is_array }
  out._G = out
  out.load = function(text, name, _, env) return load_text(text, name or "=(load)", env == nil and out or env) end
  return out
end

--- `{ ["prom.query"] = fn }` as tables, with a limit on how often they are called together.
local function add_calls(env, calls, most)
  local count = 0
  for name, fn in pairs(calls or {}) do
    local first, second = name:match("^([^.]+)%.?(.*)$")
    local function counted(...)
      count = count + 1
      if count > most then error(("more than %d calls of the host"):format(most), 0) end
      return fn(...)
    end
    if second == "" then
      env[first] = counted
    else
      env[first] = env[first] or {}
      env[first][second] = counted
    end
  end
end

--- What crosses the pipe crosses it as JSON.
local function crossed(value)
  if value == nil then return nil end
  local text, message = json.encode(value)
  if not text then error(message, 0) end
  return json.decode(text)
end

--- As script.run, in this process.
function inside.run(source, entry, argument, options)
  local env = globals()
  add_calls(env, options.calls, options.max_calls or 100)
  local chunk, message = load_text(source, "=" .. (options.name or "script"), env)
  if not chunk then return nil, message, "SCRIPT" end
  local ok, result = pcall(function()
    local module = chunk()
    local fn = entry and module[entry] or module
    return crossed(fn(crossed(argument)))
  end)
  if ok then return result end
  return nil, tostring(result), "SCRIPT"
end

return inside
