--- Deployments as targets: how to judge them. How they are copied, promoted and scaled is in targets/workload.lua.

local clock_text = require("util.rfc3339")
local workload = require("targets.workload")

local deployment = workload.extend({
  kind = "Deployment",
  api_version = "apps/v1",
  resource = "deployments.apps",
  noun = "deployment",
  copied = { "progressDeadlineSeconds", "minReadySeconds", "revisionHistoryLimit", "strategy" },
  counts = true,
  counter = "deployment.kubernetes.io/revision",
})

--- Deadline rules of the Deployment controller's conditions, as state-machine §7.
local function condition(object, kind)
  for _, item in ipairs(object.status and object.status.conditions or {}) do
    if item.type == kind then return item end
  end
end

local function within_deadline(object, deadline, now)
  local progressing, available = condition(object, "Progressing"), condition(object, "Available")
  if not progressing or not available then return true end
  if available.status ~= "False" or available.reason ~= "MinimumReplicasUnavailable" then return true end
  local since = clock_text.parse(available.lastUpdateTime)
  return since == nil or now <= since + deadline
end

--- Whether the rollout is complete.
--- @param rule table  { deadline = seconds, threshold = percent, now = seconds }
--- @return boolean ready, string? message, boolean? retriable
function deployment.ready(object, rule)
  local status, spec = object.status or {}, object.spec
  local unseen = workload.unseen(deployment, object)
  if unseen then return false, unseen, true end
  local retriable = within_deadline(object, rule.deadline, rule.now)
  local progressing = condition(object, "Progressing")
  if progressing and progressing.reason == "ProgressDeadlineExceeded" then
    return false, ('deployment "%s" exceeded its progress deadline'):format(object.metadata.name), false
  end
  local updated, replicas = status.updatedReplicas or 0, status.replicas or 0
  local available = status.availableReplicas or 0
  local need = updated * rule.threshold // 100
  if spec.replicas and updated < spec.replicas then
    return false, ("waiting for rollout to finish: %d out of %d new replicas have been updated"):format(
      updated, spec.replicas), retriable
  end
  if replicas > updated then
    return false, ("waiting for rollout to finish: %d old replicas are pending termination"):format(
      replicas - updated), retriable
  end
  if available < need then
    return false, ("waiting for rollout to finish: %d of %d (readyThreshold %d%%) updated replicas are available")
      :format(available, need, rule.threshold), retriable
  end
  return true
end

--- Pods that can take requests now.
function deployment.available(object)
  return object.status and object.status.availableReplicas or 0
end

--- When the newest condition changed, in seconds; 0 when there is none. Readiness newer than a proxy's
--- view of it is not relied upon.
function deployment.changed_at(object)
  local newest = 0
  for _, item in ipairs(object.status and object.status.conditions or {}) do
    newest = math.max(newest, clock_text.parse(item.lastUpdateTime) or 0)
  end
  return newest
end

return deployment
