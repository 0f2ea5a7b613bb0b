--- StatefulSets as targets: the primary is a second StatefulSet with ordinals and claims of its own.
--
-- Why a copy: traffic can only be divided between two sets of pods that Services tell apart, and going back must not
-- depend on pods being started anew. Why claims of its own: a claim belongs to one ordinal of one StatefulSet, and two
-- revisions must not write to one volume. What both revisions have to share is a matter of the program itself.

local merge = require("util.merge")
local workload = require("targets.workload")

-- What the API server lets nobody change later and what the pods of both arms must have alike.
local FIXED = { "podManagementPolicy", "volumeClaimTemplates" }

local statefulset = workload.extend({
  kind = "StatefulSet",
  api_version = "apps/v1",
  resource = "statefulsets.apps",
  noun = "statefulset",
  -- `revisionHistoryLimit` is not among them: older API servers refuse to change it
  copied = { "minReadySeconds", "ordinals", "persistentVolumeClaimRetentionPolicy", "updateStrategy" },
  copied_once = { "podManagementPolicy", "revisionHistoryLimit", "volumeClaimTemplates" },
  counts = true,
  complete = function(spec, copy)
    spec.serviceName = copy.service
    for _, claim in ipairs(spec.volumeClaimTemplates or {}) do claim.status = nil end
  end,
})

--- `pods` is the headless Service that gives the primary's pods their names.
function statefulset.names(canary)
  local names = canary.names
  return { apex = names.apex, primary = names.primary, canary = names.canary,
    pods = canary.target.name .. "-primary-pods" }
end

local function found(object, field, expected, value)
  return ("statefulset %s.%s: %s: expected %s, found %s"):format(object.metadata.name, object.metadata.namespace,
    field, expected, tostring(value))
end

--- What its user can say of a claim template; the API server adds its status.
local function plain_claims(list)
  local out = {}
  for index, claim in ipairs(list or {}) do
    local metadata = claim.metadata
    out[index] = { name = metadata.name, labels = metadata.labels or {}, annotations = metadata.annotations or {},
      spec = claim.spec }
  end
  return out
end

local function plain(object, field)
  if field == "volumeClaimTemplates" then return plain_claims(object.spec[field]) end
  return object.spec[field]
end

--- nil, or how the target differs from its primary in what nobody can change.
local function apart(object, primary)
  for _, field in ipairs(FIXED) do
    if not merge.equal(plain(object, field), plain(primary, field)) then
      return ("statefulset %s.%s: spec.%s: expected that of %s, which cannot be changed, found another: delete %s " ..
        "with --cascade=orphan, and it is made again from the target, around its pods"):format(object.metadata.name,
        object.metadata.namespace, field, primary.metadata.name, primary.metadata.name)
    end
  end
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
  local retention = object.spec.persistentVolumeClaimRetentionPolicy or {}
  if retention.whenScaled == "Delete" and #(object.spec.volumeClaimTemplates or {}) > 0 then
    return found(object, "spec.persistentVolumeClaimRetentionPolicy.whenScaled",
      "Retain, as the target has no pods between releases", retention.whenScaled)
  end
  return primary and apart(object, primary) or nil
end

--- Whether the rollout is complete. `status.currentRevision` is not asked: it follows when all pods are available, so
--- that no threshold below 100% could be met, and says no more than `updatedReplicas` when they are.
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
