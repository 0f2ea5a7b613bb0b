--- What a script says of itself, and whether that is well-formed.

local grants = require("scripts.grants")
local list = require("util.list")
local merge = require("util.merge")
local nearest = require("util.nearest")
local rules = require("scripts.rules")
local scan = require("scripts.scan")

local header = {}

header.API = 1

-- kind -> the folder of --scripts, the functions that its contract asks for, those that may be there, and those that
-- shipped modules alone have
header.KINDS = {
  policy = { folder = "policies", functions = { "decide" }, optional = { check = true, gates = true } },
  check = { folder = "checks", functions = { "run" } },
  router = { folder = "routers", functions = { "reads", "prepare", "routes", "shift", "restore" },
    optional = { accepted = true, unfit = true }, shipped = { of = true, apex = true } },
  notify = { folder = "notify", functions = { "render" } },
  lib = { folder = "lib", functions = {} },
}

local COMMON = { name = true, kind = true, api = true, params = true, grants = true, doc = true }
local OF_ROUTERS = { weighted = "boolean", mirrors = "mirrors", matches = "boolean", affinity = "boolean",
  resolution = "resolution", aliases = "aliases" }
local OF_POLICIES = { samples = "boolean", own_weights = "boolean", absolute = "boolean",
  strategies = "aliases" }
local OWN = { router = OF_ROUTERS, policy = OF_POLICIES } -- fields of a kind

local function expected(field, what, found)
  return ("%s: expected %s, found %s"):format(field, what, rules.shown(found))
end

local function hinted(field, what, word, known)
  local close = nearest.of(tostring(word), known)
  return expected(field, what, word) .. (close and (" (did you mean %s?)"):format(close) or "")
end

local checks = {}

function checks.boolean(field, value)
  if type(value) ~= "boolean" then return expected(field, "true or false", value) end
end

function checks.mirrors(field, value)
  if type(value) ~= "boolean" and value ~= "bluegreen" then
    return expected(field, 'true, false or "bluegreen"', value)
  end
end

function checks.resolution(field, value)
  if not math.tointeger(value) or value < 1 or value > 100 then
    return expected(field, "an integer from 1 to 100", value)
  end
end

function checks.aliases(field, value)
  if type(value) ~= "table" then return expected(field, "a list of names", value) end
  for _, name in ipairs(value) do
    if type(name) ~= "string" or name == "" then return expected(field, "a list of names", name) end
  end
end

local function router_problem(fields)
  for name, kind in pairs(OF_ROUTERS) do
    if fields[name] == nil and name ~= "aliases" and name ~= "resolution" then
      return expected(name, kind == "mirrors" and 'true, false or "bluegreen"' or "true or false", nil)
    end
    local bad = fields[name] ~= nil and checks[kind](name, fields[name])
    if bad then return bad end
  end
end

local function policy_problem(fields)
  for name, kind in pairs(OF_POLICIES) do
    local bad = fields[name] ~= nil and checks[kind](name, fields[name])
    if bad then return bad end
  end
end

--- A function that nobody would call, though its name says that it is meant to be.
local function stray(kind, functions)
  local known = header.KINDS[kind]
  local optional = merge.copy(known.optional or {})
  optional.selftest = true
  for _, name in ipairs(functions) do
    if known.shipped and known.shipped[name] then
      return ("%s: expected none, as a script's is not called, found a function"):format(name)
    end
    local close = not optional[name] and not list.set(known.functions)[name] and nearest.of(name, optional)
    if close then return ("%s: expected a function that is called (did you mean %s?)"):format(name, close) end
  end
end

local function functions_problem(kind, functions)
  local have = {}
  for _, name in ipairs(functions) do have[name] = true end
  for _, name in ipairs(header.KINDS[kind].functions) do
    if not have[name] then
      local close = nearest.of(name, have)
      return ("%s: expected a function, found none%s"):format(name,
        close and (" (found %s, did you mean %s?)"):format(close, name) or "")
    end
  end
end

local function fields_problem(kind, fields)
  local own = OWN[kind] or {}
  for name in pairs(fields) do
    if not COMMON[name] and not own[name] then
      local known = merge.copy(own)
      for common in pairs(COMMON) do known[common] = true end
      return hinted("header", "a known field", name, known)
    end
  end
end

-- What `require` makes of a chunk that returns nothing is true.
local function no_table(found)
  local nothing = found == "boolean" or found == "nil"
  return ("script: expected a table with name, api and functions, found %s"):format(
    nothing and "nothing (a script ends with return)" or "a " .. tostring(found))
end

--- nil, or what is wrong: the field, what is expected and what was found.
--- @param found table  what the worker says: { fields =, functions = } or { found = type }
--- @param kind string  of the folder the script is in
--- @param name string? of its file
function header.problem(found, kind, name)
  if not found.fields then return no_table(found.found) end
  local fields = found.fields
  if kind == "lib" then return nil end
  if type(fields.name) ~= "string" then return expected("name", "a text", fields.name) end
  if name and fields.name ~= name then
    return expected("name", ("%q, as its file is called"):format(name), fields.name)
  end
  if fields.api ~= header.API then return expected("api", tostring(header.API), fields.api) end
  if fields.kind ~= nil and fields.kind ~= kind then
    return expected("kind", ("%q, as its folder says"):format(kind), fields.kind)
  end
  local bad = fields_problem(kind, fields) or functions_problem(kind, found.functions) or stray(kind, found.functions)
    or rules.problem(fields.params or {})
    or kind == "router" and router_problem(fields) or kind == "policy" and policy_problem(fields)
  if bad then return bad end
  local _, message = grants.read(fields.grants)
  return message
end

--- The functions that a worker found, as a set.
function header.functions(found)
  local out = {}
  for _, name in ipairs(found.functions) do out[name] = true end
  return out
end

--- What is wrong with the header, with the name of the script and the line of its source that it is about; of what is
--- missing, the line where the script gives what it has.
function header.message(label, source, message)
  local line = source and (scan.line(source, message) or scan.returned(source))
  return line and ("%s:%d: %s"):format(label, line, message) or ("%s: %s"):format(label, message)
end

return header
