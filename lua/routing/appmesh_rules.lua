--- The routes of App Mesh that split between primary and canary, in the form of either version.
--
-- A form is { http = the field of a route, target = function(name, weight) -> weighted target, target_name =
-- function(target), retries = function(milliseconds, attempts, events), timeout = function(milliseconds) or nil }.

local duration = require("util.duration")
local json = require("json")
local list = require("util.list")
local object = require("util.object")
local shape = require("routing.shape")

local rules = {}

local MATCHERS = { "exact", "prefix", "regex", "suffix" }
-- What is ours in a route, what carries HTTP, its match; everything else stays as found.
local HTTP = list.set({ "match", "retryPolicy", "timeout", "action" })
local MATCH = list.set({ "prefix", "headers" })
local TARGET = list.set({ "virtualNodeName", "virtualNodeRef", "weight" })
local FIRST, LAST = 10, 20 -- priorities; COMPAT

--- Milliseconds of a duration's text, or nil.
function rules.milliseconds(text)
  local seconds = text and duration.parse(text)
  return seconds and seconds >= 0 and math.floor(seconds * 1000) or nil
end

local function prefix(canary)
  local given = object.at(canary.service.match[1], "uri", "prefix")
  return type(given) == "string" and given ~= "" and given or "/"
end

local function events(text)
  local out = json.array()
  for event in (type(text) == "string" and text or ""):gmatch("[^,%s]+") do out[#out + 1] = event end
  return #out > 0 and out or json.array({ "gateway-error" })
end

local function retry_policy(form, canary)
  local given = canary.service.retries
  if type(given) ~= "table" then return nil end
  local attempts = math.tointeger(given.attempts) or 0
  return form.retries(rules.milliseconds(given.perTryTimeout) or 250, math.max(attempts, 1), events(given.retryOn))
end

local function header(path, name, given)
  local match = {}
  for _, kind in ipairs(MATCHERS) do
    local text = type(given) == "table" and given[kind]
    if type(text) == "string" and text ~= "" then match[kind] = text end
  end
  if next(match) then return { name = name, match = match } end
  return nil, ("%s.%s: expected exact, prefix, regex or suffix, found none of them"):format(path, name)
end

--- The header conditions of one analysis match, sorted; or nil and a message. Without one everybody would match.
local function headers(canary, index)
  local path = ("spec.analysis.match[%d].headers"):format(index - 1)
  local given, out = object.at(canary.analysis.match, index, "headers"), json.array()
  if type(given) ~= "table" or next(given) == nil then
    return nil, path .. ": expected a header to match with App Mesh, found none"
  end
  for _, name in ipairs(list.keys(given)) do
    local one, err = header(path, name, given[name])
    if not one then return nil, err end
    out[#out + 1] = one
  end
  return out
end

local function at(form, rule)
  return object.at(rule, form.http, "action", "weightedTargets")
end

local function target_of(form, rule, name)
  local targets = at(form, rule)
  return list.find(type(targets) == "table" and targets or {}, function(target)
    return type(target) == "table" and form.target_name(target) == name
  end)
end

--- Weighted targets of { name, weight } pairs.
local function targets(form, have, pairs_)
  return list.map(pairs_, function(pair)
    return object.overlay(target_of(form, have, pair[1]), form.target(pair[1], pair[2]), TARGET)
  end)
end

--- One route. `parts` is { name, priority?, headers?, targets = pairs }.
local function rule(form, canary, live, parts)
  local have = list.find(live, function(one) return one.name == parts.name end)
  local http = object.at(have, form.http)
  local timeout = form.timeout and rules.milliseconds(canary.service.timeout)
  local want = {
    match = object.overlay(object.at(http, "match"), { prefix = prefix(canary), headers = parts.headers }, MATCH),
    retryPolicy = retry_policy(form, canary),
    timeout = timeout and form.timeout(timeout),
    action = { weightedTargets = targets(form, have, parts.targets) },
  }
  return object.overlay(have, { name = parts.name, priority = parts.priority,
    [form.http] = object.overlay(http, want, HTTP) }, list.set({ "name", "priority", form.http }))
end

local function arms(canary, routes)
  return { { canary.names.canary, routes.canary }, { canary.names.primary, routes.primary } }
end

--- COMPAT: names and priorities; a further match, any of which lets a request in, has a route of its own.
local function matched(form, canary, live, routes)
  local out, count = json.array(), #canary.analysis.match
  for index = 1, count do
    local conditions, err = headers(canary, index)
    if not conditions then return nil, err end
    out[index] = rule(form, canary, live, {
      name = canary.names.apex .. "-a" .. (index > 1 and "-" .. index or ""), priority = FIRST + index - 1,
      headers = conditions, targets = arms(canary, routes),
    })
  end
  out[count + 1] = rule(form, canary, live, {
    name = canary.names.apex .. "-b", priority = math.max(LAST, FIRST + count),
    targets = { { canary.names.primary, 100 } },
  })
  return out
end

--- The routes of the apex, keeping what the live ones have beside our fields; or nil and a message.
function rules.apex(form, canary, live, routes)
  if #canary.analysis.match > 0 then return matched(form, canary, live, routes) end
  return json.array({ rule(form, canary, live, { name = canary.names.apex, targets = arms(canary, routes) }) })
end

--- The routes of the canary's own address.
function rules.canary(form, canary, live)
  local all = { primary = 0, canary = 100 }
  return json.array({ rule(form, canary, live, { name = canary.names.canary, targets = arms(canary, all) }) })
end

local function weight_of(form, body, rule_, index, name)
  local path = ("spec.routes[%d].%s.action.weightedTargets"):format(index - 1, form.http)
  local found, err = shape.items(body, path, at(form, rule_), true)
  if not found then return nil, err end
  local target, place = target_of(form, rule_, name)
  return shape.weight(body, ("%s[%d].weight"):format(path, (place or 1) - 1), target and target.weight, 0)
end

--- The live split of the object that carries the apex's routes; or nil, a message and a code.
function rules.read(form, canary, body)
  local live, err = shape.list(body, "spec.routes", true)
  if not live then return nil, err end
  local names = canary.names
  local found, index = list.find(live, function(one) return target_of(form, one, names.canary) ~= nil end)
  if not found then
    found, index = list.find(live, function(one) return target_of(form, one, names.primary) ~= nil end)
  end
  local primary, weight
  primary, err = weight_of(form, body, found or live[1], index or 1, names.primary)
  if not primary then return nil, err end
  weight, err = weight_of(form, body, found or live[1], index or 1, names.canary)
  if not weight then return nil, err end
  return shape.shares(canary, body, primary, weight)
end

return rules
