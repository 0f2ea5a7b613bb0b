--- DaemonSets as targets. One is scaled to nothing by a node selector that no node has.

local merge = require("util.merge")
local json = require("json")
local workload = require("targets.workload")

local NOWHERE = "flagger.app/scale-to-zero"

--- The template of a revision: where it is kept from running is no part of it.
local function template(target)
  local out = merge.copy(target.spec.template)
  local selector = out.spec.nodeSelector
  if selector then
    selector[NOWHERE] = nil
    if next(selector) == nil then out.spec.nodeSelector = nil end
  end
  return out
end

local daemonset = workload.extend({
  kind = "DaemonSet",
  api_version = "apps/v1",
  resource = "daemonsets.apps",
  noun = "daemonset",
  copied = { "minReadySeconds", "revisionHistoryLimit", "updateStrategy" },
  counter = "deprecated.daemonset.template.generation",
  template = template,
})

--- nil, or what keeps this object from being a target. Pods that are only replaced when somebody deletes them never
--- tell that a rollout is complete.
function daemonset.check(object)
  local strategy = (object.spec.updateStrategy or {}).type
  if strategy == nil or strategy == "RollingUpdate" then return nil end
  return ("daemonset %s.%s: spec.updateStrategy.type: expected RollingUpdate, found %s"):format(
    object.metadata.name, object.metadata.namespace, tostring(strategy))
end

--- Whether the rollout is complete.
--- @param rule table  { deadline, threshold = percent, since, now } as workload.waiting
--- @return boolean ready, string? message, boolean? retriable
function daemonset.ready(object, rule)
  local unseen = workload.unseen(daemonset, object)
  if unseen then return false, unseen, true end
  local status = object.status or {}
  local desired, updated = status.desiredNumberScheduled or 0, status.updatedNumberScheduled or 0
  if updated < desired then
    return workload.waiting(daemonset, object, rule,
      ("waiting for rollout to finish: %d out of %d new pods have been updated"):format(updated, desired))
  end
  local need = desired * rule.threshold // 100
  if daemonset.available(object) < need then
    return workload.waiting(daemonset, object, rule,
      ("waiting for rollout to finish: %d of %d updated pods are available"):format(daemonset.available(object), need))
  end
  return true
end

--- Pods that can take requests now.
function daemonset.available(object)
  return (object.status or {}).numberAvailable or 0
end

--- Its status has no times.
function daemonset.changed_at() return nil end

--- How many pods are asked for: 0, or as many as there are nodes for it (1 before that is known).
function daemonset.replicas(object)
  if (object.spec.template.spec.nodeSelector or {})[NOWHERE] then return 0 end
  return math.max(1, (object.status or {}).desiredNumberScheduled or 1)
end

--- The patch that keeps it from all nodes (for 0 replicas) or lets it run, or nil when nothing is to be done.
function daemonset.scale(object, replicas)
  local away = (object.spec.template.spec.nodeSelector or {})[NOWHERE] ~= nil
  if away == (replicas == 0) then return nil end
  return { spec = { template = { spec = { nodeSelector = { [NOWHERE] = replicas == 0 and "true" or json.null } } } } }
end

return daemonset
