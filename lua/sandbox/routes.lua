--- Where a request to an apex goes: one reader per kind of route object, as its data path would read it.
--
-- reader.find(api, namespace, apex) -> object | nil      the route object that governs the apex
-- reader.groups(object, apex)       -> { group, ... }    in the order they are tried
--   group = { match = function(request) -> bool | nil for all, backends = { { service =, weight = } },
--             mirrors = { { service =, share = } } }
-- A request is { host =, path = "/", method = "GET", headers = { [lower-case name] = value } }.

local compare = require("sandbox.compare")
local gateway_routes = require("sandbox.gateway_routes")
local haproxy_routes = require("sandbox.haproxy_routes")
local json = require("json")
local more_routes = require("sandbox.more_routes")
local regex = require("sandbox.regex")
local util_list = require("util.list")

local routes = {}

--- { exact = "x" } and the like against a value.
local function holds(matcher, value)
  local kind, wanted = next(matcher)
  if kind == nil then return value ~= nil end
  return compare(kind, wanted, value)
end

local function any(list, test)
  if not list or #list == 0 then return nil end
  return function(request)
    for _, item in ipairs(list) do
      if test(item, request) then return true end
    end
    return false
  end
end

local function named(api_version, kind)
  return function(api, namespace, apex)
    return api:peek({ apiVersion = api_version, kind = kind, namespace = namespace, name = apex })
  end
end

local function short(host)
  return (host:match("^[^.]+"))
end

-- The mesh whose VirtualService names hosts.
local function istio_match(item, request)
  for name, matcher in pairs(item.headers or {}) do
    if not holds(matcher, request.headers[name:lower()]) then return false end
  end
  if item.uri and not holds(item.uri, request.path) then return false end
  if item.method and not holds(item.method, request.method) then return false end
  return true
end

local virtual_service = { name = "istio", api_version = "networking.istio.io/v1", kind = "VirtualService" }

function virtual_service.find(api, namespace, apex)
  for _, object in ipairs(api:all(virtual_service.api_version, "VirtualService", namespace)) do
    for _, host in ipairs(object.spec.hosts or {}) do
      if host == apex or host == "*" or host:find(apex .. "." .. namespace, 1, true) == 1 then return object end
    end
  end
  return named(virtual_service.api_version, "VirtualService")(api, namespace, apex)
end

