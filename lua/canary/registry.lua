--- Which file serves which provider, target kind or scaler kind; the folders are the lists.

local files = require("util.registry")
local nearest = require("util.nearest")
local notify = require("canary.notify")

local registry = {}

-- kind -> module; a target is recognised by its kind, those of other API groups by group and kind
local targets = {
  DaemonSet = "targets.daemonset", Deployment = "targets.deployment", Service = "targets.service",
  StatefulSet = "targets.statefulset", ["serving.knative.dev/Service"] = "targets.knative",
}
local scalers = { HorizontalPodAutoscaler = "scalers.hpa", ScaledObject = "scalers.keda" }

local function names(map)
  local out = {}
  for name in pairs(map) do out[#out + 1] = name end
  table.sort(out)
  return table.concat(out, ", ")
end

function registry.target_kinds() return names(targets) end
function registry.scaler_kinds() return names(scalers) end

--- The target module for a reference, or nil.
function registry.target(ref)
  local group = (ref.api_version or ""):match("^(serving%.knative%.dev)/")
  local module = targets[group and group .. "/" .. ref.kind or ref.kind]
  return module and require(module)
end

--- True when a provider works on targets of its own kind alone.
function registry.needs_target(provider)
  for _, module in pairs(targets) do
    if require(module).provider == provider then return true end
  end
  return false
end

--- The scaler module for a reference, or nil.
function registry.scaler(ref)
  return scalers[ref.kind] and require(scalers[ref.kind])
end

-- The values of Flagger's CRD and our own; a hint is given from those that a file here serves.
local PROVIDERS = { "alb", "apisix", "appmesh", "appmesh:v1beta2", "contour", "gatewayapi:v1", "gatewayapi:v1beta1",
  "gloo", "haproxy", "istio", "knative", "kong", "kubernetes", "kuma", "linkerd", "nginx", "osm", "replicas", "skipper",
  "smi:v1alpha1", "smi:v1alpha2", "smi:v1alpha3", "traefik" }

local function known_providers()
  local out = {}
  for _, name in ipairs(PROVIDERS) do
    if files.find("routers", name) then out[name] = true end
  end
  return out
end

--- The router of a canary's provider, or nil and a sentence with the nearest known name. A provider with several kinds
--- of routes says itself which router makes the one that this canary asks for.
--- @param also table?  further names that would do
function registry.router(canary, also)
  local provider = canary.provider
  local router = files.find("routers", provider)
  if router then return router.of and router.of(canary) or router end
  local known = known_providers()
  for _, name in ipairs(also or {}) do known[name] = true end
  local close = nearest.of(provider, known)
  return nil, ("expected one of %s, found %s%s"):format(names(known), provider,
    close and (" (did you mean %s?)"):format(close) or "")
end

local function told(ctx, message)
  if ctx.status.phase == "Progressing" then notify.once(ctx, "Warning", message) end
end

--- COMPAT: a provider without routes of its own does blue/green only; what it cannot do is dropped, in words.
function registry.nominal(ctx)
  local canary = ctx.canary
  if #canary.analysis.match > 0 then
    told(ctx, ("A/B testing is not supported when using the %s provider"):format(canary.provider))
    canary.analysis.match = {}
  end
  if canary.analysis.iterations < 1 and not canary.skip_analysis then
    told(ctx, ("Progressive traffic is not supported when using the %s provider"):format(canary.provider))
    told(ctx, "Setting canaryAnalysis.iterations: 10")
    canary.analysis.iterations = 10
  end
  canary.strategy = "blue-green"
end

return registry
