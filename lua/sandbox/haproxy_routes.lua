--- The reader of the Service by which HAProxy's controller sends some requests elsewhere, see routes.lua.

local compare = require("sandbox.compare")

local haproxy_routes = {}

local ACL = "haproxy.org/route-acl"
local METHODS = { str = "exact", beg = "prefix", ["end"] = "suffix", reg = "regex" }

local function is_led_to(api, namespace, name)
  for _, ingress in ipairs(api:all("networking.k8s.io/v1", "Ingress", namespace)) do
    for _, rule in ipairs(ingress.spec.rules or {}) do
      for _, path in ipairs((rule.http or {}).paths or {}) do
        if (path.backend.service or {}).name == name then return true end
      end
    end
  end
  return false
end

local service = { name = "haproxy", api_version = "v1", kind = "Service" }

function service.find(api, namespace, apex)
  local object = api:peek({ apiVersion = "v1", kind = "Service", namespace = namespace, name = apex .. "-canary" })
  local acl = object and (object.metadata.annotations or {})[ACL]
  return acl and is_led_to(api, namespace, apex .. "-canary") and object or nil
end

function service.groups(object, apex)
  local acl, canary = object.metadata.annotations[ACL], object.metadata.name
  local total, weight = acl:match("^rand%((%d+)%) lt (%d+)$")
  total, weight = math.tointeger(tonumber(total)), math.tointeger(tonumber(weight))
  if weight then
    return { { mirrors = {}, backends = { { service = apex, weight = total - weight },
      { service = canary, weight = weight } } } }
  end
  local rest = { backends = { { service = apex, weight = 100 } }, mirrors = {} }
  local header, method, value = acl:match("^req%.fhdr%((.-)%) %-m (%a+) %-%- (.*)$")
  if not header then return { rest } end
  local function match(request)
    local have = request.headers[header:lower()]
    return have ~= nil and compare(METHODS[method], value, have)
  end
  return { { match = match, backends = { { service = canary, weight = 100 } }, mirrors = {} }, rest }
end

haproxy_routes.readers = { service }

return haproxy_routes
