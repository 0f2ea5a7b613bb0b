--- Splits the user's own IngressRoute: where it sends to the apex Service, it sends to the primary and the canary by
--- weights. Nothing is created, and the route is given back as it was.
--
--   metadata: {annotations: {ingressroute: app}}     # its name; the apex Service's, where nothing is said
--   spec: {provider: ingressroute}

local object = require("util.object")

local router = {
  name = "ingressroute", api = 1,
  weighted = true, mirrors = false, matches = false, affinity = false,
  resolution = 1,
  grants = { "kube:traefik.io/v1alpha1/IngressRoute" },
}

local function copy(value)
  if type(value) ~= "table" then return value end
  local result = json.is_array(value) and json.array() or {}
  for key, entry in pairs(value) do result[key] = copy(entry) end
  return result
end

local function entry(from, name, weight)
  local result = copy(from)
  result.name, result.weight = name, weight
  return result
end

--- The routes of the object with `change` made to the services of each of them.
local function changed(seen, change)
  local routes = copy(seen.route.spec.routes or json.array())
  for _, route in ipairs(routes) do route.services = change(route.services or json.array()) end
  return { spec = { routes = routes } }
end

--- Traefik drops a route with a Service that has no pods, and the canary has none between two releases: an arm without
--- a share is left out.
local function split(canary, weight)
  return function(services)
    local result = json.array()
    for _, service in ipairs(services) do
      if service.name == canary.names.apex or service.name == canary.names.primary then
        result[#result + 1] = entry(service, canary.names.primary, 100 - weight)
        if weight > 0 then result[#result + 1] = entry(service, canary.names.canary, weight) end
      elseif service.name ~= canary.names.canary then
        result[#result + 1] = service
      end
    end
    return result
  end
end

local function joined(canary)
  return function(services)
    local result = json.array()
    for _, service in ipairs(services) do
      if service.name == canary.names.primary then
        result[#result + 1] = entry(service, canary.names.apex, nil)
      elseif service.name ~= canary.names.canary then
        result[#result + 1] = service
      end
    end
    return result
  end
end

--- The canary's weight in the first rule that is split; nil when no rule is.
local function live(canary, seen)
  for _, route in ipairs(seen.route.spec.routes or {}) do
    local primary, share
    for _, service in ipairs(route.services or {}) do
      if service.name == canary.names.primary then primary = service.weight end
      if service.name == canary.names.canary then share = service.weight end
    end
    if primary then return share or 0 end
  end
end

function router.reads(canary)
  local name = canary.own_annotations.ingressroute or canary.names.apex
  return { route = { apiVersion = "traefik.io/v1alpha1", kind = "IngressRoute", name = name } }
end

function router.prepare(canary, seen)
  local uses = false
  for _, route in ipairs(seen.route.spec.routes or {}) do
    for _, service in ipairs(route.services or {}) do
      uses = uses or service.name == canary.names.apex or service.name == canary.names.primary
    end
  end
  if not uses then
    return nil, ("IngressRoute %s: expected a route to the Service %s, found none"):format(seen.route.metadata.name,
      canary.names.apex)
  end
  return object.patches("route", seen.route, changed(seen, split(canary, live(canary, seen) or 0)))
end

function router.routes(canary, seen)
  local weight = live(canary, seen)
  if not weight then return nil, "the IngressRoute is not split yet" end
  return { primary = 100 - weight, canary = weight }
end

function router.shift(canary, seen, routes)
  return object.patches("route", seen.route, changed(seen, split(canary, routes.canary)))
end

function router.restore(canary, seen)
  return object.patches("route", seen.route, changed(seen, joined(canary)))
end

return router
