--- A Canary with revertOnDeletion that is deleted (state-machine §15): in each phase its user gets back what was there
--- before, to the byte.

local begin = require("spec.support.begin")
local recorded = require("spec.support.recorded")

local METRIC = "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"
local WEIGHTED = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25, stepWeightPromotion: 25, " .. METRIC

local OWNED = [[
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: demo, labels: {team: a}, annotations: {note: x}}
spec:
  selector: {app: app}
  ports: [{name: web, port: 80, targetPort: http}, {name: admin, port: 81, targetPort: 9898}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: app, namespace: demo}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: app}, minReplicas: 2, maxReplicas: 4}
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: app, namespace: demo, labels: {team: a}}
spec:
  hosts: [app.example.com]
  gateways: [public]
  http: [{match: [{uri: {prefix: /}}], route: [{destination: {host: app}}]}]
]]

local KINDS = { "Deployment", "Service", "HorizontalPodAutoscaler", "VirtualService" }
local SERVER = { resourceVersion = true, uid = true, generation = true, creationTimestamp = true, managedFields = true }

local function users_objects(run)
  local out = {}
  for _, kind in ipairs(KINDS) do
    local object = run.world:get(kind, "demo", "app")
    if object then
      object.status = nil
      for key in pairs(SERVER) do object.metadata[key] = nil end
      if kind == "Deployment" then object.metadata.annotations = nil end -- the Deployment controller's own
      out[kind] = object
    end
  end
  return out
end

local function phase(run) return run:status("demo", "app").phase end

-- how to get into each phase, and what of the user's own changes has to be there afterwards
local PHASES = {
  Initializing = { stuck_primary = true, go = function(run) run:wait_for_phase("demo", "app", "Initializing") end },
  Initialized = { go = function() end },
  Waiting = { gate = "confirm-rollout", change = true },
  Progressing = { change = true, go = function(run)
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end) end },
  WaitingPromotion = { gate = "confirm-promotion", change = true },
  Promoting = { change = true },
  Finalising = { change = true },
  Succeeded = { change = true },
  Failed = { change = true, image = "podinfo:2-err50" },
  ["Failed promotion"] = { change = true, go = function(run)
    run:wait_for_phase("demo", "app", "Promoting")
    run.world:break_pods("demo", "app-primary-*")
    run:wait(function() return phase(run) == "Failed" end, 1800)
  end },
}

local function deleted_in(name, case)
  local hooks = case.gate and { case.gate } or nil
  local run = begin.applied({ provider = "istio", analysis = WEIGHTED, objects = OWNED, hooks = hooks,
    spec = "  revertOnDeletion: true\n" ..
      "  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: app}" })
  local before = users_objects(run)
  if case.stuck_primary then run.world:break_pods("demo", "app-primary-*") else
    run:wait_for_phase("demo", "app", "Initialized")
    run:pass(1)
  end
  if case.gate then run.answers[case.gate] = 403 end
  if case.change then
    run.world:set_image("demo", "app", case.image or "podinfo:2")
    before.Deployment.spec.template.spec.containers[1].image = case.image or "podinfo:2"
  end
  if case.go then case.go(run) else run:wait(function() return phase(run) == name end, 900, name) end
  run.driver.options.check = nil
  run.world:delete("Canary", "demo", "app")
  run:wait(function() return run.world:get("Canary", "demo", "app") == nil end, 900, "the end of the Canary")
  run:pass(30)
  return run, before
end

