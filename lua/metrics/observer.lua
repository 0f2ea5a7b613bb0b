--- Which builtin queries serve a canary, and what they are filled with.

local observer = {}

-- spec.provider -> file in queries/
local EXACT = {
  linkerd = "linkerd", istio = "istio", contour = "contour", nginx = "nginx", kubernetes = "http", skipper = "skipper",
  replicas = "http", traefik = "traefik", osm = "osm", kuma = "kuma", haproxy = "haproxy", apisix = "apisix",
  knative = "knative",
}
local PREFIXES = { { "appmesh", "appmesh" }, { "gloo", "gloo" }, { "gatewayapi", "http" } }
local OTHERS = "istio" -- COMPAT: any provider without queries of its own

-- What follows the target's name in the names of the canary's pods. The primary's pods (`target-primary-...`)
-- must not match.
local PODS = { DaemonSet = "[0-9a-zA-Z]+", StatefulSet = "[0-9]+" }
local DEPLOYMENT_PODS = "[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"

--- Kong tells the arms apart where each has rules of its own; else the pods are asked.
local function of_kong(canary)
  return canary.strategy == "ab-testing" and "kong" or "http"
end

local function file_of(provider, canary)
  if canary.service.route_kind == "GRPCRoute" and provider:find("^gatewayapi") then return "grpc" end
  if provider == "kong" then return of_kong(canary) end
  if EXACT[provider] then return EXACT[provider] end
  for _, pair in ipairs(PREFIXES) do
    if provider:sub(1, #pair[1]) == pair[1] then return pair[2] end
  end
  return OTHERS
end

local function is_knative(target)
  return target.kind == "Service" and target.api_version == "serving.knative.dev/v1"
end

--- The queries of a canary: { success_rate, duration, duration_unit, ... }, and the provider as Flagger's
--- messages call it.
function observer.of(canary, settings)
  local default = settings.mesh_provider or ""
  local provider = canary.provider
  if default:find("linkerd", 1, true) then
    provider = "linkerd"
  elseif provider == default and default:find("crossover", 1, true) then
    provider = "crossover"
  end
  local queries = require("metrics.queries." .. file_of(provider, canary))
  -- COMPAT: the suffix is in the messages; unlike there it does not change the queries
  local service = canary.target.kind == "Service" and not is_knative(canary.target)
  return queries, service and provider .. ":service" or provider
end

--- The query for all requests of the canary in a second: what stands below the line of its success rate.
function observer.requests(queries)
  return queries.success_rate:match("\n/\n(.+)\n%* 100$")
end

--- The functions of a user's template: Flagger's names.
--- @param metric table  an entry of analysis.metrics
function observer.model(canary, metric, interval)
  local name = canary.target.name
  return {
    name = canary.name,
    namespace = canary.namespace,
    target = name,
    service = canary.names.apex,
    ingress = canary.ingress and canary.ingress.name or name,
    route = canary.revision_name or (canary.route and canary.route.name) or name,
    interval = interval,
    variables = metric.templateVariables or {},
  }
end

local function escaped(value) return (value:gsub('[\\"\n]', { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" })) end
local function underscored(value) return (value:gsub("[^%w_]", "_")) end

local NAMES = { "name", "namespace", "target", "service", "ingress", "route" }

--- The functions of the builtin queries: the same, fit to stand inside quotes, and two more.
--- @param queries table  what observer.of gave
function observer.builtin_model(canary, metric, interval, queries)
  local model = observer.model(canary, metric, interval)
  local fit = queries.underscores and underscored or escaped
  for _, name in ipairs(NAMES) do model[name] = fit(model[name]) end
  model.pods = PODS[canary.target.kind] or DEPLOYMENT_PODS
  model.kind = PODS[canary.target.kind] and canary.target.kind or "Deployment"
  return model
end

return observer
