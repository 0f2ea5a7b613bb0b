--- Pods of the embedded cluster: made from templates, ready after their start delay.

local json = require("json")
local merge = require("util.merge")

local pods = {}

local UNITS = { ms = 0.001, s = 1, m = 60, h = 3600 }

--- Seconds of "3s", "500ms" or "1m30s"; nil for anything else.
function pods.seconds(text)
  if type(text) ~= "string" then return nil end
  local total, rest = 0, text
  while rest ~= "" do
    local number, unit, after = rest:match("^(%d+%.?%d*)(%a+)(.*)$")
    if not number or not UNITS[unit] then return nil end
    total, rest = total + tonumber(number) * UNITS[unit], after
  end
  return text ~= "" and total or nil
end

local function status_of(pod, ready, now)
  local reason = not ready and (pod.metadata.annotations or {})["sim/ready"] == "false" and "ImagePullBackOff" or nil
  local statuses = json.array()
  for index, container in ipairs(pod.spec.containers or {}) do
    local waiting = { waiting = { reason = reason or "ContainerCreating" } }
    local state = ready and { running = { startedAt = now } } or waiting
    statuses[index] = { name = container.name, image = container.image, ready = ready, restartCount = 0, state = state,
      started = ready }
  end
  return {
    phase = ready and "Running" or "Pending",
    podIP = pod.status and pod.status.podIP,
    startTime = pod.status and pod.status.startTime or now,
    conditions = json.array({ { type = "Ready", status = ready and "True" or "False", lastTransitionTime = now } }),
    containerStatuses = statuses,
  }
end

--- A pod of a workload's template, not ready yet.
--- @param at table  { name =, hash =, address =, now = text }
function pods.make(owner, at)
  local template = owner.spec.template
  local metadata = merge.copy(template.metadata or {})
  metadata.name, metadata.namespace = at.name, owner.metadata.namespace
  metadata.labels = metadata.labels or {}
  if at.hash then metadata.labels["pod-template-hash"] = at.hash end
  metadata.ownerReferences = json.array({ {
    apiVersion = owner.apiVersion, kind = owner.kind, name = owner.metadata.name, uid = owner.metadata.uid,
    controller = true, blockOwnerDeletion = true,
  } })
  local pod = { apiVersion = "v1", kind = "Pod", metadata = metadata, spec = merge.copy(template.spec) }
  pod.status = { podIP = at.address, startTime = at.now }
  pod.status = status_of(pod, false, at.now)
  return pod
end

--- Seconds until the pod is ready, or nil when it never will be.
function pods.start_delay(pod, usual)
  local annotations = pod.metadata.annotations or {}
  if annotations["sim/ready"] == "false" then return nil end
  return pods.seconds(annotations["sim/start-delay"]) or usual
end

--- The status of a pod that is (or is no longer) ready.
function pods.status(pod, ready, now)
  return status_of(pod, ready, now)
end

--- Whether requests are sent to it.
function pods.is_ready(pod)
  if pod.metadata.deletionTimestamp then return false end
  for _, condition in ipairs(pod.status and pod.status.conditions or {}) do
    if condition.type == "Ready" then return condition.status == "True" end
  end
  return false
end

return pods
