--- Gateway API: an HTTPRoute named after the apex, or the kind of route that spec.service.routeKind names.
-- `gatewayapi:v1` and `gatewayapi:v1beta1` differ in few fields; `gatewayapi:v1alpha2` is for TCPRoutes before Gateway
-- API 1.6, which serves them as v1.

local acceptance = require("routing.acceptance")
local json = require("json")
local kinds = require("routing.gateway_kinds")
local object = require("util.object")
local owned = require("routing.owned")
local parents = require("routing.gateway_parents")
local rules = require("routing.gateway_rules")
local shape = require("routing.shape")

local GROUP = "gateway.networking.k8s.io"
local NO_PARENTS = "GatewayRefs must be specified when using Gateway API as a provider."
local START = { primary = 100, canary = 0 }

local gatewayapi = {
  name = "gatewayapi",
  aliases = { "gatewayapi:v1", "gatewayapi:v1beta1", "gatewayapi:v1alpha2" },
  weighted = true,
  mirrors = true,
  matches = true,
  affinity = true,
  resolution = 1,
  fine = true,
  route_kinds = { "HTTPRoute", "GRPCRoute", "TCPRoute" },
}

local function api(canary)
  return GROUP .. "/" .. kinds.of(canary).version
end

local function absent(canary)
  return shape.absent(canary, kinds.of(canary).kind)
end

function gatewayapi.reads(canary)
  return { route = {
    apiVersion = api(canary), kind = kinds.of(canary).kind, name = canary.names.apex, namespace = canary.namespace,
    optional = true,
  } }
end

--- The whole spec, or nil and a message.
local function spec(canary, live, routes)
  local made, err = rules.of(canary, live, routes)
  if not made then return nil, err end
  local hosts, hostnames = canary.service.hosts, nil
  if kinds.of(canary).hostnames then hostnames = #hosts > 0 and object.copy(hosts) or json.null end
  return { parentRefs = parents.of(canary), hostnames = hostnames, rules = made }
end

local function live_rules(live)
  return shape.list(live, "spec.rules", true)
end

local function read(canary, live)
  local all, err = live_rules(live)
  if not all then return nil, err end
  local rule, index = rules.weighted(all, canary)
  local weights = {}
  for _, arm in ipairs({ "primary", "canary" }) do
    local ref, place
    if rule then ref, place = rules.backend(rule, canary.names[arm]) end
    local path = ("spec.rules[%d].backendRefs[%d].weight"):format((index or 1) - 1, (place or 1) - 1)
    weights[arm], err = shape.weight(live, path, ref and ref.weight, ref and 1 or 0)
    if not weights[arm] then return nil, err end
  end
  local routes, code
  routes, err, code = shape.shares(canary, live, weights.primary, weights.canary, true)
  if not routes then return nil, err, code end
  routes.mirrored = rules.is_mirrored(canary, rule)
  return routes
end

local function update(canary, live, metadata)
  local all, problem = live_rules(live)
  if not all then return nil, problem end
  local routes, err, code = read(canary, live)
  if not routes and code ~= "NOT_FOUND" then return nil, err end
  local want
  want, err = spec(canary, all, routes or START)
  if not want then return nil, err end
  return owned.repair("route", canary, live, want, metadata)
end

--- What this canary asks for that no gateway would do, or nil.
function gatewayapi.unfit(canary)
  return parents.wrong(canary)
end

--- Makes the route exist; weights and mirror already live are kept.
function gatewayapi.prepare(canary, seen)
  if #canary.service.gateway_refs == 0 then return nil, NO_PARENTS end
  local impossible = kinds.impossible(canary)
  if impossible then return nil, impossible end
  local metadata = owned.metadata(canary)
  if seen.route then return update(canary, seen.route, metadata) end
  local want, err = spec(canary, {}, START)
  if not want then return nil, err end
  return { owned.create("route", api(canary), kinds.of(canary).kind, canary.names.apex, want, metadata) }
end

--- The live split, or nil and a message.
function gatewayapi.routes(canary, seen)
  if not seen.route then return nil, absent(canary) end
  local routes, err = read(canary, seen.route)
  if not routes then return nil, err end
  return routes
end

--- Whether the gateways obey the newest generation. COMPAT: v1beta1 is not asked.
function gatewayapi.accepted(canary, seen)
  return acceptance.verdict(seen.route and kinds.newest(canary) and acceptance.of_parents(seen.route) or nil)
end

function gatewayapi.shift(canary, seen, routes)
  if not seen.route then return nil, absent(canary) end
  local all, err = live_rules(seen.route)
  if not all then return nil, err end
  local want
  want, err = rules.of(canary, all, routes)
  if not want then return nil, err end
  return owned.repair("route", canary, seen.route, { rules = want })
end

function gatewayapi.restore(canary, seen)
  return owned.restore("route", canary, seen.route)
end

return gatewayapi
