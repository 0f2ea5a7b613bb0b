--- DaemonSets and StatefulSets: one pod per node or ordinal; a changed template replaces a pod at a time.

local ordinals = require("sandbox.ordinals")

local other_workloads = {}

--- Brings the pods of a DaemonSet to `names`, in order.
local function replace(controllers, object, names, hash)
  local have, waiting = {}, false
  for _, pod in ipairs(controllers:family(object)) do
    have[pod.name] = pod
    waiting = waiting or not pod.ready
  end
  local wanted = {}
  for _, name in ipairs(names) do
    wanted[name] = true
    local pod = have[name]
    if not pod then
      controllers:start_pod(object, name, hash)
      waiting = true
    elseif pod.hash ~= hash and (not waiting or not pod.ready) then
      controllers:stop_pod(pod.object)
      controllers:start_pod(object, name, hash)
      waiting = true
    end
  end
  for name, pod in pairs(have) do
    if not wanted[name] then controllers:stop_pod(pod.object) end
  end
end

local function counts(controllers, object, hash)
  local n = { all = 0, ready = 0, updated = 0, available = 0 }
  for _, pod in ipairs(controllers:family(object)) do
    n.all = n.all + 1
    n.ready = n.ready + (pod.ready and 1 or 0)
    n.available = n.available + (pod.available and 1 or 0)
    n.updated = n.updated + (pod.hash == hash and 1 or 0)
  end
  return n
end

local function positive(n)
  return n > 0 and n or nil
end

local NODE = { ["kubernetes.io/os"] = "linux", ["kubernetes.io/arch"] = "amd64" } -- the labels of every node

local function fits(selector)
  for key, value in pairs(selector or {}) do
    if NODE[key] ~= value then return false end
  end
  return true
end

function other_workloads.daemonset(controllers, object)
  local hash, names = controllers:hash(object), {}
  local elsewhere = not fits(object.spec.template.spec.nodeSelector)
  for node = 1, elsewhere and 0 or controllers.nodes do
    names[node] = ("%s-%s"):format(object.metadata.name, ("bcdfg"):rep(2):sub(node, node + 4))
  end
  replace(controllers, object, names, hash)
  local n = counts(controllers, object, hash)
  controllers.api:set_status(object, {
    observedGeneration = object.metadata.generation, desiredNumberScheduled = #names, numberMisscheduled = 0,
    currentNumberScheduled = n.all, numberReady = n.ready, updatedNumberScheduled = positive(n.updated),
    numberAvailable = positive(n.available), numberUnavailable = positive(#names - n.available),
  })
end

local function keep_claims(controllers, object, name)
  for _, claim in ipairs(ordinals.claims(object, name)) do
    local ref = { apiVersion = "v1", kind = claim.kind, namespace = claim.metadata.namespace,
      name = claim.metadata.name }
    if not controllers.api:peek(ref) then controllers.api:create(claim) end
  end
end

local function drop_claims(controllers, object, name)
  if (object.spec.persistentVolumeClaimRetentionPolicy or {}).whenScaled ~= "Delete" then return end
  for _, claim in ipairs(ordinals.claims(object, name)) do
    controllers.api:delete({ apiVersion = "v1", kind = claim.kind, namespace = claim.metadata.namespace,
      name = claim.metadata.name })
  end
end

function other_workloads.statefulset(controllers, object)
  local hash, names = controllers:hash(object), ordinals.names(object)
  local plan = ordinals.plan(object, controllers:family(object), hash)
  for _, pod in ipairs(plan.delete) do controllers:stop_pod(pod.object) end
  for _, pod in ipairs(plan.scaled) do
    controllers:stop_pod(pod.object)
    drop_claims(controllers, object, pod.name)
  end
  for _, name in ipairs(plan.create) do
    keep_claims(controllers, object, name)
    controllers:start_pod(object, name, hash)
  end
  local n = counts(controllers, object, hash)
  local old = object.status or {}
  local revision = ("%s-%s"):format(object.metadata.name, hash)
  local complete = n.updated == #names and n.available == #names
  controllers.api:set_status(object, {
    observedGeneration = object.metadata.generation, replicas = n.all, readyReplicas = positive(n.ready),
    availableReplicas = n.available, updatedReplicas = positive(n.updated), updateRevision = revision,
    currentRevision = complete and revision or old.currentRevision or revision,
    currentReplicas = positive(complete and n.all or n.all - n.updated), conditions = old.conditions,
  })
end

return other_workloads
