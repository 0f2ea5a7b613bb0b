--- The readers of the routes of Gateway API, see routes.lua.

local compare = require("sandbox.compare")

local gateway_routes = {}

local GROUP = "gateway.networking.k8s.io"
local TYPES = { RegularExpression = "regex", Exact = "exact", PathPrefix = "prefix" }

local function headers_hold(item, request)
  for _, header in ipairs(item.headers or {}) do
    local kind = TYPES[header.type] or "exact"
    if not compare(kind, header.value, request.headers[header.name:lower()]) then return false end
  end
  return true
end

local function http_match(item, request)
  if item.path and not compare(TYPES[item.path.type], item.path.value, request.path) then return false end
  if item.method and item.method ~= request.method then return false end
  return headers_hold(item, request) and #(item.queryParams or {}) == 0
end

--- A call is a request to /<service>/<method>.
local function grpc_match(item, request)
  local service, method = request.path:match("^/([^/]*)/?(.*)$")
  local wanted = item.method or {}
  if wanted.service and wanted.service ~= service then return false end
  if wanted.method and wanted.method ~= method then return false end
  return headers_hold(item, request)
end

local function any(matches, test)
  if not matches or #matches == 0 then return nil end
  return function(request)
    for _, item in ipairs(matches) do
      if test(item, request) then return true end
    end
    return false
  end
end

local function specificity(rule)
  local most = 0
  for _, match in ipairs(rule.matches or {}) do most = math.max(most, #(match.headers or {})) end
  return most
end

local function group_of(rule, at, test)
  local group = { match = any(rule.matches, test), backends = {}, mirrors = {}, at = at, specific = specificity(rule) }
  for index, ref in ipairs(rule.backendRefs or {}) do
    group.backends[index] = { service = ref.name, weight = ref.weight or 1 }
  end
  for _, filter in ipairs(rule.filters or {}) do
    local mirror = filter.requestMirror
    if mirror then group.mirrors[#group.mirrors + 1] = { service = mirror.backendRef.name, share = 1 } end
  end
  return group
end

local function reader(version, kind, test)
  local self = { name = "gatewayapi", api_version = GROUP .. "/" .. version, kind = kind }

  function self.find(api, namespace, apex)
    return api:peek({ apiVersion = self.api_version, kind = kind, namespace = namespace, name = apex })
  end

  function self.groups(object)
    local out = {}
    for at, rule in ipairs(object.spec.rules or {}) do out[at] = group_of(rule, at, test) end
    table.sort(out, function(a, b)
      if a.specific ~= b.specific then return a.specific > b.specific end
      return a.at < b.at
    end)
    return out
  end

  return self
end

gateway_routes.readers = {
  reader("v1", "HTTPRoute", http_match),
  reader("v1", "GRPCRoute", grpc_match),
  reader("v1", "TCPRoute"),
}

return gateway_routes
