--- The HorizontalPodAutoscaler controller: keeps the target between its bounds; follows load where a scenario
--- gives one.

local json = require("json")
local merge = require("util.merge")

local autoscaler = {}

local NO_METRICS = "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get " ..
  "metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the " ..
  "requested resource (get pods.metrics.k8s.io)"

local function condition(conditions, kind, status, reason, message, now)
  local at = #conditions + 1
  local since = now
  for index, old in ipairs(conditions) do
    if old.type == kind then
      at = index
      if old.status == status then since = old.lastTransitionTime end
    end
  end
  conditions[at] = { type = kind, status = status, lastTransitionTime = since, reason = reason, message = message }
end

local function clamp(value, low, high)
  return math.max(low, math.min(high, value))
end

local function target_of(api, object)
  local ref = object.spec.scaleTargetRef
  return api:peek({ apiVersion = ref.apiVersion or "apps/v1", kind = ref.kind, name = ref.name,
    namespace = object.metadata.namespace })
end

--- How many pods are wanted. `load(namespace, name)` is the demand in pods, or nil when nothing is measured.
local function desired(object, target, load)
  local current = target.spec.replicas or 1
  local demand = load and load(object.metadata.namespace, target.metadata.name)
  local wanted = demand and math.ceil(demand) or current
  return clamp(wanted, object.spec.minReplicas or 1, object.spec.maxReplicas), demand ~= nil
end

local function report(object, target, wanted, measured, now)
  local status = merge.copy(object.status or {})
  local conditions = status.conditions or json.array()
  local current = target.spec.replicas or 1
  status.currentReplicas, status.currentMetrics = current > 0 and current or nil, json.null
  condition(conditions, "AbleToScale", "True", "SucceededGetScale",
    "the HPA controller was able to get the target's current scale", now)
  if current == 0 then
    condition(conditions, "ScalingActive", "False", "ScalingDisabled",
      "scaling is disabled since the replica count of the target is zero", now)
  elseif wanted ~= current then
    status.desiredReplicas, status.lastScaleTime = wanted, now
    condition(conditions, "AbleToScale", "True", "SucceededRescale",
      ("the HPA controller was able to update the target scale to %d"):format(wanted), now)
  elseif measured then
    status.desiredReplicas = wanted
    condition(conditions, "ScalingActive", "True", "ValidMetricFound",
      "the HPA was able to successfully calculate a replica count", now)
  else
    condition(conditions, "ScalingActive", "False", "FailedGetResourceMetric", NO_METRICS, now)
  end
  status.conditions = conditions
  return status
end

local function sync(world, object)
  local api = world.api
  local target = target_of(api, object)
  if not target then return end
  local wanted, measured = desired(object, target, world.load)
  local current = target.spec.replicas or 1
  api:set_status(object, report(object, target, wanted, measured, api:time()))
  if current > 0 and wanted ~= current then
    api:patch({ apiVersion = target.apiVersion, kind = target.kind, name = target.metadata.name,
      namespace = target.metadata.namespace }, { spec = { replicas = wanted } })
  end
end

--- Follows every autoscaler of `world`: `period` seconds after it or the scale of its target has changed, and
--- all the time while world.load tells the demand.
function autoscaler.attach(world, period)
  local planned = {}
  local api = world.api
  local plan
  local function look(namespace, name)
    planned[namespace .. "/" .. name] = nil
    local object = api:peek({ apiVersion = "autoscaling/v2", kind = "HorizontalPodAutoscaler", namespace = namespace,
      name = name })
    if not object then return end
    sync(world, object)
    if world.load then plan(object) end
  end
  function plan(object)
    local namespace, name = object.metadata.namespace, object.metadata.name
    local key = namespace .. "/" .. name
    if planned[key] then return end
    planned[key] = true
    world:at(world.now + period, function() look(namespace, name) end)
  end
  api.store:subscribe(function(event)
    local object, old = event.object, event.old
    if event.type == "DELETED" then return end
    if event.entry.kind == "HorizontalPodAutoscaler" then
      if not old or not merge.equal(old.spec, object.spec) then plan(object) end
    elseif event.entry.group == "apps" and (not old or old.spec.replicas ~= object.spec.replicas) then
      for _, scaler in ipairs(api:all("autoscaling/v2", "HorizontalPodAutoscaler", object.metadata.namespace)) do
        local ref = scaler.spec.scaleTargetRef
        if ref.name == object.metadata.name and ref.kind == event.entry.kind then plan(scaler) end
      end
    end
  end)
end

return autoscaler
