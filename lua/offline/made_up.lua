--- What a Canary refers to and nobody gave: the plainest object that would do.

local json = require("json")

local made_up = {}

local IMAGE = "example.com/app:1"
local GROUPS = { Deployment = "apps/v1", DaemonSet = "apps/v1", StatefulSet = "apps/v1", Service = "v1" }

local function metadata(namespace, name) return { namespace = namespace, name = name } end

local function port_of(service)
  local target = service.targetPort or service.port or 8080
  if type(target) == "string" then return { name = target, containerPort = 8080 } end
  return { name = service.portName or "http", containerPort = math.tointeger(target) or 8080 }
end

local function template(labels, service)
  return { metadata = { labels = labels }, spec = { containers = json.array({
    { name = "app", image = IMAGE, ports = json.array({ port_of(service) }) } }) } }
end

local targets = {}

local function workload(ref, namespace, service, label)
  local labels = { [label] = ref.name }
  local spec = { selector = { matchLabels = labels }, template = template(labels, service) }
  if ref.kind ~= "DaemonSet" then spec.replicas = 2 end
  if ref.kind == "StatefulSet" then spec.serviceName = ref.name end
  return { apiVersion = GROUPS[ref.kind], kind = ref.kind, metadata = metadata(namespace, ref.name), spec = spec }
end

targets.Deployment, targets.DaemonSet, targets.StatefulSet = workload, workload, workload

function targets.Service(ref, namespace, service)
  if tostring(ref.apiVersion):find("^serving%.knative%.dev/") then
    return { apiVersion = ref.apiVersion, kind = "Service", metadata = metadata(namespace, ref.name),
      spec = { template = { spec = { containers = json.array({ { image = IMAGE } }) } } } }
  end
  return { apiVersion = "v1", kind = "Service", metadata = metadata(namespace, ref.name), spec = {
    selector = { app = ref.name },
    ports = json.array({ { name = "http", port = service.port or 80, targetPort = service.targetPort } }) } }
end

--- The target of a Canary; nil for a kind that none can be made of.
--- @param label string  the first of -selector-labels
function made_up.target(canary, label)
  local ref = canary.spec.targetRef
  local make = targets[ref.kind]
  return make and make(ref, canary.metadata.namespace, canary.spec.service or {}, label)
end

local function scaler(canary, ref)
  local target = canary.spec.targetRef
  local spec = { scaleTargetRef = { apiVersion = target.apiVersion, kind = target.kind, name = target.name } }
  if ref.kind == "ScaledObject" then
    spec.minReplicaCount, spec.maxReplicaCount = 2, 4
    spec.triggers = json.array({ { type = "cpu", metricType = "Utilization", metadata = { value = "80" } } })
  else
    spec.minReplicas, spec.maxReplicas = 2, 4
    spec.metrics = json.array({ { type = "Resource", resource = { name = "cpu", target = { type = "Utilization",
      averageUtilization = 80 } } } })
  end
  return spec
end

local function apex_of(canary) return (canary.spec.service or {}).name or canary.spec.targetRef.name end

local function ingress(canary)
  local service = canary.spec.service or {}
  local backend = { service = { name = apex_of(canary), port = { number = service.port or 80 } } }
  -- the action of the load balancer controller, which splits by nothing else
  if canary.spec.provider == "alb" then backend.service.port = { name = "use-annotation" } end
  return { rules = json.array({ { host = "app.example.com", http = { paths = json.array({
    { path = "/", pathType = "Prefix", backend = backend } }) } } }) }
end

local function apisix(canary)
  local service = canary.spec.service or {}
  return { http = json.array({ { name = "main", match = { hosts = json.array({ "app.example.com" }),
    paths = json.array({ "/*" }) },
    backends = json.array({ { serviceName = apex_of(canary), servicePort = service.port or 80 } }) } }) }
end

-- field of the spec -> the made-up spec
local REFERENCES = { autoscalerRef = scaler, ingressRef = ingress, routeRef = apisix }

--- The objects behind the other references, as a list.
function made_up.others(canary)
  local out = {}
  for field, make in pairs(REFERENCES) do
    local ref = canary.spec[field]
    if type(ref) == "table" and type(ref.name) == "string" and type(ref.kind) == "string" then
      local version = type(ref.apiVersion) == "string" and ref.apiVersion or "v1"
      if ref.kind == "HorizontalPodAutoscaler" then version = "autoscaling/v2" end
      out[#out + 1] = { apiVersion = version, kind = ref.kind, metadata = metadata(canary.metadata.namespace, ref.name),
        spec = make(canary, ref) }
    end
  end
  table.sort(out, function(a, b) return a.kind < b.kind end)
  return out
end

return made_up
