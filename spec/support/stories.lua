--- Whole releases as data: what is applied, what the user does, and where it ends. Crash and fault loops walk
--- each of them again and again.

local manifests = require("spec.support.manifests")
local merge = require("util.merge")
local scenario = require("spec.support.scenario")

local stories = {}

local METRICS = "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"
local WEIGHTED = "interval: 10s, threshold: 3, maxWeight: 40, stepWeight: 20, stepWeightPromotion: 20, " .. METRICS

local PODS = "interval: 10s, threshold: 3, " .. METRICS ..
  ", policy: {name: steps, params: {steps: [{weight: 10, replicas: 1}, {weight: 30, replicas: 2}, {weight: 50}]}}"

local CONFIGS = [[
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf, namespace: demo}
data: {color: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: demo}
type: Opaque
data: {key: c2VjcmV0}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: app, namespace: demo}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  minReplicas: 2
  maxReplicas: 4
]]

local function configured(change)
  return (manifests.deployment("app", change):gsub("name: app, image",
    "envFrom: [{configMapRef: {name: conf}}, {secretRef: {name: key}}], name: app, image"))
end

local SCALER = "  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: app}"

local APISIX = [[
---
apiVersion: apisix.apache.org/v2
kind: ApisixRoute
metadata: {name: web, namespace: demo}
spec: {http: [{name: main, match: {paths: [/*]}, backends: [{serviceName: app, servicePort: 80}]}]}
]]

local COUNTED = manifests.deployment("app", { replicas = 4, labels = "part: shop" })
local SHARED = "port: 80, targetPort: http, selector: {part: shop}"

local function image(to)
  return function(run) run.world:set_image("demo", "app", to) end
end

stories.list = {
  { name = "traefik, promoted", ends = "Succeeded", change = image("podinfo:2"),
    input = manifests.deployment("app") .. manifests.canary("app", { provider = "traefik", analysis = WEIGHTED }) },
  { name = "traefik, rolled back", ends = "Failed", change = image("podinfo:2-err10"),
    input = manifests.deployment("app") .. manifests.canary("app", { provider = "traefik", analysis = WEIGHTED }) },
  { name = "istio with an HPA, a ConfigMap and a Secret, promoted", ends = "Succeeded", change = image("podinfo:2"),
    input = CONFIGS .. configured() ..
      manifests.canary("app", { provider = "istio", analysis = WEIGHTED, spec = SCALER }) },
  { name = "gatewayapi, promoted", ends = "Succeeded", change = image("podinfo:2"),
    input = manifests.deployment("app") .. manifests.canary("app", { provider = "gatewayapi:v1", analysis = WEIGHTED,
      service = "port: 80, targetPort: http, gatewayRefs: [{name: gw, namespace: gw}]" }) },
  { name = "nginx, promoted", ends = "Succeeded", change = image("podinfo:2"),
    input = manifests.ingress("web", "app") .. manifests.deployment("app") .. manifests.canary("app", {
      provider = "nginx", analysis = WEIGHTED,
      spec = "  ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: web}" }) },
  { name = "linkerd, promoted", ends = "Succeeded", change = image("podinfo:2"),
    input = manifests.deployment("app") .. manifests.canary("app", { provider = "linkerd", analysis = WEIGHTED }) },
  { name = "linkerd by a route on a Service, promoted", ends = "Succeeded", change = image("podinfo:2"),
    input = manifests.deployment("app") .. manifests.canary("app", { provider = "linkerd", analysis = WEIGHTED,
      service = "port: 80, targetPort: http, routeKind: HTTPRoute" }) },
  { name = "replicas, promoted", ends = "Succeeded", change = image("podinfo:2"),
    input = COUNTED .. manifests.canary("app", { provider = "replicas", analysis = WEIGHTED, service = SHARED }) },
  { name = "replicas, rolled back", ends = "Failed", change = image("podinfo:2-err10"),
    input = COUNTED .. manifests.canary("app", { provider = "replicas", analysis = WEIGHTED, service = SHARED }) },
  { name = "steps with pods of their own, promoted", ends = "Succeeded", change = image("podinfo:2"),
    input = manifests.deployment("app", { replicas = 4 }) .. manifests.canary("app", { analysis = PODS }) },
  { name = "steps with pods of their own, rolled back", ends = "Failed", change = image("podinfo:2-err10"),
    input = manifests.deployment("app", { replicas = 4 }) .. manifests.canary("app", { analysis = PODS }) },
  { name = "apisix, promoted", ends = "Succeeded", change = image("podinfo:2"),
    input = APISIX .. manifests.deployment("app") .. manifests.canary("app", { provider = "apisix", analysis = WEIGHTED,
      spec = "  routeRef: {apiVersion: apisix.apache.org/v2, kind: ApisixRoute, name: web}" }) },
  { name = "appmesh, promoted", ends = "Succeeded", change = image("podinfo:2"),
    input = manifests.deployment("app") .. manifests.canary("app", { provider = "appmesh", analysis = WEIGHTED,
      service = "port: 80, targetPort: http, meshName: global" }) },
  { name = "appmesh:v1beta2, promoted", ends = "Succeeded", change = image("podinfo:2"),
    input = manifests.deployment("app") .. manifests.canary("app", { provider = "appmesh:v1beta2",
      analysis = WEIGHTED }) },
  { name = "kuma, promoted", ends = "Succeeded", change = image("podinfo:2"),
    input = manifests.deployment("app") .. manifests.canary("app", { provider = "kuma", analysis = WEIGHTED }) },
  { name = "blue/green by Services, promoted", ends = "Succeeded", change = image("podinfo:2"),
    input = manifests.deployment("app") ..
      manifests.canary("app", { provider = "kubernetes", analysis = "interval: 10s, threshold: 3, iterations: 2" }) },
}

--- The story up to where its user waits for the end. `disturb(run)` is called before anything is applied.
function stories.start(story, disturb)
  local run = scenario.new()
  if disturb then disturb(run) end
  run.world:apply(story.input)
  return run
end

local INITIALISED = { Initialized = true, Progressing = true, Promoting = true, Finalising = true, Succeeded = true,
  Failed = true }

--- Walks to the end, and on until nothing happens any more.
function stories.finish(story, run)
  run:wait(function() return INITIALISED[run:status("demo", "app").phase] end, 1800, "the initialisation")
  run:pass(5)
  story.change(run)
  run:wait_for_phase("demo", "app", story.ends, 3600)
  run:pass(300) -- longer than the longest pause between two tries
end

function stories.play(story, disturb)
  local run = stories.start(story, disturb)
  stories.finish(story, run)
  return run
end

local LEFT_OUT = { resourceVersion = true, uid = true, generation = true, creationTimestamp = true,
  lastUpdateTime = true, lastTransitionTime = true, lastCheckTime = true, at = true, observedGeneration = true,
  clusterIP = true, clusterIPs = true, ["flagger-id"] = true, failedChecks = true, nodePort = true, checks = true,
  runId = true, runStartedAt = true, policyState = true, ["deployment.kubernetes.io/revision"] = true }

local function timeless(value)
  if type(value) ~= "table" then return value end
  local out = {}
  for key, item in pairs(value) do
    if not LEFT_OUT[key] then out[key] = timeless(item) end
  end
  return out
end

local KINDS = { "Canary", "Deployment", "Service", "ConfigMap", "Secret", "HorizontalPodAutoscaler", "TraefikService",
  "VirtualService", "DestinationRule", "HTTPRoute", "TrafficSplit", "TrafficRoute", "ApisixRoute", "Ingress",
  "HTTPProxy", "Upstream", "RouteTable", "VirtualNode", "VirtualRouter", "virtualservices.appmesh.k8s.aws" }

--- Everything that is left, without times and other marks of how often something was tried.
function stories.remains(run)
  local out = {}
  for _, kind in ipairs(KINDS) do
    local ref = run.world:ref(kind, "demo", "x")
    for _, object in ipairs(run.world.api:all(ref.apiVersion, ref.kind, "demo")) do
      local copy = timeless(merge.copy(object))
      if kind ~= "Canary" then copy.status = nil end
      out[kind .. "/" .. object.metadata.name] = copy
    end
  end
  return out
end

--- How many requests of the engine a whole run makes; events count.
function stories.requests(story)
  return #stories.play(story).world.api.calls
end

return stories
