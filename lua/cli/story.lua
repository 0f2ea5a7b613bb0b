--- What the demo tells: a good revision, then a bad one; and how it should end.

local story = {}

local FIRST, GOOD, BAD = "podinfo:6.0.0", "podinfo:6.0.1", "podinfo:6.0.2-err10"
local USERS = 100 -- requests per second

local MANIFESTS = [[
apiVersion: v1
kind: Namespace
metadata: {name: demo}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: podinfo, namespace: demo, labels: {app: podinfo}}
spec:
  replicas: 2
  selector: {matchLabels: {app: podinfo}}
  template:
    metadata: {labels: {app: podinfo}, annotations: {sim/start-delay: 3s}}
    spec:
      containers: [{name: podinfo, image: "podinfo:6.0.0", ports: [{name: http, containerPort: 9898}]}]
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: podinfo, namespace: demo}
spec:
  provider: traefik
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  progressDeadlineSeconds: 60
  service: {port: 80, targetPort: http}
  analysis:
    interval: 10s
    threshold: 3
    maxWeight: 50
    stepWeight: 10
    metrics:
    - {name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}
    - {name: request-duration, thresholdRange: {max: 500}, interval: 30s}
]]

local function release(image)
  return function(world) world:set_image("demo", "podinfo", image) end
end

--- The chapters: what is said, what is done, the phase and the primary's image in which it must end.
story.chapters = {
  { said = "taking over podinfo 6.0.0", phase = "Initialized", primary = FIRST,
    act = function(world) world:apply(MANIFESTS) end },
  { said = "releasing 6.0.1, which is well", phase = "Succeeded", primary = GOOD,
    act = function(world)
      world.traffic:add({ namespace = "demo", service = "podinfo", rate = USERS })
      release(GOOD)(world)
    end },
  { said = "releasing 6.0.2, which fails 10 % of its requests", phase = "Failed", primary = GOOD, act = release(BAD) },
}

story.good = "the good revision was promoted, the bad one was rolled back"

local ENDS = { Initialized = true, Succeeded = true, Failed = true }

local function image_of(world, name)
  local object = world:get("Deployment", "demo", name)
  return object and object.spec.template.spec.containers[1].image
end

--- Whether a chapter has ended as it should; nil while it goes on. `state.left` is set once its release has begun.
function story.judge(world, chapter, state)
  local canary = world:get("Canary", "demo", "podinfo")
  local phase = canary and canary.status and canary.status.phase or ""
  if not ENDS[phase] then state.left = phase ~= "" end
  if not state.left or not ENDS[phase] then return nil end
  return phase == chapter.phase and image_of(world, "podinfo-primary") == chapter.primary
end

--- What there is to see: { time =, phase =, weight =, failed_checks =, checks =, events = texts,
--- requests = { served =, failed =, lost = } }.
function story.look(world)
  local canary = world:get("Canary", "demo", "podinfo")
  local status, events = canary and canary.status or {}, {}
  for index, event in ipairs(world:events("demo")) do events[index] = event.message end
  local traffic = world.traffic
  return {
    time = math.floor((world.now - world.start) * 1000) / 1000,
    phase = status.phase or "", weight = status.canaryWeight or 0,
    failed_checks = status.failedChecks or 0, checks = status.checks or {}, events = events,
    requests = { served = math.floor(traffic.served), failed = math.floor(traffic.failed),
      lost = math.ceil(traffic.lost) },
  }
end

return story
