--- Kuma: a TrafficRoute for the mesh service of the apex.
--
-- TrafficRoutes belong to the whole cluster. COMPAT: the route is named after the apex; where that name serves the apex
-- of another namespace, ours is `<apex>.<namespace>`. No Canary can own such an object, so it is marked as the
-- Canary's, and deleted with it.

local json = require("json")
local list = require("util.list")
local mark = require("util.mark")
local object = require("util.object")
local owned = require("routing.owned")
local shape = require("routing.shape")

local API, KIND, TAG = "kuma.io/v1alpha1", "TrafficRoute", "kuma.io/service"
local SPLIT = "spec.conf.split"
local ENTRY, DESTINATION = list.set({ "destination", "weight" }), list.set({ TAG })
local START = { primary = 100, canary = 0 }

local kuma = {
  name = "kuma",
  aliases = {},
  weighted = true,
  mirrors = false,
  matches = false,
  affinity = false,
  resolution = 1,
  fine = true,
  unowned = true,
}

--- The two names that the route may have, by key.
local function names(canary)
  return { route = canary.names.apex, spaced = canary.names.apex .. "." .. canary.namespace }
end

function kuma.reads(canary)
  local out = {}
  for key, name in pairs(names(canary)) do
    out[key] = { apiVersion = API, kind = KIND, name = name, optional = true }
  end
  return out
end

--- What the mesh calls a Service of the canary's namespace.
local function mesh_service(canary, name)
  return ("%s_%s_svc_%d"):format(name, canary.namespace, canary.service.port)
end

--- True when the tag stands for the Service, at whatever port.
local function is_service(canary, tags, name)
  local tag = type(tags) == "table" and tags[TAG]
  local start = ("%s_%s_svc_"):format(name, canary.namespace)
  return type(tag) == "string" and tag:sub(1, #start) == start
end

local function serves(canary, live)
  if not live then return false end
  if mark.is_on(canary, live) then return true end
  return list.find(shape.list(live, "spec.destinations") or {}, function(selector)
    return is_service(canary, selector.match, canary.names.apex)
  end) ~= nil
end

--- The key of this canary's route and the route; without one the key under which to create it.
local function ours(canary, seen)
  if serves(canary, seen.spaced) then return "spaced", seen.spaced end
  if serves(canary, seen.route) then return "route", seen.route end
  return seen.route and "spaced" or "route"
end

local function entry_of(canary, entries, name)
  return list.find(entries, function(entry) return is_service(canary, entry.destination, name) end)
end

local function weight_of(canary, live, entries, name)
  local entry, index = entry_of(canary, entries, name)
  if not entry then return 0 end
  return shape.weight(live, ("%s[%d].weight"):format(SPLIT, index - 1), entry.weight, 0)
end

local function read(canary, live)
  local entries, err = shape.list(live, SPLIT, true)
  if not entries then return nil, err end
  local primary, weight
  primary, err = weight_of(canary, live, entries, canary.names.primary)
  if not primary then return nil, err end
  weight, err = weight_of(canary, live, entries, canary.names.canary)
  if not weight then return nil, err end
  return shape.shares(canary, live, primary, weight, true)
end

--- The configuration that splits; the mesh takes one destination for all requests only in its place.
local function conf(canary, entries, routes)
  local function entry(name, weight)
    local live = entry_of(canary, entries, name) or {}
    local destination = object.overlay(live.destination, { [TAG] = mesh_service(canary, name) }, DESTINATION)
    return object.overlay(live, { weight = weight, destination = destination }, ENTRY)
  end
  local parts = shape.parts(routes)
  return {
    split = json.array({ entry(canary.names.primary, parts.primary), entry(canary.names.canary, parts.canary) }),
    destination = json.null,
  }
end

local function spec(canary, entries, routes)
  return {
    sources = json.array({ { match = { [TAG] = "*" } } }),
    destinations = json.array({ { match = { [TAG] = mesh_service(canary, canary.names.apex) } } }),
    conf = conf(canary, entries, routes),
  }
end

local function create(canary, key)
  local metadata = mark.on(canary, owned.metadata(canary))
  local patch = owned.create(key, API, KIND, names(canary)[key], spec(canary, {}, START), metadata)
  patch.create.mesh = canary.own_annotations["kuma.io/mesh"] or "default"
  return patch
end

--- Makes the TrafficRoute exist; weights already live are kept.
function kuma.prepare(canary, seen)
  local key, live = ours(canary, seen)
  if not live then
    local other = seen[key]
    if not other then return { create(canary, key) } end
    return nil, ("%s: expected to be free or to serve %s, found it to serve something else"):format(
      shape.title(other), mesh_service(canary, canary.names.apex))
  end
  local routes, err, code = read(canary, live)
  if not routes and code ~= "NOT_FOUND" then return nil, err end
  return owned.repair(key, canary, live, spec(canary, shape.list(live, SPLIT, true), routes or START),
    owned.metadata(canary))
end

--- The live split, or nil and a message.
function kuma.routes(canary, seen)
  local _, live = ours(canary, seen)
  if not live then return nil, shape.absent(canary, KIND) end
  local routes, err = read(canary, live)
  if not routes then return nil, err end
  return routes
end

function kuma.shift(canary, seen, routes)
  local key, live = ours(canary, seen)
  if not live then return nil, shape.absent(canary, KIND) end
  local entries, err = shape.list(live, SPLIT, true)
  if not entries then return nil, err end
  return owned.repair(key, canary, live, { conf = conf(canary, entries, routes) })
end

--- What was created for the canary is deleted; a route of the user's is given back.
function kuma.restore(canary, seen)
  local key, live = ours(canary, seen)
  return live and owned.restore(key, canary, live) or {}
end

return kuma
