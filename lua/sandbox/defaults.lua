--- What an API server adds to objects that are written to it: the defaults of the kinds a rollout touches.
--
-- Every function changes the object in place; it is the server's own copy by then.

local digest = require("digest")
local json = require("json")

local defaults = {}

local function fill(object, values)
  for key, value in pairs(values) do
    if object[key] == nil then object[key] = value end
  end
  return object
end

local function each(list, visit)
  for _, item in ipairs(list or {}) do visit(item) end
end

local function pull_policy(image)
  local tag = (image or ""):match(":([^/:]+)$")
  if (image or ""):find("@", 1, true) then return "IfNotPresent" end
  return (tag == nil or tag == "latest") and "Always" or "IfNotPresent"
end

local function probe(p)
  if not p then return end
  fill(p, { timeoutSeconds = 1, periodSeconds = 10, successThreshold = 1, failureThreshold = 3 })
  if p.httpGet then fill(p.httpGet, { path = "/", scheme = "HTTP" }) end
  if p.grpc then fill(p.grpc, { service = "" }) end
end

local function container(c)
  fill(c, {
    resources = {}, terminationMessagePath = "/dev/termination-log", terminationMessagePolicy = "File",
    imagePullPolicy = pull_policy(c.image),
  })
  each(c.ports, function(port) fill(port, { protocol = "TCP" }) end)
  each(c.env, function(env)
    if env.valueFrom and env.valueFrom.fieldRef then fill(env.valueFrom.fieldRef, { apiVersion = "v1" }) end
  end)
  probe(c.readinessProbe)
  probe(c.livenessProbe)
  probe(c.startupProbe)
end

local function volume(v)
  for _, key in ipairs({ "projected", "secret", "configMap", "downwardAPI" }) do
    if v[key] then fill(v[key], { defaultMode = 420 }) end
  end
  if v.hostPath then fill(v.hostPath, { type = "" }) end
  each(v.projected and v.projected.sources, function(source)
    if source.serviceAccountToken then fill(source.serviceAccountToken, { expirationSeconds = 3600 }) end
  end)
end

--- The defaults of a pod spec, as found in templates.
function defaults.pod_spec(spec)
  fill(spec, {
    restartPolicy = "Always", terminationGracePeriodSeconds = 30, dnsPolicy = "ClusterFirst",
    securityContext = {}, schedulerName = "default-scheduler",
  })
  if spec.serviceAccountName then spec.serviceAccount = spec.serviceAccountName end
  each(spec.containers, container)
  each(spec.initContainers, container)
  each(spec.volumes, volume)
end

local function template(spec)
  spec.template = spec.template or {}
  spec.template.spec = spec.template.spec or {}
  defaults.pod_spec(spec.template.spec)
end

local function deployment(object)
  local spec = object.spec
  template(spec)
  fill(spec, { replicas = 1, revisionHistoryLimit = 10, progressDeadlineSeconds = 600, strategy = {} })
  fill(spec.strategy, { type = "RollingUpdate" })
  if spec.strategy.type == "RollingUpdate" then
    spec.strategy.rollingUpdate = fill(spec.strategy.rollingUpdate or {}, { maxUnavailable = "25%", maxSurge = "25%" })
  end
  fill(object, { status = {} })
end

local function daemonset(object)
  local spec = object.spec
  template(spec)
  fill(spec, { revisionHistoryLimit = 10, updateStrategy = {} })
  fill(spec.updateStrategy, { type = "RollingUpdate" })
  if spec.updateStrategy.type == "RollingUpdate" then
    local rolling = spec.updateStrategy.rollingUpdate or {}
    spec.updateStrategy.rollingUpdate = fill(rolling, { maxUnavailable = 1, maxSurge = 0 })
  end
  fill(object, { status = {
    currentNumberScheduled = 0, numberMisscheduled = 0, desiredNumberScheduled = 0, numberReady = 0,
  } })
end

local function statefulset(object)
  local spec = object.spec
  template(spec)
  fill(spec, { replicas = 1, revisionHistoryLimit = 10, podManagementPolicy = "OrderedReady", updateStrategy = {} })
  fill(spec.updateStrategy, { type = "RollingUpdate" })
  if spec.updateStrategy.type == "RollingUpdate" then
    spec.updateStrategy.rollingUpdate = fill(spec.updateStrategy.rollingUpdate or {}, { partition = 0 })
  end
  fill(object, { status = { replicas = 0, availableReplicas = 0 } })
end

local function service(object, cluster)
  local spec = object.spec
  fill(spec, { type = "ClusterIP", sessionAffinity = "None" })
  if spec.type == "ExternalName" then return end
  if spec.clusterIP == nil or spec.clusterIP == "" then spec.clusterIP = cluster:address() end
  fill(spec, {
    clusterIPs = json.array({ spec.clusterIP }), ipFamilies = json.array({ "IPv4" }),
    ipFamilyPolicy = "SingleStack", internalTrafficPolicy = "Cluster",
  })
  each(spec.ports, function(port)
    fill(port, { protocol = "TCP" })
    if port.targetPort == nil or port.targetPort == 0 then port.targetPort = port.port end
  end)
  fill(object, { status = { loadBalancer = {} } })
