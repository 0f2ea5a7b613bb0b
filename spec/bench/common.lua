--- What the benches share: a canary with everything that costs requests, and the audit log as numbers.

local rfc3339 = require("util.rfc3339")
local support = require("spec.cluster.support")

local common = {}

common.NAMESPACE = "bench"
common.INTERVAL = 10

local OBJECTS = [[
---
apiVersion: v1
kind: ConfigMap
metadata: {name: $(name)-env, namespace: bench}
data: {color: blue}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: $(name)-files, namespace: bench}
data: {key: value}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: $(name), namespace: bench, labels: {app: $(name)}}
spec:
  replicas: 1
  selector: {matchLabels: {app: $(name)}}
  template:
    metadata: {labels: {app: $(name)}}
    spec:
      containers:
      - name: app
        image: podinfo:6.0.0
        ports: [{name: http, containerPort: 9898}]
        envFrom: [{configMapRef: {name: $(name)-env}}]
        volumeMounts: [{name: files, mountPath: /files}]
      volumes: [{name: files, configMap: {name: $(name)-files}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: $(name), namespace: bench}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: $(name)}
  minReplicas: 1
  maxReplicas: 2
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: $(name), namespace: bench}
spec:
  provider: istio
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: $(name)}
  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: $(name)}
  service: {port: 80, targetPort: http, gateways: [mesh], hosts: [$(name).test]}
  analysis: {interval: 10s, threshold: 3, maxWeight: 80, stepWeight: 10, metrics: []}
]]

function common.tell(format, ...)
  io.stderr:write(format:format(...), "\n")
end

--- Applies so many canaries and waits until each is Initialized.
function common.canaries(names)
  local text = { "apiVersion: v1\nkind: Namespace\nmetadata: {name: bench}\n" }
  for _, name in ipairs(names) do text[#text + 1] = OBJECTS:gsub("%$%(name%)", name) end
  support.apply(table.concat(text))
  for _, name in ipairs(names) do
    support.wait_until(name .. " is Initialized", 300, function() return common.phase(name) == "Initialized" end,
      function() return common.phase(name) end)
  end
end

function common.phase(name)
  local object = support.get("canary", common.NAMESPACE, name)
  return object and object.status and object.status.phase or "none"
end

function common.release(name, image)
  support.kubectl("-n", common.NAMESPACE, "set", "image", "deployment/" .. name, "app=" .. image)
end

--- When the API server received a request, in seconds.
function common.at(entry)
  return assert(rfc3339.parse(entry.requestReceivedTimestamp))
end

local WRITES = { create = true, update = true, patch = true, delete = true }

function common.is_write(entry)
  return WRITES[entry.verb] ~= nil and entry.stage == "ResponseComplete"
end

--- The number of requests of the engine between two times, as `apicount` counts them.
function common.requests(since, till)
  local text = support.run("spec/cluster/apicount", "serviceaccount:serin-system:serin$", rfc3339.format(since, 6),
    rfc3339.format(till, 6))
  local total = assert(text:match("(%d+) requests"), text)
  return math.tointeger(tonumber(total)), text
end

return common
