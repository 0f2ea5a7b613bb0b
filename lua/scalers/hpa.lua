--- HorizontalPodAutoscaler beside the target, and its copy for the primary.
--
-- Pure. The target's own HPA is never touched: with no replicas it idles.

local merge = require("util.merge")
local pods = require("targets.pods")

local hpa = { kind = "HorizontalPodAutoscaler", api_version = "autoscaling/v2" }

local function spec_of(canary, object)
  local out, scaler = merge.copy(object.spec), canary.scaler
  out.scaleTargetRef.name = canary.target.name .. "-primary"
  out.minReplicas = scaler.min_replicas or out.minReplicas or 1
  out.maxReplicas = scaler.max_replicas or out.maxReplicas
  return out
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
  return merge.diff({ spec = primary.spec }, { spec = spec_of(canary, object) })
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