end

local function percent(value)
  return { type = "Percent", value = value, periodSeconds = 15 }
end

local function autoscaler(object)
  local spec = object.spec
  fill(spec, { minReplicas = 1 })
  if spec.metrics == nil or #spec.metrics == 0 then
    local target = { type = "Utilization", averageUtilization = 80 }
    spec.metrics = json.array({ { type = "Resource", resource = { name = "cpu", target = target } } })
  end
  if spec.behavior then
    spec.behavior.scaleUp = fill(spec.behavior.scaleUp or {}, {
      stabilizationWindowSeconds = 0, selectPolicy = "Max",
      policies = json.array({ { type = "Pods", value = 4, periodSeconds = 15 }, percent(100) }),
    })
    spec.behavior.scaleDown = fill(spec.behavior.scaleDown or {}, {
      selectPolicy = "Max", policies = json.array({ percent(100) }),
    })
  end
  fill(object, { status = { desiredReplicas = 0, currentMetrics = json.null } })
end

local function secret(object)
  for key, value in pairs(object.stringData or {}) do
    object.data = object.data or {}
    object.data[key] = digest.base64(value)
  end
  object.stringData = nil
  fill(object, { type = "Opaque" })
end

local function backend_ref(ref)
  fill(ref, { group = "", kind = "Service" })
end

local function typed(item)
  each(item.headers, function(header) fill(header, { type = "Exact" }) end)
  each(item.queryParams, function(param) fill(param, { type = "Exact" }) end)
end

--- What rules of every kind of route have.
local function any_rule(rule)
  each(rule.matches, typed)
  each(rule.filters, function(filter)
    if filter.requestMirror then backend_ref(filter.requestMirror.backendRef) end
    if filter.cors then fill(filter.cors, { maxAge = 5 }) end
  end)
  each(rule.backendRefs, function(ref)
    backend_ref(ref)
    fill(ref, { weight = 1 })
  end)
end

local function http_rule(rule)
  fill(rule, { matches = json.array({ { path = { type = "PathPrefix", value = "/" } } }) })
  each(rule.matches, function(match) match.path = fill(match.path or {}, { type = "PathPrefix", value = "/" }) end)
  any_rule(rule)
end

local function grpc_rule(rule)
  each(rule.matches, function(match)
    if match.method then fill(match.method, { type = "Exact" }) end
  end)
  any_rule(rule)
end

local function parent_ref(ref)
  fill(ref, { group = "gateway.networking.k8s.io", kind = "Gateway" })
end

local function http_route(object)
  fill(object.spec, { rules = json.array({ {} }) })
  each(object.spec.parentRefs, parent_ref)
  each(object.spec.rules, http_rule)
end

local function gateway_route(rule)
  return function(object)
    each(object.spec.parentRefs, parent_ref)
    each(object.spec.rules, rule)
  end
end

local function canary(object)
  each(object.spec.service and object.spec.service.gatewayRefs, parent_ref)
  local affinity = object.spec.analysis and object.spec.analysis.sessionAffinity
  if affinity then fill(affinity, { maxAge = 86400 }) end
end

local function event(object)
  fill(object, { eventTime = json.null, reportingComponent = "", reportingInstance = "" })
  local source = object.source
  if object.reportingComponent == "" and source then object.reportingComponent = source.component or "" end
end

local BY_ID = {
  ["apps/Deployment"] = deployment,
  ["apps/DaemonSet"] = daemonset,
  ["apps/StatefulSet"] = statefulset,
  ["/Service"] = service,
  ["/Secret"] = secret,
  ["/Event"] = event,
  ["autoscaling/HorizontalPodAutoscaler"] = autoscaler,
  ["networking.k8s.io/Ingress"] = function(object) fill(object, { status = { loadBalancer = {} } }) end,
  ["gateway.networking.k8s.io/HTTPRoute"] = http_route,
  ["gateway.networking.k8s.io/GRPCRoute"] = gateway_route(grpc_rule),
  ["gateway.networking.k8s.io/TCPRoute"] = gateway_route(any_rule),
  ["projectcontour.io/HTTPProxy"] = function(object)
    fill(object, { status = { currentStatus = "NotReconciled", description = "Waiting for controller" } })
  end,
  ["flagger.app/Canary"] = canary,
}

--- Completes `object`. `cluster` gives addresses: cluster:address().
function defaults.apply(entry, object, cluster)
  local complete = BY_ID[entry.id]
  if complete then complete(object, cluster) end
end

return defaults
