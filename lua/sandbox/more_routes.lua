--- Further readers of route objects, see routes.lua.

local regex = require("sandbox.regex")

local more_routes = {}

local function short(name)
  return (name:gsub("^.*/", ""))
end

--- "demo-app-canaryupstream-80" is Service app-canary.
local function service_of_upstream(name, namespace)
  local rest = name:sub(1, #namespace + 1) == namespace .. "-" and name:sub(#namespace + 2) or name
  return (rest:gsub("upstream%-%d+$", ""))
end

local route_table = { name = "gloo", api_version = "gateway.solo.io/v1", kind = "RouteTable" }

function route_table.find(api, namespace, apex)
  return api:peek({ apiVersion = route_table.api_version, kind = "RouteTable", namespace = namespace, name = apex })
end

local function gloo_matches(matchers)
  if not matchers or #matchers == 0 then return nil end
  return function(request)
    for _, matcher in ipairs(matchers) do
      local all = true
      for _, header in ipairs(matcher.headers or {}) do
        local value = request.headers[header.name:lower()]
        all = all and value ~= nil and
          (value == header.value or header.regex == true and regex.matches(header.value, value))
      end
      if all then return true end
    end
    return false
  end
end

function route_table.groups(object)
  local out = {}
  for _, route in ipairs(object.spec.routes or {}) do
    local group = { match = gloo_matches(route.matchers), backends = {}, mirrors = {} }
    for index, item in ipairs((((route.routeAction or {}).multi or {}).destinations) or {}) do
      local name = service_of_upstream(item.destination.upstream.name, object.metadata.namespace)
      group.backends[index] = { service = name, weight = item.weight or 0 }
    end
    out[#out + 1] = group
  end
  return out
end

local apisix_route = { name = "apisix", api_version = "apisix.apache.org/v2", kind = "ApisixRoute" }

function apisix_route.find(api, namespace, apex)
  local user
  for _, object in ipairs(api:all(apisix_route.api_version, "ApisixRoute", namespace)) do
    if object.metadata.name:sub(-#apex - 8) == "-" .. apex .. "-canary" then return object end
    for _, rule in ipairs(object.spec.http or {}) do
      for _, backend in ipairs(rule.backends or {}) do
        if backend.serviceName == apex then user = user or object end
      end
    end
  end
  return user
end

function apisix_route.groups(object)
  local group = { backends = {}, mirrors = {} }
  for index, backend in ipairs((((object.spec.http or {})[1] or {}).backends) or {}) do
    group.backends[index] = { service = backend.serviceName, weight = backend.weight or 100 }
  end
  return { group }
end

local traffic_route = { name = "kuma", api_version = "kuma.io/v1alpha1", kind = "TrafficRoute" }

function traffic_route.find(api, namespace, apex)
  local wanted = ("%s_%s_svc_"):format(apex, namespace)
  for _, object in ipairs(api:all(traffic_route.api_version, "TrafficRoute")) do
    for _, selector in ipairs((object.spec or {}).destinations or {}) do
      if selector.match["kuma.io/service"]:sub(1, #wanted) == wanted then return object end
    end
  end
end

function traffic_route.groups(object)
  local group = { backends = {}, mirrors = {} }
  for index, item in ipairs(((object.spec or {}).conf or {}).split or {}) do
    local service = item.destination["kuma.io/service"]:match("^[^_]+")
    group.backends[index] = { service = service, weight = item.weight }
  end
  return { group }
end

local virtual_router = { name = "appmesh", api_version = "appmesh.k8s.aws/v1beta2", kind = "VirtualRouter" }

function virtual_router.find(api, namespace, apex)
  local ref = { apiVersion = virtual_router.api_version, kind = "VirtualRouter", namespace = namespace, name = apex }
  return api:peek(ref)
end

-- Header conditions of App Mesh: all of them have to hold.
local function holds(match, value)
  if value == nil then return false end
  if match.exact then return value == match.exact end
  if match.prefix then return value:sub(1, #match.prefix) == match.prefix end
  if match.suffix then return value:sub(-#match.suffix) == match.suffix end
  return regex.matches(match.regex or "", value)
end

local function appmesh_groups(object, field, name_of)
  local out = {}
  for _, route in ipairs(object.spec.routes or {}) do
    local http = route[field] or {}
    local group = { backends = {}, mirrors = {}, priority = route.priority or 0 }
    local headers = (http.match or {}).headers or {}
    if #headers > 0 then
      function group.match(request)
        for _, header in ipairs(headers) do
          if not holds(header.match or {}, request.headers[header.name:lower()]) then return false end
        end
        return true
      end
    end
    for index, target in ipairs((http.action or {}).weightedTargets or {}) do
      group.backends[index] = { service = name_of(target), weight = target.weight }
    end
    out[#out + 1] = group
  end
  table.sort(out, function(a, b) return a.priority < b.priority end)
  return out
end

function virtual_router.groups(object)
  return appmesh_groups(object, "httpRoute", function(target) return short(target.virtualNodeRef.name) end)
end

local virtual_service = { name = "appmesh", api_version = "appmesh.k8s.aws/v1beta1", kind = "VirtualService" }

--- Only the older version's VirtualServices carry routes; they are named `<apex>.<namespace>`.
function virtual_service.find(api, namespace, apex)
  local object = api:peek({ apiVersion = virtual_service.api_version, kind = "VirtualService", namespace = namespace,
    name = apex .. "." .. namespace })
  return object and object.spec.routes and object or nil
end

function virtual_service.groups(object)
  return appmesh_groups(object, "http", function(target) return target.virtualNodeName end)
end

more_routes.readers = { route_table, apisix_route, traffic_route, virtual_router, virtual_service }

return more_routes