describe("a Canary with revertOnDeletion", function()
  for name, case in pairs(PHASES) do
    it(("deleted in %s gives its user's objects back as they were"):format(name), function()
      local run, before = deleted_in(name, case)
      assert.same({}, recorded.compare(before, users_objects(run)))
      assert.is_nil(run.world:get("Deployment", "demo", "app-primary"))
      if not case.stuck_primary then
        assert.is_true(#run.world:endpoints("demo", "app") > 0)
      end
      assert.equal(0, run.world.traffic.lost)
      assert.equal(1, begin.told(run, "Terminating canary app.demo"))
      assert.equal(1, begin.told(run, "Terminated canary app.demo"))
    end)
  end

  local function initialised(change)
    change = change or {}
    change.spec = "  revertOnDeletion: true"
    local run = begin.initialised(change)
    assert.equal("finalizer.flagger.app", run.world:get("Canary", "demo", "app").metadata.finalizers[1])
    return run
  end

  local function gone(run, seconds)
    run.world:delete("Canary", "demo", "app")
    run:wait(function() return run.world:get("Canary", "demo", "app") == nil end, seconds or 60)
  end

  it("is gone although its target, its Service or its route is gone (gaps 3.17)", function()
    for kind, name in pairs({ Deployment = "app", Service = "app", TraefikService = "app" }) do
      local run = initialised({ check = false })
      run.world:patch("Canary", "demo", "app", { spec = { suspend = true } })
      run.world:delete(kind, "demo", name)
      gone(run)
    end
  end)

  it("gives everything back although its analysis cannot be read any more", function()
    local run = initialised({ check = false })
    run.world:patch("Canary", "demo", "app", { spec = { analysis = { interval = "soon" } } })
    gone(run)
    assert.equal(2, begin.replicas(run, "app"))
  end)

  it("is gone although its spec cannot be read any more", function()
    local run = initialised()
    run.world:patch("Canary", "demo", "app", { spec = { service = { port = 0.5 } } })
    gone(run)
  end)

  it("is gone although the target's pods never become ready, after five minutes", function()
    local run = initialised({ check = false })
    run.world:break_pods("demo", "app-*")
    gone(run, 330)
  end)

  it("loses its finalizer when revertOnDeletion is taken back, also while the engine was away", function()
    local run = initialised()
    run.world:patch("Canary", "demo", "app", { spec = { revertOnDeletion = false } })
    run:wait(function() return #(run.world:get("Canary", "demo", "app").metadata.finalizers or {}) == 0 end, 30)
  end)

  it("is not worked on by its own ticks while it goes", function()
    local run = initialised()
    run.world:delete("Canary", "demo", "app")
    run:wait(function() return run.world:get("Canary", "demo", "app") == nil end, 60)
    run:pass(120)
    assert.equal(2, begin.replicas(run, "app"))
    assert.is_nil(run.world:get("Deployment", "demo", "app-primary"))
  end)
end)

describe("a Canary without revertOnDeletion", function()
  it("takes what it made along and touches nothing else", function()
    local run = begin.initialised({ check = false })
    run.world:delete("Canary", "demo", "app")
    run:pass(30)
    assert.is_nil(run.world:get("Deployment", "demo", "app-primary"))
    assert.is_nil(run.world:get("TraefikService", "demo", "app"))
    assert.equal(0, begin.replicas(run, "app"))
  end)
end)

describe("a Canary whose route no Canary can own", function()
  local function initialised(spec)
    local run = begin.initialised({ provider = "kuma", spec = spec, check = false })
    local route = run.world:get("TrafficRoute", nil, "app")
    assert.is_nil(route.metadata.namespace or route.metadata.ownerReferences)
    assert.equal("finalizer.flagger.app", run.world:get("Canary", "demo", "app").metadata.finalizers[1])
    return run
  end

  local function gone(run)
    run.world:delete("Canary", "demo", "app")
    run:wait(function() return run.world:get("Canary", "demo", "app") == nil end, 60)
    run:pass(30)
  end

  it("deletes that route, and gives nothing back without revertOnDeletion", function()
    local run = initialised()
    gone(run)
    assert.is_nil(run.world:get("TrafficRoute", nil, "app"))
    assert.equal(0, begin.replicas(run, "app"))
    assert.equal(0, begin.told(run, "Terminating canary app.demo"))
  end)

  it("deletes that route and gives the rest back with revertOnDeletion", function()
    local run = initialised("  revertOnDeletion: true")
    gone(run)
    assert.is_nil(run.world:get("TrafficRoute", nil, "app"))
    assert.equal(2, begin.replicas(run, "app"))
    assert.equal(1, begin.told(run, "Terminated canary app.demo"))
  end)

  it("is gone although its route is gone", function()
    local run = initialised()
    run.world:patch("Canary", "demo", "app", { spec = { suspend = true } })
    run.world:delete("TrafficRoute", nil, "app")
    gone(run)
  end)

  it("leaves a route of its user's as it is without revertOnDeletion", function()
    local run = begin.applied({ provider = "kuma", check = false, objects = [[
---
apiVersion: kuma.io/v1alpha1
kind: TrafficRoute
metadata: {name: app}
mesh: default
spec: {destinations: [{match: {kuma.io/service: app_demo_svc_80}}], conf: {destination: {kuma.io/service: x}}}
]] })
    run:wait_for_phase("demo", "app", "Initialized")
    local before = run.world:get("TrafficRoute", nil, "app")
    assert.equal(2, #before.spec.conf.split)
    gone(run)
    assert.same(before, run.world:get("TrafficRoute", nil, "app"))
  end)

  it("leaves the route of a namesake in another namespace alone", function()
    local run = begin.applied({ provider = "kuma", check = false, objects = [[
---
apiVersion: kuma.io/v1alpha1
kind: TrafficRoute
metadata: {name: app}
mesh: default
spec:
  destinations: [{match: {kuma.io/service: app_other_svc_80}}]
  conf: {split: [{weight: 100, destination: {kuma.io/service: app-primary_other_svc_80}}]}
]] })
    local before = run.world:get("TrafficRoute", nil, "app")
    run:wait_for_phase("demo", "app", "Initialized")
    assert.is_table(run.world:get("TrafficRoute", nil, "app.demo"))
    gone(run)
    assert.is_nil(run.world:get("TrafficRoute", nil, "app.demo"))
    assert.same(before, run.world:get("TrafficRoute", nil, "app"))
  end)
end)
