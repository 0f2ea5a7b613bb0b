--- What targets made of pods share: the selector label, the revision, the primary as a copy, and its promotion.
--
-- Pure: objects in, objects and patches out.

local digest = require("digest")
local json = require("json")
local merge = require("util.merge")
local pods = require("targets.pods")

local workload = {}

--- The first of the allowed labels that the selector has, and its value; or nil and a message.
local function selector(kind, object, labels)
  local has = object.spec and object.spec.selector and object.spec.selector.matchLabels or {}
  for _, label in ipairs(labels) do
    if has[label] then return label, has[label] end
  end
  return nil, ("%s %s.%s spec.selector.matchLabels must contain one of [%s]"):format(
    kind.noun, object.metadata.name, object.metadata.namespace, table.concat(labels, " "))
end

--- The target's annotations for the new primary, without what controllers and kubectl keep there.
local function copied_annotations(kind, target)
  local out = pods.without_flux(target.metadata.annotations)
  out["kubectl.kubernetes.io/last-applied-configuration"] = nil
  if kind.counter then out[kind.counter] = nil end
  return out
end

local function copied_spec(kind, target)
  local out = {}
  for _, key in ipairs(kind.copied) do out[key] = merge.copy(target.spec[key]) end
  return out
end

local function primary(kind, target, copy)
  local labels, spec = pods.with_prefix(target.metadata.labels, copy.prefixes), copied_spec(kind, target)
  labels[copy.label] = copy.value
  for _, key in ipairs(kind.copied_once or {}) do spec[key] = merge.copy(target.spec[key]) end
  spec.selector = { matchLabels = { [copy.label] = copy.value } }
  spec.template = pods.primary_template(kind.template(target), copy)
  if kind.counts then spec.replicas = (target.spec.replicas or 1) > 0 and target.spec.replicas or 1 end
  if kind.complete then kind.complete(spec, copy) end
  return {
    apiVersion = kind.api_version,
    kind = kind.kind,
    metadata = {
      name = target.metadata.name .. "-primary", labels = labels, annotations = copied_annotations(kind, target),
    },
    spec = spec,
  }
end

local function wanted_metadata(kind, target, live, copy)
  local labels = pods.with_prefix(target.metadata.labels, copy.prefixes)
  labels[copy.label] = copy.value
  local annotations = pods.with_prefix(target.metadata.annotations, copy.prefixes)
  if kind.counter then annotations[kind.counter] = (live.metadata.annotations or {})[kind.counter] end
  return { labels = labels, annotations = annotations }
end

local function promotion(kind, target, live, copy, keep_replicas)
  local metadata, spec = wanted_metadata(kind, target, live, copy), copied_spec(kind, target)
  spec.template = pods.primary_template(kind.template(target), copy)
  if kind.counts then
    spec.replicas = live.spec.replicas
    if not keep_replicas and (target.spec.replicas or 0) > 0 then spec.replicas = target.spec.replicas end
  end
  local have = {
    metadata = { labels = live.metadata.labels or {}, annotations = live.metadata.annotations or {} }, spec = {},
  }
  for key in pairs(spec) do have.spec[key] = live.spec[key] end
  return merge.diff(have, { metadata = metadata, spec = spec })
end

local function same_revision(kind, target, live, copy)
  local have = merge.copy(live.spec.template)
  local wanted = {}
  for key, value in pairs(copy) do wanted[key] = value end
  wanted.id = ((have.metadata or {}).annotations or {})["flagger-id"]
  return merge.equal(have, pods.primary_template(kind.template(target), wanted))
end

--- Completes a target's module.
--- @param kind table  { kind, api_version, resource = "deployments.apps", noun = "deployment", copied = fields of the
---   spec that follow the target, copied_once = those that cannot change later, counts = has spec.replicas,
---   counter = an annotation that its controller keeps, template = function(target) -> the pod template of a revision,
---   complete = function(spec, copy) of a new primary }
function workload.extend(kind)
  kind.template = kind.template or function(target) return target.spec.template end

  --- The first of the allowed labels that the selector has, and its value; or nil and a message.
  function kind.selector(object, labels) return selector(kind, object, labels) end

  --- A stable digest of what a revision is: the pod template as canonical JSON. The prefix tells it from
  --- the hashes of other controllers.
  function kind.revision(object)
    return "s1-" .. digest.sha256(json.encode(kind.template(object))):sub(1, 16)
  end

  --- The ConfigMaps and Secrets of a revision (pods.references).
  function kind.references(object) return pods.references(object.spec.template.spec) end

  --- The container ports beside the Service's own (pods.ports).
  function kind.ports(object, target_port) return pods.ports(object.spec.template.spec, target_port) end

  --- The names of all container ports, and how many ports there are.
  function kind.port_names(object) return pods.port_names(object.spec.template.spec) end

  --- The primary as it is first created.
  --- @param copy table  see pods.primary_template; also `prefixes` = label prefixes to keep, `service` = the
  --- headless Service that names its pods
  function kind.primary(target, copy) return primary(kind, target, copy) end

  --- The merge patch that makes the primary run the target's revision, or nil when it does already.
  --- @param keep_replicas boolean  an autoscaler owns the primary's replicas
  function kind.promotion(target, live, copy, keep_replicas)
    return promotion(kind, target, live, copy, keep_replicas)
  end

  --- True when the primary runs what the target's template says, whatever its flagger-id.
  function kind.same_revision(target, live, copy) return same_revision(kind, target, live, copy) end

  if kind.counts then
    --- How many pods are asked for.
    function kind.replicas(object) return object.spec.replicas or 1 end

    --- The patch to `replicas` pods, or nil when it asks for as many already.
    function kind.scale(object, replicas)
      if object.spec.replicas == replicas then return nil end
      return { spec = { replicas = replicas } }
    end
  end
  return kind
end

--- What every kind's readiness begins with: nil, or why the controller has not seen the object yet.
function workload.unseen(kind, object)
  if (object.metadata.generation or 0) > ((object.status or {}).observedGeneration or 0) then
    return ("waiting for rollout to finish: observed %s generation less than desired generation"):format(kind.noun)
  end
end

--- For kinds whose status does not say so itself: not ready, why, and whether waiting still makes sense.
--- @param rule table  { deadline = seconds, since = when the waiting began, now = seconds }
function workload.waiting(kind, object, rule, message)
  if rule.now <= rule.since + rule.deadline then return false, message, true end
  return false, ('%s "%s" exceeded its progressDeadlineSeconds: %d'):format(kind.noun, object.metadata.name,
    rule.deadline), false
end

return workload
