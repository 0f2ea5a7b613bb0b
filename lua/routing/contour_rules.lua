--- The `spec.routes` of an HTTPProxy that splits between primary and canary.

local headers = require("routing.headers")
local json = require("json")
local list = require("util.list")
local object = require("util.object")
local shape = require("routing.shape")

local rules = {}

-- What is ours in a route, its policies and its services; everything else stays as found.
local ROUTE = list.set({ "conditions", "timeoutPolicy", "retryPolicy", "services" })
local TIMEOUT = list.set({ "response", "idle" })
local RETRY = list.set({ "count", "perTryTimeout", "retryOn" })
local SERVICE = list.set({ "name", "port", "weight", "requestHeadersPolicy" })
local HEADERS = list.set({ "set" })

local IDLE = "5m"
local RETRIES = 1 -- what the API server fills in
local OVERRIDE = "l5d-dst-override"

-- COMPAT: beginnings and ends are looked for anywhere, Contour knows no better.
local KINDS = { "exact", "regex", "prefix", "suffix" }
local FIELDS = { exact = "exact", regex = "regex", prefix = "contains", suffix = "contains" }

--- The entry of a route for a Service, and its place.
function rules.service(route, name)
  return list.find(type(route.services) == "table" and route.services or {}, function(service)
    return object.at(service, "name") == name
  end)
end

--- The route whose weights count, and its place: those that match come before the rest.
function rules.weighted(live, canary)
  return list.find(live, function(route) return rules.service(route, canary.names.canary) ~= nil end)
end

local function given(value)
  return value ~= "" and value or nil
end

local function prefix(canary)
  return given(object.at(canary.service.match[1], "uri", "prefix")) or "/"
end

local function timeouts(canary, have)
  local timeout = given(canary.service.timeout)
  return object.some(object.overlay(have, { response = timeout, idle = timeout and IDLE }, TIMEOUT))
end

local function conditions_of(text)
  local out = json.array()
  for item in (text or ""):gmatch("[^,]+") do
    item = item:match("^%s*(.-)%s*$")
    if item ~= "" then out[#out + 1] = item end
  end
  return #out > 0 and out or nil
end

local function retries(canary, have)
  local wanted = canary.service.retries
  if not wanted then return nil end
  local attempts = math.tointeger(wanted.attempts) or 0
  return object.overlay(have, {
    count = attempts > 0 and attempts or RETRIES,
    perTryTimeout = given(wanted.perTryTimeout),
    retryOn = conditions_of(wanted.retryOn),
  }, RETRY)
end

--- An absent weight is zero to Contour. COMPAT: it is written so, but a zero that is there is left alone.
local function weight_of(have, weight)
  if weight == 0 and object.at(have, "weight") ~= 0 then return nil end
  return weight
end

local function service(canary, live, name, weight)
  local have = live and rules.service(live, name)
  local port = canary.service.port
  local host = ("%s.%s.svc.cluster.local:%d"):format(name, canary.namespace, port)
  local policy = { set = json.array({ { name = OVERRIDE, value = host } }) }
  return object.overlay(have, {
    name = name,
    port = port,
    weight = weight_of(have, weight),
    requestHeadersPolicy = object.overlay(object.at(have, "requestHeadersPolicy"), policy, HEADERS),
  }, SERVICE)
end

local function route(canary, live, conditions, routes)
  local parts = shape.parts(routes)
  return object.overlay(live, {
    conditions = conditions,
    timeoutPolicy = timeouts(canary, object.at(live, "timeoutPolicy")),
    retryPolicy = retries(canary, object.at(live, "retryPolicy")),
    services = json.array({
      service(canary, live, canary.names.primary, parts.primary),
      service(canary, live, canary.names.canary, parts.canary),
    }),
  }, ROUTE)
end

--- One alternative of the match. A route may have one prefix only.
local function matching(canary, alternative)
  return list.map(alternative, function(condition, index)
    return {
      prefix = index == 1 and prefix(canary) or nil,
      header = { name = condition.name, [FIELDS[condition.kind]] = condition.value },
    }
  end)
end

--- The routes that send `routes`, keeping what the live ones have beside our fields; or nil and a message.
function rules.of(canary, live, routes)
  local first, last = rules.weighted(live, canary), live[#live]
  local plain = json.array({ { prefix = prefix(canary) } })
  if #canary.analysis.match == 0 then return json.array({ route(canary, first, plain, routes) }) end
  local all, err = headers.of(canary, KINDS)
  if not all then return nil, err end
  local out = list.map(all, function(alternative, index)
    local have = #live == #all + 1 and live[index] or first
    return route(canary, have, matching(canary, alternative), routes)
  end)
  out[#out + 1] = route(canary, last, plain, { primary = 100, canary = 0 })
  return out
end

return rules
