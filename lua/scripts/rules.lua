--- Whether the rules of a header's `params` are well-formed: lua/util/params.lua reads parameters by them.

local duration = require("util.duration")
local nearest = require("util.nearest")
local params = require("util.params")

local rules = {}

local TYPES = { "number", "integer", "string", "boolean", "duration", "list", "object" }
local RULE = { type = true, default = true, required = true, min = true, max = true, unit = true, doc = true,
  one_of = true, of = true, fields = true }

--- A value as a message shows it.
function rules.shown(value)
  if value == nil then return "nothing" end
  if type(value) == "table" then return "a table" end
  return type(value) == "string" and ("%q"):format(value:sub(1, 64)) or tostring(value)
end

local function expected(field, what, found)
  return ("%s: expected %s, found %s"):format(field, what, rules.shown(found))
end

local function hinted(field, what, word, known)
  local close = nearest.of(tostring(word), known)
  return expected(field, what, word) .. (close and (" (did you mean %s?)"):format(close) or "")
end

local function is_number(value) return type(value) == "number" and value == value end

local function is_text(value) return type(value) == "string" end

local function is_texts(value)
  if type(value) ~= "table" or #value == 0 then return false end
  for _, item in ipairs(value) do
    if not is_text(item) then return false end
  end
  return true
end

-- type -> what a bound is, as a test, in words, and as the number it stands for
local function itself(value) return value end
local COUNT = { function(value) return math.tointeger(value) ~= nil end, "a whole number", itself }
local NUMBER = { is_number, "a number", itself }
local BOUNDS = { number = NUMBER, integer = NUMBER, list = COUNT, duration = {
  function(value) return is_number(value) or is_text(value) and duration.parse(value) ~= nil end,
  "a duration like 90s or seconds",
  function(value) return is_number(value) and value or duration.parse(value) end } }

local function bounds_problem(path, rule)
  local bound = BOUNDS[rule.type]
  for _, name in ipairs({ "min", "max" }) do
    local value, field = rule[name], path .. "." .. name
    if value ~= nil and not bound then return expected(field, "none for the type " .. rule.type, value) end
    if value ~= nil and not bound[1](value) then return expected(field, bound[2], value) end
  end
  if rule.min ~= nil and rule.max ~= nil and bound[3](rule.min) > bound[3](rule.max) then
    return expected(path .. ".min", ("at most max (%s)"):format(rule.max), rule.min)
  end
end

local function fields_problem(path, rule)
  if rule.one_of ~= nil and rule.type ~= "string" then
    return expected(path .. ".one_of", "none for the type " .. rule.type, rule.one_of)
  end
  if rule.one_of ~= nil and not is_texts(rule.one_of) then
    local odd = rule.one_of
    for _, item in ipairs(type(odd) == "table" and odd or {}) do
      if not is_text(item) then odd = item break end
    end
    return expected(path .. ".one_of", "a list of texts", odd)
  end
  for _, name in ipairs({ "unit", "doc" }) do
    if rule[name] ~= nil and not is_text(rule[name]) then return expected(path .. "." .. name, "a text", rule[name]) end
  end
  if rule.required ~= nil and type(rule.required) ~= "boolean" then
    return expected(path .. ".required", "true or false", rule.required)
  end
end

local schema_problem

local function rule_problem(path, rule)
  if type(rule) ~= "table" or #rule > 0 then return expected(path, "a rule like { type = \"number\" }", rule) end
  for name in pairs(rule) do
    if not RULE[name] then return hinted(path, "a known field of a rule", name, RULE) end
  end
  local known = false
  for _, word in ipairs(TYPES) do known = known or word == rule.type end
  if not known then return hinted(path .. ".type", "one of " .. table.concat(TYPES, ", "), rule.type, TYPES) end
  local bad = bounds_problem(path, rule) or fields_problem(path, rule)
  if bad then return bad end
  if rule.type == "list" then return rule_problem(path .. ".of", rule.of) end
  if rule.type == "object" then return schema_problem(path .. ".fields", rule.fields or {}) end
end

function schema_problem(path, schema)
  if type(schema) ~= "table" or #schema > 0 then return expected(path, "a table of rules", schema) end
  for name, rule in pairs(schema) do
    local bad = rule_problem(("%s.%s"):format(path, name), rule)
    if bad then return bad end
  end
end

--- The defaults obey the rules they stand in.
local function defaults_problem(schema)
  local loose = {}
  for name, rule in pairs(schema) do
    loose[name] = {}
    for field, value in pairs(rule) do loose[name][field] = value end
    loose[name].required = nil
  end
  local _, message = params.read(loose, {}, "params")
  return message
end

--- nil, or what is wrong with `params` of a header.
function rules.problem(schema) return schema_problem("params", schema) or defaults_problem(schema) end

return rules
