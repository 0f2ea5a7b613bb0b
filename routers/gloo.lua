--- Gloo: a RouteTable named after the apex, to which the user's VirtualService delegates, and an Upstream for each arm.

local json = require("json")
local list = require("util.list")
local object = require("util.object")
local owned = require("routing.owned")
local rules = require("routing.gloo_rules")
local shape = require("routing.shape")

local API, KIND = "gateway.solo.io/v1", "RouteTable"
local UPSTREAM_API, UPSTREAM = "gloo.solo.io/v1", "Upstream"
local START = { primary = 100, canary = 0 }
local REJECTED = 2 -- as older versions write it
local ARMS = { "primary", "canary" }

-- What the Upstreams take over from the one that the Canary names.
local TAKEN = { "labels", "sslConfig", "circuitBreakers", "connectionConfig", "loadBalancerConfig", "useHttp2",
  "initialStreamWindowSize", "initialConnectionWindowSize", "httpProxyHostname" }

local gloo = {
  name = "gloo",
  aliases = {},
  weighted = true,
  mirrors = false,
  matches = true,
  affinity = false,
  resolution = 1,
  fine = true,
}

--- The Services are read because an Upstream repeats their selectors.
function gloo.reads(canary)
  local function read(api, kind, name, namespace, optional)
    return { apiVersion = api, kind = kind, name = name, namespace = namespace or canary.namespace,
      optional = optional }
  end
  local out, ref = { route = read(API, KIND, canary.names.apex, nil, true) }, canary.upstream
  for _, arm in ipairs(ARMS) do
    out[arm .. "_service"] = read("v1", "Service", canary.names[arm], nil, false)
    out[arm .. "_upstream"] = read(UPSTREAM_API, UPSTREAM, rules.upstream(canary, arm), nil, true)
  end
  if ref then
    local namespace = (ref.namespace or "") ~= "" and ref.namespace or nil
    out.upstream = read(UPSTREAM_API, UPSTREAM, ref.name, namespace, false)
  end
  return out
end

local function live_routes(live)
  return shape.list(live, "spec.routes", true)
end

local function read(canary, live)
  local all, err = live_routes(live)
  if not all then return nil, err end
  local route, index = rules.weighted(all, canary)
  local weights = {}
  for _, arm in ipairs(ARMS) do
    local item, place
    if route then item, place = rules.destination(route, canary, arm) end
    local path = ("spec.routes[%d].routeAction.multi.destinations[%d].weight"):format((index or 1) - 1,
      (place or 1) - 1)
    weights[arm], err = shape.weight(live, path, item and item.weight, 0)
    if not weights[arm] then return nil, err end
  end
  return shape.shares(canary, live, weights.primary, weights.canary, true)
end

local function upstream_spec(canary, seen, arm)
  local out = { kube = {
    serviceName = canary.names[arm],
    serviceNamespace = canary.namespace,
    servicePort = canary.service.port,
    selector = object.copy(object.at(seen[arm .. "_service"], "spec", "selector")),
  } }
  if not seen.upstream then return out end
  for _, field in ipairs(TAKEN) do out[field] = object.copy(object.at(seen.upstream, "spec", field)) end
  return out
end

--- What must be absent is named; only what is ours or taken over from the named Upstream is.
local function upstream_goal(live, want, seen)
  local have = type(live.spec) == "table" and live.spec or {}
  local out = { kube = object.copy(want.kube) }
  out.kube.selector = object.goal(object.at(have, "kube", "selector"), want.kube.selector or json.null)
  for _, field in ipairs(seen.upstream and TAKEN or {}) do
    out[field] = want[field] == nil and json.null or object.goal(have[field], want[field])
  end
  return out
end

local function prepare_upstream(canary, seen, arm)
  local key = arm .. "_upstream"
  local live, want = seen[key], upstream_spec(canary, seen, arm)
  if not live then return { owned.create(key, UPSTREAM_API, UPSTREAM, rules.upstream(canary, arm), want) } end
  return owned.repair(key, canary, live, upstream_goal(live, want, seen))
end

local function update_route(canary, live, metadata)
  local all, problem = live_routes(live)
  if not all then return nil, problem end
  local routes, err, code = read(canary, live)
  if not routes and code ~= "NOT_FOUND" then return nil, err end
  local want
  want, err = rules.of(canary, all, routes or START)
  if not want then return nil, err end
  return owned.repair("route", canary, live, { routes = want }, metadata)
end

local function prepare_route(canary, live)
  local metadata = owned.metadata(canary)
  if live then return update_route(canary, live, metadata) end
  local want, err = rules.of(canary, {}, START)
  if not want then return nil, err end
  return { owned.create("route", API, KIND, canary.names.apex, { routes = want }, metadata) }
end

--- Makes the Upstreams and the RouteTable exist; weights already live are kept.
function gloo.prepare(canary, seen)
  local route, err = prepare_route(canary, seen.route)
  if not route then return nil, err end
  return list.join(prepare_upstream(canary, seen, "primary"), prepare_upstream(canary, seen, "canary"), route)
end

--- The live split, or nil and a message.
function gloo.routes(canary, seen)
  if not seen.route then return nil, shape.absent(canary, KIND) end
  local routes, err = read(canary, seen.route)
  if not routes then return nil, err end
  return routes
end

--- Whether no Gloo rejects the RouteTable. It does not say which generation it has seen, so that only a refusal counts.
function gloo.accepted(_, seen)
  local status = object.at(seen.route, "status")
  local reports = object.at(status, "statuses")
  for _, report in pairs(type(reports) == "table" and reports or { status }) do
    local state = object.at(report, "state")
    if state == "Rejected" or state == REJECTED then
      return false, ("%s is rejected: %s"):format(shape.title(seen.route), tostring(object.at(report, "reason")))
    end
  end
  return true
end

function gloo.shift(canary, seen, routes)
  if not seen.route then return nil, shape.absent(canary, KIND) end
  local all, err = live_routes(seen.route)
  if not all then return nil, err end
  local want
  want, err = rules.of(canary, all, routes)
  if not want then return nil, err end
  return owned.repair("route", canary, seen.route, { routes = want })
end

function gloo.restore(canary, seen)
  local patches = owned.restore("route", canary, seen.route)
  for _, arm in ipairs(ARMS) do
    local key = arm .. "_upstream"
    patches = list.join(patches, owned.restore(key, canary, seen[key]))
  end
  return patches
end

return gloo
