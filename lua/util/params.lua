--- Parameters that a script declares and a user gives: checked, defaulted, in units the script computes with.
--
-- A schema is { name = rule }, a rule
--   { type = "number" | "integer" | "string" | "boolean" | "duration" | "list" | "object",
--     default?, required?, min?, max?, unit?, doc?,
--     one_of? (of a string), of? (the rule of a list's entries; min and max count them), fields? (an object's schema) }
-- A duration is written `90s` or as seconds, and read as seconds; so are its bounds.

local duration = require("util.duration")
local json = require("json")
local nearest = require("util.nearest")
local text = require("util.text")

local params = {}

local MOST_ENTRIES = 100 -- of a list without a bound of its own

local function shown(value)
  if type(value) == "table" then return json.is_array(value) and "a list" or "an object" end
  if type(value) == "string" then return ("%q"):format(text.cut(value, 64)) end
  return tostring(value)
end

local function wrong(path, what, value) return nil, ("%s: expected %s, found %s"):format(path, what, shown(value)) end

local readers = {}

local function bounds(rule, value, path)
  local unit = rule.unit and " " .. rule.unit or ""
  if rule.min and value < rule.min then
    return nil, ("%s: expected at least %.14g%s, found %.14g"):format(path, rule.min, unit, value)
  end
  if rule.max and value > rule.max then
    return nil, ("%s: expected at most %.14g%s, found %.14g"):format(path, rule.max, unit, value)
  end
  return value
end

function readers.number(rule, value, path)
  if type(value) ~= "number" or value ~= value or math.abs(value) == math.huge then
    return wrong(path, "a number", value)
  end
  return bounds(rule, value, path)
end

function readers.integer(rule, value, path)
  local whole = type(value) == "number" and math.tointeger(value)
  if not whole then return wrong(path, "a whole number", value) end
  return bounds(rule, whole, path)
end

function readers.boolean(_, value, path)
  if type(value) ~= "boolean" then return wrong(path, "true or false", value) end
  return value
end

function readers.string(rule, value, path)
  if type(value) ~= "string" then return wrong(path, "a text", value) end
  if not rule.one_of then return value end
  for _, word in ipairs(rule.one_of) do
    if value == word then return value end
  end
  local close = nearest.of(value, rule.one_of)
  local known = "one of " .. table.concat(rule.one_of, ", ")
  return wrong(path, close and ("%s (did you mean %s?)"):format(known, close) or known, value)
end

function readers.duration(rule, value, path)
  local seconds = value
  if type(value) == "string" then seconds = duration.parse(value) end
  if type(seconds) ~= "number" or seconds ~= seconds or math.abs(seconds) == math.huge then
    return wrong(path, "a duration", value)
  end
  local function out(limit, word)
    return nil, ("%s: expected at %s %s, found %s"):format(path, word, duration.format(limit), duration.format(seconds))
  end
  local min = duration.parse(rule.min or "0s")
  if seconds < min then return out(min, "least") end
  local max = duration.parse(rule.max or "8760h")
  if seconds > max then return out(max, "most") end
  return seconds
end

local read

function readers.list(rule, value, path)
  if type(value) ~= "table" or (next(value) ~= nil and #value == 0) then return wrong(path, "a list", value) end
  local count, least, most = #value, rule.min or 0, rule.max or MOST_ENTRIES
  if count < least or count > most then
    return nil, ("%s: expected %d to %d entries, found %d"):format(path, least, most, count)
  end
  local out = json.array()
  for index = 1, count do
    local item, message = read(rule.of, value[index], ("%s[%d]"):format(path, index - 1))
    if message then return nil, message end
    out[index] = item
  end
  return out
end

function readers.object(rule, value, path)
  if type(value) ~= "table" or #value > 0 then return wrong(path, "an object", value) end
  return params.read(rule.fields, value, path)
end

--- The value by its rule (may be nil or false), or nil and a message.
function read(rule, value, path)
  if value == nil or value == json.null then
    if rule.default ~= nil then return readers[rule.type](rule, rule.default, path) end
    if rule.required then return nil, path .. ": expected a value, found none" end
    return nil
  end
  return readers[rule.type](rule, value, path)
end

local function unknown(schema, given, path)
  for name in pairs(given) do
    if schema[name] == nil then
      local word = tostring(name)
      local close = nearest.of(word, schema)
      return ("%s.%s: expected a known parameter%s, found %q"):format(path, text.cut(word, 64),
        close and (" (did you mean %s?)"):format(close) or "", text.cut(word, 64))
    end
  end
end

--- { name = value } with every default filled in; or nil and a message that names the parameter.
--- @param schema table   as above
--- @param given table?   what the user wrote
--- @param path string    where it stands, for the message
function params.read(schema, given, path)
  if given == nil or given == json.null then given = {} end
  if type(given) ~= "table" or #given > 0 then return wrong(path, "an object", given) end
  local bad = unknown(schema, given, path)
  if bad then return nil, bad end
  local out, names = {}, {}
  for name in pairs(schema) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local value, message = read(schema[name], given[name], path .. "." .. name)
    if message then return nil, message end
    out[name] = value
  end
  return out
end

return params
