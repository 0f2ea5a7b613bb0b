--- Istio: a VirtualService named after the apex and a DestinationRule for each arm.

local json = require("json")
local list = require("util.list")
local object = require("util.object")
local owned = require("routing.owned")
local rules = require("routing.istio_rules")
local shape = require("routing.shape")

local API, KIND, RULE = "networking.istio.io/v1beta1", "VirtualService", "DestinationRule"

local istio = {
  name = "istio",
  aliases = {},
  weighted = true,
  mirrors = true,
  matches = true,
  affinity = true,
  resolution = 1,
  fine = true, -- weights are relative since Istio 1.15 (istio/istio#39544); before, they had to sum to 100
}

function istio.reads(canary)
  local function read(kind, name)
    return { apiVersion = API, kind = kind, name = name, namespace = canary.namespace, optional = true }
  end
  return {
    route = read(KIND, canary.names.apex),
    primary_rule = read(RULE, canary.names.primary),
    canary_rule = read(RULE, canary.names.canary),
  }
end

local NO_TCP_MIRROR = " cannot mirror tcp traffic"

--- "http" or "tcp": the field of the spec that carries the split.
local function protocol(canary)
  return rules.is_tcp(canary) and "tcp" or "http"
end

--- What this canary asks for that no VirtualService can do, or nil.
local function impossible(canary)
  local name = ("%s %s.%s"):format(KIND, canary.names.apex, canary.namespace)
  local service, analysis = canary.service, canary.analysis
  if service.delegation and (#service.hosts > 0 or #service.gateways > 0) then
    return name .. " cannot have hosts and gateways when delegation enabled"
  end
  if rules.is_tcp(canary) and analysis.mirror then return name .. NO_TCP_MIRROR end
  if rules.is_tcp(canary) and #analysis.match > 0 then return name .. " cannot match headers of tcp traffic" end
end

local function hosts(canary)
  if canary.service.delegation then return json.null end
  local given = canary.service.hosts
  if list.contains(given, canary.names.apex) or list.contains(given, "*") then return object.copy(given) end
  return list.join(given, { canary.names.apex })
end

local function gateways(canary)
  if canary.service.delegation then return json.null end
  if #canary.service.gateways == 0 then return json.array({ "mesh" }) end
  return object.copy(canary.service.gateways)
end

local function split(canary, live, routes)
  return rules[protocol(canary)](canary, live, routes)
end

--- All that is ours in the VirtualService's spec.
local function spec(canary, live, routes)
  local out = { hosts = hosts(canary), gateways = gateways(canary), http = json.null, tcp = json.null }
  out[protocol(canary)] = split(canary, live, routes)
  return out
end

local function live_rules(canary, live)
  return shape.list(live, "spec." .. protocol(canary), true)
end

local function read(canary, live)
  local all, err = live_rules(canary, live)
  if not all then return nil, err end
  local rule, index = rules.weighted(all, canary)
  local weights = {}
  for _, arm in ipairs({ "primary", "canary" }) do
    local entry, place
    if rule then entry, place = rules.entry(rule, canary.names[arm]) end
    local path = ("spec.%s[%d].route[%d].weight"):format(protocol(canary), (index or 1) - 1, (place or 1) - 1)
    weights[arm], err = shape.weight(live, path, entry and entry.weight, 0)
    if not weights[arm] then return nil, err end
  end
  local routes, code
  routes, err, code = shape.shares(canary, live, weights.primary, weights.canary, true)
  if not routes then return nil, err, code end
  routes.mirrored = object.at(rule, "mirror", "host") == canary.names.canary
  return routes
end

local function prepare_rule(patches, canary, seen, key, host)
  local policy, live = canary.service.traffic_policy, seen[key]
  if not live then
    local body = { host = host, trafficPolicy = object.copy(policy) }
    patches[#patches + 1] = owned.create(key, API, RULE, host, body)
    return
  end
  local have = object.at(live, "spec", "trafficPolicy")
  local want = { host = host, trafficPolicy = policy and object.goal(have, policy) or json.null }
  patches[#patches + 1] = owned.repair(key, canary, live, want)[1]
end

local function prepare_route(patches, canary, live)
  local metadata, start = owned.metadata(canary), { primary = 100, canary = 0 }
  if not live then
    patches[#patches + 1] = owned.create("route", API, KIND, canary.names.apex, spec(canary, {}, start), metadata)
    return patches
  end
  local all, problem = live_rules(canary, live)
  if not all then return nil, problem end
  local routes, err, code = read(canary, live)
  if not routes and code ~= "NOT_FOUND" then return nil, err end
  patches[#patches + 1] = owned.repair("route", canary, live, spec(canary, all, routes or start), metadata)[1]
  return patches
end

--- Makes the three objects exist; weights and mirror already live are kept.
function istio.prepare(canary, seen)
  local problem = impossible(canary)
  if problem then return nil, problem end
  local patches = {}
  prepare_rule(patches, canary, seen, "canary_rule", canary.names.canary)
  prepare_rule(patches, canary, seen, "primary_rule", canary.names.primary)
  return prepare_route(patches, canary, seen.route)
end

--- The live split, or nil and a message.
function istio.routes(canary, seen)
  if not seen.route then return nil, shape.absent(canary, KIND) end
  local routes, err = read(canary, seen.route)
  if not routes then return nil, err end
  return routes
end

function istio.shift(canary, seen, routes)
  if not seen.route then return nil, shape.absent(canary, KIND) end
  local all, err = live_rules(canary, seen.route)
  if not all then return nil, err end
  if routes.mirrored and rules.is_tcp(canary) then return nil, shape.title(seen.route) .. NO_TCP_MIRROR end
  return owned.repair("route", canary, seen.route, { [protocol(canary)] = split(canary, all, routes) })
end

function istio.restore(canary, seen)
  local patches = owned.restore("route", canary, seen.route)
  for _, key in ipairs({ "canary_rule", "primary_rule" }) do
    patches = list.join(patches, owned.restore(key, canary, seen[key]))
  end
  return patches
end

return istio
