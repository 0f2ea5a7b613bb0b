--- Kong: an HTTPRoute named after the apex, held to what Kong's Ingress Controller (KIC) does with one.
--
-- Of all objects of KIC only the weights of an HTTPRoute's `backendRefs` divide requests: the endpoints of each Service
-- get their share of one upstream. An Ingress has one backend for each path, a KongServiceFacade stands for one
-- Service, a KongUpstreamPolicy has no weights, and the plugin `canary` is sold apart. As of KIC 3:
--   https://developer.konghq.com/kubernetes-ingress-controller/routing/weights
--   github.com/Kong/kubernetes-ingress-controller: FEATURE_GATES.md,
--   internal/dataplane/translator/subtranslator/httproute.go (RequestMirror is an error; filters of a backend, CORS and
--   `timeouts.request` are not read)

local gatewayapi = require("routers.gatewayapi")

local kong = {
  name = "kong",
  aliases = {},
  weighted = true,
  mirrors = false,
  matches = true,
  affinity = false,
  resolution = 1,
}

-- What KIC would refuse or pass over: the field as its user writes it, and where it is read.
local FIELDS = {
  { "spec.service.mirror", "service", "mirror" },
  { "spec.service.corsPolicy", "service", "cors_policy" },
  { "spec.service.timeout", "service", "timeout", "; backendTimeout is obeyed" },
  { "spec.analysis.sessionAffinity", "analysis", "session_affinity" },
}

local function is_given(value)
  return value ~= nil and value ~= "" and not (type(value) == "table" and next(value) == nil)
end

local function impossible(canary)
  for _, field in ipairs(FIELDS) do
    if is_given(canary[field[2]][field[3]]) then
      return ("%s: expected none with provider kong, whose controller does not obey it%s"):format(field[1],
        field[4] or "")
    end
  end
end

kong.reads = gatewayapi.reads

--- Makes the route exist; weights already live are kept.
function kong.prepare(canary, seen)
  local err = impossible(canary)
  if err then return nil, err end
  return gatewayapi.prepare(canary, seen)
end

kong.routes = gatewayapi.routes
kong.shift = gatewayapi.shift
kong.accepted = gatewayapi.accepted
kong.restore = gatewayapi.restore

return kong
