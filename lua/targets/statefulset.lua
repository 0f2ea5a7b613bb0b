--- StatefulSets as targets: the primary is a second StatefulSet with ordinals and claims of its own.
--
-- Why a copy: traffic can only be divided between two sets of pods that Services tell apart, and going back must not
-- depend on pods being started anew. Why claims of its own: a claim belongs to one ordinal of one StatefulSet, and two
-- revisions must not write to one volume. What both revisions have to share is a matter of the program itself.

local merge = require("util.merge")
local workload = require("targets.workload")

-- what the API server lets nobody change later
local FIXED = { "podManagementPolicy", "volumeClaimTemplates" }

local statefulset = workload.extend({
  kind = "StatefulSet",
  api_version = "apps/v1",
  resource = "statefulsets.apps",
  noun = "statefulset",
  copied = { "minReadySeconds", "ordinals", "persistentVolumeClaimRetentionPolicy", "revisionHistoryLimit",
    "updateStrategy" },
  copied_once = FIXED,
  counts = true,
  complete = function(spec, copy)
    spec.serviceName = copy.service
    for _, claim in ipairs(spec.volumeClaimTemplates or {}) do claim.status = nil end
  end,
})

local function found(object, field, expected, value)
  return ("statefulset %s.%s: %s: expected %s, found %s"):format(object.metadata.name, object.metadata.namespace,
    field, expected, tostring(value))
end

--- What two claim templates have to say alike; the API server fills in the rest.
local function plain_claims(list)
  local out = {}
  for index, claim in ipairs(list or {}) do
    out[index] = { name = claim.metadata.name, modes = claim.spec.accessModes, size = claim.spec.resources,
      class = claim.spec.storageClassName }
  end
  return out
end

--- nil, or what keeps this object from being a target, beside the primary that there is already.
--- @param primary table?
function statefulset.check(object, primary)
  local strategy = object.spec.updateStrategy or {}
  if strategy.type ~= nil and strategy.type ~= "RollingUpdate" then
    return found(object, "spec.updateStrategy.type", "RollingUpdate", strategy.type)
  end
  local partition = (strategy.rollingUpdate or {}).partition or 0
  if partition > 0 then
    return found(object, "spec.updateStrategy.rollingUpdate.partition", "0, so that all pods get the revision",
      partition)
  end
  if primary and not merge.equal(plain_claims(object.spec.volumeClaimTemplates),
    plain_claims(primary.spec.volumeClaimTemplates)) then
    return ("statefulset %s.%s: spec.volumeClaimTemplates: expected those of %s, which cannot be changed: " ..
      "delete that StatefulSet to have it made again"):format(object.metadata.name, object.metadata.namespace,
      primary.metadata.name)
  end
end

--- Whether the rollout is complete.
--- @param rule table  { deadline, threshold = percent, since, now } as workload.waiting
--- @return boolean ready, string? message, boolean? retriable
function statefulset.ready(object, rule)
  local unseen = workload.unseen(statefulset, object)
  if unseen then return false, unseen, true end
  local status, wanted = object.status or {}, object.spec.replicas or 1
  local updated, available = status.updatedReplicas or 0, statefulset.available(object)
  if updated < wanted then
    return workload.waiting(statefulset, object, rule,
      ("waiting for rollout to finish: %d out of %d new replicas have been updated"):format(updated, wanted))
  end
  if (status.replicas or 0) > wanted then
    return workload.waiting(statefulset, object, rule,
      ("waiting for rollout to finish: %d replicas are pending termination"):format(status.replicas - wanted))
  end
  local need = wanted * rule.threshold // 100
  if available < need then
    return workload.waiting(statefulset, object, rule,
      ("waiting for rollout to finish: %d of %d (readyThreshold %d%%) updated replicas are available"):format(
        available, need, rule.threshold))
  end
  return true
end

--- Pods that can take requests now.
function statefulset.available(object)
  return (object.status or {}).availableReplicas or 0
end

--- Its status has no times.
function statefulset.changed_at() return nil end

return statefulset
