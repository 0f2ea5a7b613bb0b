--- Traefik: a TraefikService named after the apex, to which the user's IngressRoute points.

local json = require("json")
local list = require("util.list")
local object = require("util.object")
local owned = require("routing.owned")
local shape = require("routing.shape")

local API, KIND = "traefik.io/v1alpha1", "TraefikService"
local SERVICES = "spec.weighted.services"
local ENTRY = list.set({ "name", "namespace", "port", "weight" })

local traefik = {
  name = "traefik",
  aliases = {},
  weighted = true,
  mirrors = false,
  matches = false,
  affinity = false,
  resolution = 1,
  fine = true,
}

function traefik.reads(canary)
  return { route = {
    apiVersion = API, kind = KIND, name = canary.names.apex, namespace = canary.namespace, optional = true,
  } }
end

local function named(services, name)
  return list.find(services, function(service) return service.name == name end)
end

--- The live entries, or nil and a message.
local function entries(live)
  return shape.list(live, SERVICES)
end

local function weight_of(live, services, name)
  local service, index = named(services, name)
  if not service then return 0 end
  -- Traefik takes an absent weight for 1.
  return shape.weight(live, ("%s[%d].weight"):format(SERVICES, index - 1), service.weight, 1)
end

local function read(canary, live)
  local services, err = entries(live)
  if not services then return nil, err end
  local primary, weight
  primary, err = weight_of(live, services, canary.names.primary)
  if not primary then return nil, err end
  weight, err = weight_of(live, services, canary.names.canary)
  if not weight then return nil, err end
  return shape.shares(canary, live, primary, weight, true)
end

--- The two entries. The canary's, which comes and goes, takes after the primary's where it has nothing of its own.
local function weighted(canary, services, routes)
  local first = named(services, canary.names.primary)
  local second = named(services, canary.names.canary) or first
  local function entry(live, name, weight)
    local want = { name = name, namespace = canary.namespace, port = canary.service.port, weight = weight }
    return object.overlay(live, want, ENTRY)
  end
  local parts = shape.parts(routes)
  local out = json.array({ entry(first, canary.names.primary, parts.primary) })
  if routes.canary > 0 then out[2] = entry(second, canary.names.canary, parts.canary) end
  return { weighted = { services = out } }
end

--- Makes the TraefikService exist; weights already live are kept.
function traefik.prepare(canary, seen)
  local live, metadata = seen.route, owned.metadata(canary)
  local start = { primary = 100, canary = 0 }
  if not live then
    return { owned.create("route", API, KIND, canary.names.apex, weighted(canary, {}, start), metadata) }
  end
  local routes, err, code = read(canary, live)
  if not routes and code ~= "NOT_FOUND" then return nil, err end
  return owned.repair("route", canary, live, weighted(canary, entries(live), routes or start), metadata)
end

--- The live split, or nil and a message.
function traefik.routes(canary, seen)
  if not seen.route then return nil, shape.absent(canary, KIND) end
  local routes, err = read(canary, seen.route)
  if not routes then return nil, err end
  return routes
end

function traefik.shift(canary, seen, routes)
  if not seen.route then return nil, shape.absent(canary, KIND) end
  local services, err = entries(seen.route)
  if not services then return nil, err end
  return owned.repair("route", canary, seen.route, weighted(canary, services, routes))
end

function traefik.restore(canary, seen)
  return owned.restore("route", canary, seen.route)
end

return traefik
