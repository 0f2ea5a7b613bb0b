--- The kinds of routes of Gateway API: what a rule of each is made of, and what it cannot say.
--
-- A form is { kind, version, hostnames = bool, fields = set of a rule's fields that are ours,
--   service(canary), analysis(canary) -> matches | nil, message; nil alone where the kind has none,
--   filters(canary) -> list, timeouts(canary) -> table | nil }

local filters = require("routing.gateway_filters")
local grpc = require("routing.gateway_grpc")
local json = require("json")
local list = require("util.list")
local match = require("routing.gateway_match")
local object = require("util.object")

local kinds = {}

--- The API version has timeouts and CORS.
function kinds.newest(canary)
  return not canary.provider:find("v1beta1", 1, true)
end

local function timeouts(canary)
  local service = canary.service
  local function some(text) return text ~= "" and text or nil end
  return object.some({ request = some(service.timeout), backendRequest = some(service.backend_timeout) })
end

local function nothing() return nil end

local HTTP = {
  kind = "HTTPRoute", version = "v1", hostnames = true,
  fields = list.set({ "matches", "filters", "backendRefs", "timeouts" }),
  service = match.service, analysis = match.analysis,
  filters = function(canary) return filters.of(canary, true) end,
  timeouts = timeouts,
}

local OLD_HTTP = {
  kind = "HTTPRoute", version = "v1beta1", hostnames = true,
  fields = list.set({ "matches", "filters", "backendRefs" }),
  service = match.service, analysis = match.analysis,
  filters = function(canary) return filters.of(canary, false) end,
  timeouts = nothing,
}

local BY_KIND = {
  GRPCRoute = {
    kind = "GRPCRoute", version = "v1", hostnames = true,
    fields = list.set({ "matches", "filters", "backendRefs" }),
    service = grpc.service, analysis = grpc.analysis,
    filters = function(canary) return filters.of(canary, false) end,
    timeouts = nothing,
  },
  TCPRoute = {
    kind = "TCPRoute", version = "v1", hostnames = false,
    fields = list.set({ "backendRefs" }),
    service = nothing, analysis = nothing, timeouts = nothing,
    filters = function() return json.array() end,
  },
}

-- Before Gateway API 1.6 this version alone was served.
local OLD_TCP = object.merged(BY_KIND.TCPRoute, { version = "v1alpha2" })

local function is_old_tcp(canary)
  return canary.provider:find("v1alpha2", 1, true) ~= nil
end

--- The form of the Canary's route.
function kinds.of(canary)
  if is_old_tcp(canary) then return OLD_TCP end
  return BY_KIND[canary.service.route_kind] or (kinds.newest(canary) and HTTP or OLD_HTTP)
end

-- Where a field is read, as the Canary's user writes it; and the kinds that have no place for it.
local FIELDS = {
  { "spec.service.rewrite", "service", "rewrite", "GRPCRoute TCPRoute" },
  { "spec.service.corsPolicy", "service", "cors_policy", "GRPCRoute TCPRoute" },
  { "spec.service.timeout", "service", "timeout", "GRPCRoute TCPRoute" },
  { "spec.service.backendTimeout", "service", "backend_timeout", "GRPCRoute TCPRoute" },
  { "spec.analysis.sessionAffinity", "analysis", "session_affinity", "GRPCRoute TCPRoute" },
  { "spec.service.hosts", "service", "hosts", "TCPRoute" },
  { "spec.service.match", "service", "match", "TCPRoute" },
  { "spec.service.headers", "service", "headers", "TCPRoute" },
  { "spec.service.mirror", "service", "mirror", "TCPRoute" },
  { "spec.analysis.match", "analysis", "match", "TCPRoute" },
  { "spec.analysis.mirror", "analysis", "mirror", "TCPRoute" },
}

local function is_given(value)
  return value ~= nil and value ~= false and value ~= "" and not (type(value) == "table" and next(value) == nil)
end

--- A message about the first of `fields`, each { path, part of the view, its key }, that this canary gives although
--- `what` has no place for it, or nil.
function kinds.misplaced(canary, fields, what)
  for _, field in ipairs(fields) do
    if is_given(canary[field[2]][field[3]]) then
      return ("%s: expected none for %s, which has no place for it"):format(field[1], what)
    end
  end
end

--- What this canary asks for that its kind of route has no place for, or nil.
function kinds.impossible(canary)
  local kind = canary.service.route_kind
  if is_old_tcp(canary) and kind ~= "TCPRoute" then
    return ("spec.service.routeKind: expected TCPRoute with provider %s, found %s"):format(canary.provider,
      kind or "none")
  end
  if not BY_KIND[kind] then return nil end
  if not kinds.newest(canary) then
    return ("spec.service.routeKind: expected HTTPRoute with provider %s, found %s"):format(canary.provider, kind)
  end
  local fields = list.filter(FIELDS, function(field) return field[4]:find(kind, 1, true) ~= nil end)
  return kinds.misplaced(canary, fields, "a " .. kind)
end

return kinds
