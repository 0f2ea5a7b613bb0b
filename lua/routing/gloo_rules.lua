--- The `spec.routes` of a RouteTable that splits between the Upstreams of primary and canary.

local headers = require("routing.headers")
local json = require("json")
local list = require("util.list")
local object = require("util.object")
local shape = require("routing.shape")

local rules = {}

-- What is ours in a route and in a destination; everything else stays as found.
local ROUTE = list.set({ "inheritablePathMatchers", "matchers", "routeAction" })
local DESTINATION = list.set({ "destination", "weight" })

local function stem(canary, arm)
  return ("%s-%s-%supstream-"):format(canary.namespace, canary.names.apex, arm)
end

--- The name of the Upstream of "primary" or "canary".
function rules.upstream(canary, arm)
  return stem(canary, arm) .. ("%d"):format(canary.service.port)
end

--- The destinations of a route, none where it is shaped otherwise.
function rules.destinations(route)
  local out = object.at(route, "routeAction", "multi", "destinations")
  return type(out) == "table" and out or {}
end

--- The entry of a route for an arm, and its place. The port in the name may have been another.
function rules.destination(route, canary, arm)
  local begin = stem(canary, arm)
  return list.find(rules.destinations(route), function(item)
    local name = object.at(item, "destination", "upstream", "name")
    return type(name) == "string" and name:sub(1, #begin) == begin and name:find("^%d+$", #begin + 1) ~= nil
  end)
end

--- The route whose weights count, and its place.
function rules.weighted(live, canary)
  return list.find(live, function(route) return rules.destination(route, canary, "canary") ~= nil end)
end

--- An absent weight is zero to Gloo. COMPAT: it is written so, but a zero that is there is left alone.
local function weight_of(have, weight)
  if weight == 0 and object.at(have, "weight") ~= 0 then return nil end
  return weight
end

local function destination(canary, live, arm, weight)
  local have = rules.destination(live, canary, arm)
  return object.overlay(have, {
    destination = { upstream = { name = rules.upstream(canary, arm), namespace = canary.namespace } },
    weight = weight_of(have, weight),
  }, DESTINATION)
end

local function route(live, matchers, destinations)
  return object.overlay(live, {
    inheritablePathMatchers = true,
    matchers = matchers,
    routeAction = { multi = { destinations = destinations } },
  }, ROUTE)
end

local function split(canary, live, routes)
  local parts = shape.parts(routes)
  return json.array({
    destination(canary, live, "primary", parts.primary),
    destination(canary, live, "canary", parts.canary),
  })
end

--- The alternatives of the analysis' match, or nil and a message.
local function matchers(canary)
  local all, err = headers.of(canary, { "exact", "regex" })
  if not all then return nil, err end
  return list.map(all, function(alternative, index)
    local method = object.at(canary.analysis.match[index], "method", "exact")
    return {
      headers = list.map(alternative, function(one)
        return { name = one.name, value = one.value, regex = one.kind == "regex" or nil }
      end),
      methods = method and json.array({ method }) or nil,
    }
  end)
end

--- The routes that send `routes`, keeping what the live ones have beside our fields; or nil and a message.
function rules.of(canary, live, routes)
  local first = rules.weighted(live, canary)
  if #canary.analysis.match == 0 then return json.array({ route(first, nil, split(canary, first, routes)) }) end
  local found, err = matchers(canary)
  if not found then return nil, err end
  local rest = live[2] or first
  return json.array({
    route(first, found, split(canary, first, routes)),
    route(rest, nil, json.array({ destination(canary, rest, "primary", 100) })),
  })
end

return rules
