--- HorizontalPodAutoscaler beside the target, and its copy for the primary.
--
-- Pure. The target's own HPA is never touched: with no replicas it idles.

local merge = require("util.merge")
local pods = require("targets.pods")

local hpa = { kind = "HorizontalPodAutoscaler", api_version = "autoscaling/v2" }

local function spec_of(canary, object)
  local scaler, spec = canary.scaler, object.spec
  local ref = spec.scaleTargetRef or {}
  return {
    scaleTargetRef = { apiVersion = ref.apiVersion, kind = ref.kind, name = canary.target.name .. "-primary" },
    minReplicas = scaler.min_replicas or spec.minReplicas,
    maxReplicas = scaler.max_replicas or spec.maxReplicas,
    metrics = merge.copy(spec.metrics),
    behavior = merge.copy(spec.behavior),
  }
end

--- The HPA of the primary as it is first created.
function hpa.primary(canary, object)
  return {
    apiVersion = hpa.api_version,
    kind = hpa.kind,
    metadata = { name = canary.scaler.name .. "-primary", labels = pods.without_flux(object.metadata.labels) },
    spec = spec_of(canary, object),
  }
end

--- The patch that brings the primary's HPA up to date, or nil.
function hpa.repair(canary, object, primary)
  local want, have = spec_of(canary, object), {}
  for key in pairs(want) do have[key] = primary.spec[key] end
  return merge.diff({ spec = have }, { spec = want })
end

--- The most pods it makes.
function hpa.maximum(object)
  return object.spec.maxReplicas
end

--- The fewest pods it keeps.
function hpa.minimum(object)
  return object.spec.minReplicas or 1
end

return hpa
