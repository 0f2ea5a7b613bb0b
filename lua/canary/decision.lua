--- What a policy may answer: checked before anything is done with it.

local check = require("stats.check")
local json = require("json")
local nearest = require("util.nearest")
local shares = require("util.percent")
local text = require("util.text")

local decision = {}

local ACTIONS = { "hold", "shift", "iterate", "promote", "rollback", "pause" }
local VERDICTS = { "pass", "fail", "inconclusive", "nodata", "error" }
local MOST_STATE = 8192 -- bytes as JSON
local MOST_EVIDENCE = 64
local MOST_TEXT = 1024

local FIELDS = {
  action = true, weight = true, match = true, after = true, reason = true, evidence = true, state = true,
  replicas = true, approval = true, routes = true, iterations = true, gate = true, approved = true,
}

local function one_of(path, value, known)
  for _, word in ipairs(known) do
    if word == value then return nil end
  end
  local close = type(value) == "string" and nearest.of(value, known)
  return ("%s: expected one of %s, found %s%s"):format(path, table.concat(known, ", "), text.cut(tostring(value), 64),
    close and (" (did you mean %s?)"):format(close) or "")
end

local function words(path, value, optional)
  if value == nil and optional then return nil end
  return text.problem(path, value, MOST_TEXT)
end

local function percent(path, value, fine)
  if value == nil or shares.exact(value, fine) then return nil end
  return ("%s: expected a %s from 0 to 100, found %s"):format(path,
    fine and "number of at most two decimals" or "whole number", tostring(value))
end

local function match(value)
  if value ~= nil then return "match: expected none, as spec.analysis.match says who gets the canary, found one" end
end

local function evidence(list)
  if list == nil then return nil end
  if type(list) ~= "table" or #list > MOST_EVIDENCE or (next(list) ~= nil and #list == 0) then
    return ("evidence: expected a list of at most %d entries"):format(MOST_EVIDENCE)
  end
  for index, item in ipairs(list) do
    local path = ("evidence[%d]"):format(index - 1)
    if type(item) ~= "table" then return path .. ": expected an object, found " .. type(item) end
    local bad = words(path .. ".name", item.name) or one_of(path .. ".verdict", item.verdict, VERDICTS)
      or words(path .. ".rule", item.rule, item.verdict == "pass") or words(path .. ".value", item.value, true)
      or words(path .. ".query", item.query, true) or words(path .. ".message", item.message, true)
    if bad then return bad end
  end
end

local function storable(state)
  if state == nil then return nil end
  if type(state) ~= "table" then return "state: expected an object, found " .. type(state) end
  local encoded, message = json.encode(state)
  if not encoded then return "state: " .. message end
  if #encoded > MOST_STATE then return ("state: expected at most %d bytes, found %d"):format(MOST_STATE, #encoded) end
end

local function routes(value, fine)
  if value == nil then return nil end
  if type(value) ~= "table" then return "routes: expected an object, found " .. type(value) end
  local bad = percent("routes.primary", value.primary or "none", fine)
    or percent("routes.canary", value.canary or "none", fine)
  if bad then return bad end
  if shares.less(100, value.primary) ~= shares.less(value.canary, 0) then
    return ("routes: expected a sum of 100, found %s"):format(tostring(value.primary + value.canary))
  end
end

local function amounts(answer)
  for _, name in ipairs({ "after", "iterations" }) do
    local bad = answer[name] ~= nil and check.amount(name, answer[name])
    if bad then return bad end
  end
  local replicas = answer.replicas
  if replicas ~= nil and not (math.type(replicas) == "integer" and replicas >= 1) then
    return ("replicas: expected a whole number of 1 or more, found %s"):format(tostring(replicas))
  end
end

local function unknown(answer)
  for name in pairs(answer) do
    if not FIELDS[name] then
      local close = nearest.of(tostring(name), FIELDS)
      return ("%s: expected a field of a decision%s"):format(text.cut(tostring(name), 64),
        close and (" (did you mean %s?)"):format(close) or "")
    end
  end
end

--- The answer itself when it is well-formed; else nil and a message that names the field.
--- @param fine boolean?  the route carries hundredths of a percent
function decision.check(answer, fine)
  if type(answer) ~= "table" then return nil, "decision: expected an object, found " .. type(answer) end
  local bad = unknown(answer) or one_of("action", answer.action, ACTIONS) or words("reason", answer.reason)
    or percent("weight", answer.weight, fine) or match(answer.match) or routes(answer.routes, fine)
    or amounts(answer)
    or words("approval", answer.approval, true) or evidence(answer.evidence) or storable(answer.state)
  if not bad and answer.action == "shift" and answer.weight == nil and not answer.routes then
    bad = "weight: expected a whole number from 0 to 100 for a shift, found none"
  end
  if bad then return nil, bad end
  answer.weight = answer.weight and shares.exact(answer.weight, fine)
  return answer
end

return decision
