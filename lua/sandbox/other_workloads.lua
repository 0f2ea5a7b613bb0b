--- DaemonSets and StatefulSets, simply: one pod per node or ordinal; a changed template replaces a pod at a time.

local other_workloads = {}

--- The pods that are wanted: { [name] = true }, in order.
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

function other_workloads.daemonset(controllers, object)
  local hash, names = controllers:hash(object), {}
  -- A node selector that no node has is how a DaemonSet is scaled to nothing.
  local elsewhere = next(object.spec.template.spec.nodeSelector or {}) ~= nil
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

function other_workloads.statefulset(controllers, object)
  local hash, names = controllers:hash(object), {}
  for ordinal = 1, object.spec.replicas do names[ordinal] = ("%s-%d"):format(object.metadata.name, ordinal - 1) end
  replace(controllers, object, names, hash)
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
