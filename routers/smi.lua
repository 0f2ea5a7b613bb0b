--- SMI: a TrafficSplit named after the apex, in the version that the mesh serves (osm, smi:<version>, and linkerd where
--- its Canary asks for no other kind of route).

local json = require("json")
local list = require("util.list")
local object = require("util.object")
local owned = require("routing.owned")
local quantity = require("routing.quantity")
local shape = require("routing.shape")

local GROUP, KIND = "split.smi-spec.io", "TrafficSplit"
local BACKENDS = "spec.backends"
local ENTRY = list.set({ "service", "weight" })
local START = { primary = 100, canary = 0 }
local MILLI = 1000 -- thousandths in a whole
local VERSIONS = { linkerd = "v1alpha1", osm = "v1alpha2" }
local GATEWAYS = "VirtualService.v1alpha3.networking.istio.io/spec.gateways"

local smi = {
  name = "osm",
  aliases = { "smi:v1alpha1", "smi:v1alpha2", "smi:v1alpha3" },
  weighted = true,
  mirrors = false,
  matches = false,
  affinity = false,
  resolution = 1,
  fine = true,
  route_kinds = { "TrafficSplit" },
}

local function version(canary)
  return VERSIONS[canary.provider] or canary.provider:match("^smi:(v1alpha%d)")
end

local function api(canary)
  return ("%s/%s"):format(GROUP, version(canary))
end

function smi.reads(canary)
  return { route = {
    apiVersion = api(canary), kind = KIND, name = canary.names.apex, namespace = canary.namespace, optional = true,
  } }
end

--- COMPAT: only the adaptor of Istio (`smi:<version>:istio`) is told the gateways.
local function metadata(canary)
  local mesh = canary.provider:match("^smi:[^:]+:(.*)$")
  if mesh ~= "istio" or #canary.service.gateways == 0 then return nil end
  return { annotations = { [GATEWAYS] = json.encode(list.map(canary.service.gateways, tostring)) } }
end

local function named(backends, name)
  return list.find(backends, function(backend) return backend.service == name end)
end

--- The weight of one arm in thousandths, or nil and a message.
local function weight_of(live, backends, name)
  local backend, index = named(backends, name)
  if not backend or backend.weight == nil then return 0 end
  local weight = quantity.milli(backend.weight)
  if weight then return weight end
  return nil, shape.odd(live, ("%s[%d].weight"):format(BACKENDS, index - 1),
    "is not a weight: " .. tostring(backend.weight))
end

local function read(canary, live)
  local backends, err = shape.list(live, BACKENDS)
  if not backends then return nil, err end
  local primary, weight
  primary, err = weight_of(live, backends, canary.names.primary)
  if not primary then return nil, err end
  weight, err = weight_of(live, backends, canary.names.canary)
  if not weight then return nil, err end
  if primary % MILLI == 0 and weight % MILLI == 0 then primary, weight = primary // MILLI, weight // MILLI end
  return shape.shares(canary, live, primary, weight, true)
end

--- A weight in its version's form: a quantity in v1alpha1, unless the cluster's definition of it has taken a number.
local function written(canary, live, weight)
  if version(canary) ~= "v1alpha1" or live and type(live.weight) == "number" then return weight end
  return ("%d"):format(weight)
end

local function split(canary, backends, routes)
  local function entry(name, weight)
    local live = named(backends, name)
    return object.overlay(live, { service = name, weight = written(canary, live, weight) }, ENTRY)
  end
  local parts = shape.parts(routes)
  return json.array({ entry(canary.names.canary, parts.canary), entry(canary.names.primary, parts.primary) })
end

local function spec(canary, backends, routes)
  return { service = canary.service.hosts[1] or canary.names.apex, backends = split(canary, backends, routes) }
end

--- Makes the TrafficSplit exist; weights already live are kept.
function smi.prepare(canary, seen)
  local live = seen.route
  if not live then
    return { owned.create("route", api(canary), KIND, canary.names.apex, spec(canary, {}, START), metadata(canary)) }
  end
  local routes, err, code = read(canary, live)
  if not routes and code ~= "NOT_FOUND" then return nil, err end
  return owned.repair("route", canary, live, spec(canary, shape.list(live, BACKENDS), routes or START),
    metadata(canary))
end

--- The live split, or nil and a message.
function smi.routes(canary, seen)
  if not seen.route then return nil, shape.absent(canary, KIND) end
  local routes, err = read(canary, seen.route)
  if not routes then return nil, err end
  return routes
end

function smi.shift(canary, seen, routes)
  if not seen.route then return nil, shape.absent(canary, KIND) end
  local backends, err = shape.list(seen.route, BACKENDS)
  if not backends then return nil, err end
  return owned.repair("route", canary, seen.route, { backends = split(canary, backends, routes) })
end

function smi.restore(canary, seen)
  return owned.restore("route", canary, seen.route)
end

return smi
