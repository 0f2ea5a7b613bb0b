--- A ScaledObject of KEDA's beside the target, on the embedded cluster (state-machine §12).

local manifests = require("spec.support.manifests")
local scenario = require("spec.support.scenario")

local METRIC = "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"
local WEIGHTED = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25, " .. METRIC

describe("a ScaledObject", function()
  local OBJECTS = [[
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: app, namespace: demo, labels: {team: a}, annotations: {note: x}}
spec:
  scaleTargetRef: {name: app}
  minReplicaCount: 2
  maxReplicaCount: 6
  newField: {of: a newer KEDA}
  advanced: {horizontalPodAutoscalerConfig: {name: app-hpa}}
  triggers:
  - {type: prometheus, name: load, metadata: {query: "sum(rate(x{app=\"app\"}[1m])) + y{s=\"app-canary\"}"}}
  - {type: cpu, metadata: {value: "60"}}
]] .. manifests.deployment("app")
  local SCALER = "  autoscalerRef: {apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: app%s}"

  local function started(more, spec)
    local run = scenario.new()
    run.world:apply(OBJECTS .. manifests.canary("app", { analysis = WEIGHTED,
      spec = SCALER:format(more or "") .. (spec or "") }))
    run:wait_for_phase("demo", "app", "Initialized")
    return run
  end

  local function paused(run)
    return run.world:get("ScaledObject", "demo", "app").metadata.annotations["autoscaling.keda.sh/paused-replicas"]
  end

  it("is copied for the primary, with queries about it", function()
    local run = started()
    local copy = run.world:get("ScaledObject", "demo", "app-primary")
    assert.equal("app-primary", copy.spec.scaleTargetRef.name)
    assert.equal("app-hpa-primary", copy.spec.advanced.horizontalPodAutoscalerConfig.name)
    assert.equal('sum(rate(x{app-primary="app-primary"}[1m])) + y{s="app-primary"}',
      copy.spec.triggers[1].metadata.query)
    assert.same({ note = "x" }, copy.metadata.annotations)
    assert.same({ of = "a newer KEDA" }, copy.spec.newField)
  end)

  it("takes queries and bounds of the primary from the Canary", function()
    local run = started(", primaryScalerQueries: {load: own}, primaryScalerReplicas: {minReplicas: 3, maxReplicas: 9}")
    local spec = run.world:get("ScaledObject", "demo", "app-primary").spec
    assert.same({ "own", 3, 9 }, { spec.triggers[1].metadata.query, spec.minReplicaCount, spec.maxReplicaCount })
  end)

  it("whose triggers the Canary's queries do not know stalls the Canary, and nothing is scaled", function()
    local run = scenario.new()
    run.world:apply(OBJECTS .. manifests.canary("app", { analysis = WEIGHTED,
      spec = SCALER:format(", primaryScalerQueries: {laod: own}") }))
    run:pass(20)
    local found = run:condition("demo", "app", "Stalled")
    assert.equal("ScalerUnfit", found.reason)
    assert.truthy(found.message:find("ScaledObject app.demo (load), found laod", 1, true), found.message)
    assert.equal(2, run.world:get("Deployment", "demo", "app").spec.replicas)
  end)

  it("of another owner is left alone", function()
    local run = scenario.new()
    run.world:apply(OBJECTS)
    run.world:apply(([[
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: app-primary
  namespace: demo
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: app, uid: %s, controller: true}]
spec: {scaleTargetRef: {name: other}}
]]):format(run.world:get("Deployment", "demo", "app").metadata.uid) .. manifests.canary("app",
      { analysis = WEIGHTED, spec = SCALER:format("") }))
    run:pass(20)
    assert.equal("ScaledObject app-primary.demo: expected to be free or this Canary's own, found it controlled by " ..
      "Deployment app", run:condition("demo", "app", "Stalled").message)
  end)

  it("is paused while the target rests and let go while it is a canary, its fields untouched", function()
    local run = started()
    run:pass(30)
    assert.equal("0", paused(run))
    assert.equal(0, run.world:get("Deployment", "demo", "app").spec.replicas)
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Progressing")
    assert.is_nil(paused(run))
    run:wait_for_phase("demo", "app", "Succeeded")
    run:pass(30)
    assert.equal("0", paused(run))
    assert.equal(0, run.world:get("Deployment", "demo", "app").spec.replicas)
    assert.same({ of = "a newer KEDA" }, run.world:get("ScaledObject", "demo", "app").spec.newField)
  end)

  it("is paused after a rollback, when the canary's traffic is gone", function()
    local run = started()
    run.world:set_image("demo", "app", "podinfo:2-err50")
    run:wait_for_phase("demo", "app", "Failed")
    run:pass(30)
    assert.equal("0", paused(run))
    assert.equal(0, run.world:get("Deployment", "demo", "app").spec.replicas)
  end)

  it("is let go when its Canary is deleted", function()
    local run = started(nil, "\n  revertOnDeletion: true")
    run.driver.options.check = nil
    run.world:delete("Canary", "demo", "app")
    run:wait(function() return run.world:get("Canary", "demo", "app") == nil end, 120)
    assert.is_nil(paused(run))
  end)
end)
