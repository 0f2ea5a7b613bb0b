--- The types of the fields that the embedded cluster reads: what a schema of the API server would refuse.

local json = require("json")

local shape = {}

-- A shape is the name of a type, { [field] = shape }, or one of these two.
local function list(item) return { list = true, item = item } end
local function map(item) return { map = true, item = item } end

local texts = map("string")
local anything = {}

local container = {
  name = "string", image = "string", ports = list(anything), resources = anything, env = list(anything),
  readinessProbe = { httpGet = anything, grpc = anything }, livenessProbe = { httpGet = anything, grpc = anything },
  startupProbe = { httpGet = anything, grpc = anything },
}
local pod_spec = {
  containers = list(container), initContainers = list(container),
  volumes = list({ projected = { sources = list(anything) }, secret = anything, configMap = anything }),
  nodeSelector = texts,
}
local template = { metadata = { labels = texts, annotations = texts }, spec = pod_spec }
local labels = { matchLabels = texts, matchExpressions = list({ key = "string", values = list("string") }) }
local workload = {
  replicas = "integer", selector = labels, template = template, strategy = { rollingUpdate = anything },
  updateStrategy = { rollingUpdate = anything }, minReadySeconds = "integer", progressDeadlineSeconds = "integer",
  paused = "boolean",
}
local parents = list(anything)
local metrics = list({ name = "string" })
local mirror = { requestMirror = { backendRef = anything } }

local SPECS = {
  ["apps/Deployment"] = workload,
  ["apps/DaemonSet"] = workload,
  ["apps/StatefulSet"] = workload,
  ["/Pod"] = pod_spec,
  ["/Service"] = { selector = texts, ports = list({ protocol = "string" }), type = "string" },
  ["autoscaling/HorizontalPodAutoscaler"] = {
    scaleTargetRef = { kind = "string", name = "string" }, minReplicas = "integer", maxReplicas = "integer",
    metrics = list(anything), behavior = { scaleUp = anything, scaleDown = anything },
  },
  ["networking.k8s.io/Ingress"] = {
    rules = list({ http = { paths = list({ backend = { service = { name = "string" } } }) } }),
  },
  ["gateway.networking.k8s.io/HTTPRoute"] = {
    parentRefs = parents,
    rules = list({ matches = list({ path = anything, headers = list({ name = "string" }) }), filters = list(mirror),
      backendRefs = list({ name = "string", weight = "integer" }) }),
  },
  ["gateway.networking.k8s.io/GRPCRoute"] = {
    parentRefs = parents,
    rules = list({ matches = list({ method = anything, headers = list({ name = "string" }) }), filters = list(mirror),
      backendRefs = list({ name = "string", weight = "integer" }) }),
  },
  ["gateway.networking.k8s.io/TCPRoute"] = {
    parentRefs = parents, rules = list({ backendRefs = list({ name = "string", weight = "integer" }) }),
  },
  ["networking.istio.io/VirtualService"] = {
    hosts = list("string"),
    http = list({ match = list({ headers = map(anything), uri = anything }),
      route = list({ destination = { host = "string" }, weight = "integer" }), mirror = { host = "string" },
      mirrorPercentage = { value = "number" } }),
    tcp = list({ route = list({ destination = { host = "string" }, weight = "integer" }) }),
  },
  ["traefik.io/TraefikService"] = { weighted = { services = list({ name = "string", weight = "integer" }) } },
  ["projectcontour.io/HTTPProxy"] = {
    routes = list({ conditions = list({ prefix = "string", header = { name = "string" } }),
      services = list({ name = "string", weight = "integer" }) }),
  },
  ["split.smi-spec.io/TrafficSplit"] = { service = "string", backends = list({ service = "string" }) },
  ["apiextensions.k8s.io/CustomResourceDefinition"] = {
    group = "string", scope = "string", names = { kind = "string", plural = "string", shortNames = list("string") },
    versions = list({ name = "string", served = "boolean", subresources = { status = anything } }),
  },
  ["flagger.app/Canary"] = {
    targetRef = anything, autoscalerRef = anything, ingressRef = anything, routeRef = anything,
    service = { gatewayRefs = parents },
    analysis = { metrics = metrics, webhooks = list({ name = "string" }), sessionAffinity = anything },
  },
}
local METADATA = {
  name = "string", namespace = "string", generateName = "string", labels = texts, annotations = texts,
  resourceVersion = "string", uid = "string", finalizers = list("string"),
  ownerReferences = list({ name = "string", uid = "string", kind = "string" }),
}

local function name_of(value)
  if type(value) ~= "table" then return math.type(value) or type(value) end
  return json.is_array(value) and "array" or "object"
end

local check

local function check_fields(value, wanted, path)
  if wanted.list then
    for index, item in ipairs(value) do
      local wrong = check(item, wanted.item, ("%s[%d]"):format(path, index - 1))
      if wrong then return wrong end
    end
    return nil
  end
  for key, item in pairs(value) do
    local field = wanted[key]
    if wanted.map then field = wanted.item end
    local wrong = field and check(item, field, path .. "." .. key)
    if wrong then return wrong end
  end
end

function check(value, wanted, path)
  if value == json.null then return nil end
  local found, expected = name_of(value), wanted
  if type(wanted) == "table" then expected = wanted.list and "array" or "object" end
  local fits = found == expected or (expected == "number" and type(value) == "number")
    -- an object without keys and a list without elements look alike in a script
    or (expected == "array" and found == "object" and (next(value) == nil or #value > 0))
  if not fits then
    return ('%s: Invalid value: "%s": %s in body must be of type %s: "%s"'):format(path, found, path, expected, found)
  end
  if type(wanted) == "table" then return check_fields(value, wanted, path) end
end

--- nil, or what about the types in `object` is wrong.
function shape.check(entry, object)
  if type(object.metadata) ~= "table" then return "metadata: Required value" end
  local wrong = check(object.metadata, METADATA, "metadata")
  if wrong then return wrong end
  local spec = SPECS[entry.id]
  if spec and object.spec ~= nil then wrong = check(object.spec, spec, "spec") end
  if not wrong and object.status ~= nil and entry.status then wrong = check(object.status, anything, "status") end
  return wrong
end

return shape
