--- Deployments as targets: how to copy, promote, scale and judge them.
--
-- Pure: objects in, objects and patches out.

local clock_text = require("util.rfc3339")
local digest = require("digest")
local json = require("json")
local merge = require("util.merge")
local pods = require("targets.pods")

local deployment = {
  kind = "Deployment",
  api_version = "apps/v1",
  resource = "deployments.apps",
  noun = "deployment",
}

--- The first of the allowed labels that the selector has, and its value; or nil and a message.
function deployment.selector(object, labels)
  local has = object.spec and object.spec.selector and object.spec.selector.matchLabels or {}
  for _, label in ipairs(labels) do
    if has[label] then return label, has[label] end
  end
  return nil, ("deployment %s.%s spec.selector.matchLabels must contain one of [%s]"):format(
    object.metadata.name, object.metadata.namespace, table.concat(labels, " "))
end

--- A stable digest of what a revision is: the pod template as canonical JSON. The prefix tells it from
--- the hashes of other controllers.
function deployment.revision(object)
  return "s1-" .. digest.sha256(json.encode(object.spec.template)):sub(1, 16)
end

function deployment.references(object)
  return pods.references(object.spec.template.spec)
end

function deployment.ports(object, target_port)
  return pods.ports(object.spec.template.spec, target_port)
end

function deployment.port_names(object)
  return pods.port_names(object.spec.template.spec)
end

local function template_of(target, copy)
  return pods.primary_template(target.spec.template, copy)
end

--- The primary as it is first created.
--- @param copy table  see pods.primary_template; also `prefixes` = label prefixes to keep
function deployment.primary(target, copy)
  local spec, labels = target.spec, pods.with_prefix(target.metadata.labels, copy.prefixes)
  labels[copy.label] = copy.value
  return {
    apiVersion = "apps/v1",
    kind = "Deployment",
    metadata = {
      name = target.metadata.name .. "-primary",
      labels = labels,
      annotations = deployment.copied_annotations(target),
    },
    spec = {
      replicas = (spec.replicas or 1) > 0 and spec.replicas or 1,
      progressDeadlineSeconds = spec.progressDeadlineSeconds,
      minReadySeconds = spec.minReadySeconds,
      revisionHistoryLimit = spec.revisionHistoryLimit,
      strategy = merge.copy(spec.strategy),
      selector = { matchLabels = { [copy.label] = copy.value } },
      template = template_of(target, copy),
    },
  }
end

--- The target's annotations for the new primary, without what the Deployment controller keeps there.
function deployment.copied_annotations(target)
  local out = pods.without_flux(target.metadata.annotations)
  out["deployment.kubernetes.io/revision"] = nil
  out["kubectl.kubernetes.io/last-applied-configuration"] = nil
  return out
end

local function wanted_metadata(target, primary, copy)
  local labels = pods.with_prefix(target.metadata.labels, copy.prefixes)
  labels[copy.label] = copy.value
  local annotations = pods.with_prefix(target.metadata.annotations, copy.prefixes)
  local revision = (primary.metadata.annotations or {})["deployment.kubernetes.io/revision"]
  annotations["deployment.kubernetes.io/revision"] = revision
  return { labels = labels, annotations = annotations }
end

--- The merge patch that makes the primary run the target's revision, or nil when it does already.
--- @param keep_replicas boolean  an autoscaler owns the primary's replicas
function deployment.promotion(target, primary, copy, keep_replicas)
  local metadata, spec = wanted_metadata(target, primary, copy), {}
  for _, key in ipairs({ "progressDeadlineSeconds", "minReadySeconds", "revisionHistoryLimit", "strategy" }) do
    spec[key] = merge.copy(target.spec[key])
  end
  spec.template = template_of(target, copy)
  spec.replicas = primary.spec.replicas
  if not keep_replicas and (target.spec.replicas or 0) > 0 then spec.replicas = target.spec.replicas end
  local have = {
    metadata = { labels = primary.metadata.labels or {}, annotations = primary.metadata.annotations or {} },
    spec = {},
  }
  for key in pairs(spec) do have.spec[key] = primary.spec[key] end
  return merge.diff(have, { metadata = metadata, spec = spec })
end

--- True when the primary runs what the target's template says, whatever its flagger-id.
function deployment.same_revision(target, primary, copy)
  local have = merge.copy(primary.spec.template)
  local id = ((have.metadata or {}).annotations or {})["flagger-id"]
  local wanted = {}
  for key, value in pairs(copy) do wanted[key] = value end
  wanted.id = id
  return merge.equal(have, template_of(target, wanted))
end

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
  if (object.metadata.generation or 0) > (status.observedGeneration or 0) then
    return false, "waiting for rollout to finish: observed deployment generation less than desired generation", true
  end
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

function deployment.replicas(object)
  return object.spec.replicas or 1
end

--- The patch to `replicas` pods, or nil when it asks for as many already.
function deployment.scale(object, replicas)
  if object.spec.replicas == replicas then return nil end
  return { spec = { replicas = replicas } }
end

return deployment