function virtual_service.groups(object)
  local out = {}
  for _, list in ipairs({ object.spec.http or {}, object.spec.tcp or {} }) do
    for _, route in ipairs(list) do
      local group = { match = any(route.match, istio_match), backends = {}, mirrors = {} }
      for index, to in ipairs(route.route or {}) do
        local weight = to.weight or #route.route == 1 and 100 or 0
        -- A lone destination gets everything, whatever its weight.
        if #route.route == 1 then weight = 100 end
        group.backends[index] = { service = short(to.destination.host), weight = weight }
      end
      if route.mirror then
        local percent = (route.mirrorPercentage or {}).value or 100
        group.mirrors[1] = { service = short(route.mirror.host), share = percent / 100 }
      end
      out[#out + 1] = group
    end
  end
  return out
end

local traefik_service = { name = "traefik", api_version = "traefik.io/v1alpha1", kind = "TraefikService",
  find = named("traefik.io/v1alpha1", "TraefikService") }

function traefik_service.groups(object)
  local group = { backends = {}, mirrors = {} }
  for index, service in ipairs((object.spec.weighted or {}).services or {}) do
    group.backends[index] = { service = service.name, weight = service.weight or 1 }
  end
  return { group }
end

local http_proxy = { name = "contour", api_version = "projectcontour.io/v1", kind = "HTTPProxy",
  find = named("projectcontour.io/v1", "HTTPProxy") }

local function contour_match(condition, request)
  if condition.prefix and not compare("prefix", condition.prefix, request.path) then return false end
  local header = condition.header
  if not header then return true end
  local value = request.headers[header.name:lower()]
  if header.exact then return value == header.exact end
  if header.contains then return compare("contains", header.contains, value) end
  return value ~= nil
end

function http_proxy.groups(object)
  local out = {}
  for _, route in ipairs(object.spec.routes or {}) do
    local conditions = route.conditions or {}
    local group = { backends = {}, mirrors = {} }
    function group.match(request)
      for _, condition in ipairs(conditions) do
        if not contour_match(condition, request) then return false end
      end
      return true
    end
    for _, service in ipairs(route.services or {}) do
      if service.mirror then
        group.mirrors[#group.mirrors + 1] = { service = service.name, share = 1 }
      else
        group.backends[#group.backends + 1] = { service = service.name, weight = service.weight or 0 }
      end
    end
    out[#out + 1] = group
  end
  return out
end

local traffic_split = { name = "smi", api_version = "split.smi-spec.io/v1alpha1", kind = "TrafficSplit" }

function traffic_split.find(api, namespace, apex)
  for _, object in ipairs(api:all(traffic_split.api_version, "TrafficSplit", namespace)) do
    if short(object.spec.service or object.metadata.name) == apex or object.metadata.name == apex then return object end
  end
end

function traffic_split.groups(object)
  local group = { backends = {}, mirrors = {} }
  for index, backend in ipairs(object.spec.backends or {}) do
    local weight = math.tointeger(tonumber(backend.weight)) or tonumber(backend.weight) or 0
    group.backends[index] = { service = backend.service, weight = weight }
  end
  return { group }
end

-- Ingress with a second, "canary" one beside it.
local ingress = { name = "nginx", api_version = "networking.k8s.io/v1", kind = "Ingress" }
local PREFIX = "nginx.ingress.kubernetes.io/canary"

local function backend_of(object, service)
  for _, rule in ipairs(object.spec.rules or {}) do
    for _, path in ipairs((rule.http or {}).paths or {}) do
      if (path.backend.service or {}).name == service then return true end
    end
  end
  return false
end

function ingress.find(api, namespace, apex)
  for _, object in ipairs(api:all("networking.k8s.io/v1", "Ingress", namespace)) do
    if backend_of(object, apex) then
      return api:peek({ apiVersion = "networking.k8s.io/v1", kind = "Ingress", namespace = namespace,
        name = object.metadata.name .. "-canary" }) or object
    end
  end
end

local function by_annotation(annotations)
  local header, cookie = annotations[PREFIX .. "-by-header"], annotations[PREFIX .. "-by-cookie"]
  if not header and not cookie then return nil end
  return function(request)
    local value = header and request.headers[header:lower()]
    local exact, pattern = annotations[PREFIX .. "-by-header-value"], annotations[PREFIX .. "-by-header-pattern"]
    if value and exact and value == exact then return true end
    if value and pattern and regex.matches(pattern, value) then return true end
    if value and not exact and not pattern and value == "always" then return true end
    return cookie ~= nil and (request.headers.cookie or ""):find(cookie .. "=always", 1, true) ~= nil
  end
end

--- A forward action of the user's own Ingress.
local function by_action(text)
  local group = { backends = {}, mirrors = {} }
  for index, target in ipairs((json.decode(text).forwardConfig or {}).targetGroups or {}) do
    group.backends[index] = { service = target.serviceName, weight = target.weight }
  end
  return { group }
end

function ingress.groups(object, apex)
  local annotations = object.metadata.annotations or {}
  local action = annotations["alb.ingress.kubernetes.io/actions." .. apex]
  if action then return by_action(action) end
  local weights, predicate = annotations["zalando.org/backend-weights"], annotations["zalando.org/skipper-predicate"]
  if weights and not (predicate or ""):find("False()", 1, true) then
    local group = { backends = {}, mirrors = {} }
    for service, weight in pairs(json.decode(weights) or {}) do
      group.backends[#group.backends + 1] = { service = service, weight = weight }
    end
    table.sort(group.backends, function(a, b) return a.service < b.service end)
    return { group }
  end
  if annotations[PREFIX] ~= "true" then return { { backends = { { service = apex, weight = 100 } }, mirrors = {} } } end
  local weight = math.tointeger(tonumber(annotations[PREFIX .. "-weight"] or "0")) or 0
  local total = math.tointeger(tonumber(annotations[PREFIX .. "-weight-total"] or "100")) or 100
  local canary, out, match = apex .. "-canary", {}, by_annotation(annotations)
  if match then out[1] = { match = match, backends = { { service = canary, weight = 100 } }, mirrors = {} } end
  out[#out + 1] = { backends = { { service = apex, weight = total - weight }, { service = canary, weight = weight } },
    mirrors = {} }
  return out
end

--- In the order they are asked.
routes.readers = util_list.join({ virtual_service }, gateway_routes.readers,
  { traefik_service, http_proxy, traffic_split },
  haproxy_routes.readers, { ingress }, more_routes.readers)

--- The route that governs `apex`: its object and its reader, or nil (a plain Service).
function routes.find(api, namespace, apex)
  for _, reader in ipairs(routes.readers) do
    local object = reader.find(api, namespace, apex)
    if object then return object, reader end
  end
end

--- The first group that takes the request.
function routes.choose(groups, request)
  for _, group in ipairs(groups) do
    if not group.match or group.match(request) then return group end
  end
end

return routes
