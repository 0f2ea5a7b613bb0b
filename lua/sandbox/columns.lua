--- The columns that `kubectl get` shows.

local json = require("json")
local rfc3339 = require("util.rfc3339")

local columns = {}

local NONE = "<none>"

local function pair(ready, wanted)
  return ("%d/%d"):format(ready or 0, wanted or 0)
end

local function ready_pods(pod)
  local ready, all = 0, 0
  for _, status in ipairs((pod.status or {}).containerStatuses or {}) do
    all = all + 1
    if status.ready then ready = ready + 1 end
  end
  return pair(ready, all)
end

local function pod_state(pod)
  if pod.metadata.deletionTimestamp then return "Terminating" end
  for _, status in ipairs((pod.status or {}).containerStatuses or {}) do
    local waiting = (status.state or {}).waiting
    if waiting then return waiting.reason end
  end
  return (pod.status or {}).phase
end

local function ports(service)
  local out = {}
  for index, port in ipairs(service.spec.ports or {}) do
    out[index] = ("%d/%s"):format(port.port, port.protocol or "TCP")
  end
  return #out > 0 and table.concat(out, ",") or NONE
end

local function status(key)
  return function(object) return (object.status or {})[key] or 0 end
end

local function spec(key)
  return function(object) return object.spec[key] end
end

local function reference(key)
  return function(object)
    local ref = object.spec[key] or {}
    return ("%s/%s"):format(ref.kind, ref.name)
  end
end

local WORKLOAD = {
  { "Ready", function(o) return pair((o.status or {}).readyReplicas, o.spec.replicas) end },
  { "Up-to-date", status("updatedReplicas") },
  { "Available", status("availableReplicas") },
}
local BY_ID = {
  ["apps/Deployment"] = WORKLOAD,
  ["apps/StatefulSet"] = { WORKLOAD[1] },
  ["apps/DaemonSet"] = {
    { "Desired", status("desiredNumberScheduled") }, { "Current", status("currentNumberScheduled") },
    { "Ready", status("numberReady") }, { "Up-to-date", status("updatedNumberScheduled") },
    { "Available", status("numberAvailable") },
  },
  ["/Pod"] = { { "Ready", ready_pods }, { "Status", pod_state }, { "Restarts", function() return 0 end } },
  ["/Service"] = {
    { "Type", spec("type") }, { "Cluster-IP", function(o) return o.spec.clusterIP or NONE end }, { "Port(s)", ports },
  },
  ["/Namespace"] = { { "Status", function() return "Active" end } },
  ["/Event"] = {
    { "Last Seen", function(o, age) return age(o.lastTimestamp) end }, { "Type", function(o) return o.type end },
    { "Reason", function(o) return o.reason end },
    { "Object", function(o) return ("%s/%s"):format((o.involvedObject.kind or ""):lower(), o.involvedObject.name) end },
    { "Message", function(o) return o.message end },
  },
  ["autoscaling/HorizontalPodAutoscaler"] = {
    { "Reference", reference("scaleTargetRef") },
    { "MinPods", spec("minReplicas") }, { "MaxPods", spec("maxReplicas") },
    { "Replicas", status("currentReplicas") },
  },
  ["flagger.app/Canary"] = {
    { "Status", function(o) return (o.status or {}).phase end }, { "Weight", status("canaryWeight") },
    { "LastTransitionTime", function(o) return (o.status or {}).lastTransitionTime end },
  },
}

--- "5s", "3m20s", "45m", "5h10m", "3d": an age as kubectl shows it.
function columns.age(seconds)
  local s = math.max(0, math.floor(seconds))
  local m, h, d = s // 60, s // 3600, s // 86400
  if s < 120 then return ("%ds"):format(s) end
  if m < 10 then return s % 60 == 0 and ("%dm"):format(m) or ("%dm%ds"):format(m, s % 60) end
  if h < 3 then return ("%dm"):format(m) end
  if h < 8 then return m % 60 == 0 and ("%dh"):format(h) or ("%dh%dm"):format(h, m % 60) end
  if h < 48 then return ("%dh"):format(h) end
  return ("%dd"):format(d)
end

local function age_at(now)
  return function(text)
    local since = rfc3339.parse(text)
    return since and columns.age(now - since) or "<unknown>"
  end
end

--- The columnDefinitions of a kind.
function columns.definitions(entry)
  local out = json.array({ { name = "Name", type = "string", format = "name", description = "", priority = 0 } })
  for _, column in ipairs(BY_ID[entry.id] or {}) do
    out[#out + 1] = { name = column[1], type = "string", format = "", description = "", priority = 0 }
  end
  if entry.id ~= "/Event" then
    out[#out + 1] = { name = "Age", type = "string", format = "", description = "", priority = 0 }
  end
  return out
end

--- The cells of one object, in the order of the definitions.
function columns.cells(entry, object, now)
  local age = age_at(now)
  local out = json.array({ object.metadata.name })
  for _, column in ipairs(BY_ID[entry.id] or {}) do
    local value = column[2](object, age)
    out[#out + 1] = value == nil and "" or value
  end
  if entry.id ~= "/Event" then out[#out + 1] = age(object.metadata.creationTimestamp) end
  return out
end

return columns
