--- Whole releases on the embedded cluster, in virtual time, with the invariants checked at every step.

local manifests = require("spec.support.manifests")
local scenario = require("spec.support.scenario")

local METRICS = "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}, " ..
  "{name: request-duration, thresholdRange: {max: 500}, interval: 30s}]"
local ANALYSIS = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 10, " .. METRICS

local function image(run, name)
  return run.world:get("Deployment", "demo", name).spec.template.spec.containers[1].image
end

local function initialised(provider, analysis, change)
  local run = scenario.new()
  run.world:apply(manifests.deployment("app", change) ..
    manifests.canary("app", { provider = provider, analysis = analysis or ANALYSIS }))
  run:wait_for_phase("demo", "app", "Initialized")
  return run
end

describe("a release", function()
  it("of a good revision goes through each weight and is promoted", function()
    local run = initialised("traefik")
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.same({ "Initializing 0 0", "Initialized 0 0", "Progressing 0 0", "Progressing 10 0", "Progressing 20 0",
      "Progressing 30 0", "Progressing 40 0", "Progressing 50 0", "Promoting 50 0", "Finalising 0 0", "Succeeded 0 0" },
      run:steps("demo", "app"))
    assert.equal("podinfo:2", image(run, "app-primary"))
    assert.equal(0, run.world:get("Deployment", "demo", "app").spec.replicas)
    assert.equal(0, run.world.traffic.lost)
  end)

  it("of a revision with 10 % errors is rolled back at the threshold, the primary untouched", function()
    local run = initialised("traefik")
    local before = run.world:get("Deployment", "demo", "app-primary")
    run.world:set_image("demo", "app", "podinfo:2-err10")
    run:wait_for_phase("demo", "app", "Failed")
    run:pass(30)
    local after = run.world:get("Deployment", "demo", "app-primary")
    assert.same(before.spec, after.spec)
    assert.equal(before.metadata.generation, after.metadata.generation)
    assert.equal(0, run.world:get("Deployment", "demo", "app").spec.replicas)
    assert.equal(0, run.world.traffic.lost)
    local texts = table.concat(run:messages("demo"), "\n")
    assert.truthy(texts:find("Rolling back app.demo failed checks threshold reached 3", 1, true))
    assert.truthy(texts:find("Canary failed! Scaling down app.demo", 1, true))
  end)

  it("that never becomes ready is rolled back after its deadline", function()
    local run = initialised("traefik")
    run.world.api:patch({ apiVersion = "apps/v1", kind = "Deployment", namespace = "demo", name = "app" },
      { spec = { progressDeadlineSeconds = 30,
        template = { metadata = { annotations = { ["sim/ready"] = "false" } } } } })
    run:wait_for_phase("demo", "app", "Progressing")
    run:wait_for_phase("demo", "app", "Failed")
    assert.equal("podinfo:1", image(run, "app-primary"))
  end)

  it("is started again by a newer revision", function()
    local run = initialised("traefik")
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait(function() return run:status("demo", "app").canaryWeight == 20 end)
    run.world:set_image("demo", "app", "podinfo:3")
    run:wait(function() return run:status("demo", "app").canaryWeight == 0 end)
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal("podinfo:3", image(run, "app-primary"))
    local texts = table.concat(run:messages("demo"), "\n")
    assert.truthy(texts:find("New revision detected! Restarting analysis for app.demo", 1, true))
  end)

  it("is not started by the target's way back to what was promoted", function()
    local run = initialised("traefik")
    run.world:set_image("demo", "app", "podinfo:2-err10")
    run:wait_for_phase("demo", "app", "Failed")
    run.world:set_image("demo", "app", "podinfo:1")
    run:pass(60)
    assert.equal("Failed", run:status("demo", "app").phase)
  end)

  it("follows a change of a ConfigMap it uses", function()
    local run = scenario.new()
    run.world:apply([[
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf, namespace: demo}
data: {color: blue}
]] .. manifests.deployment("app"):gsub("name: app, image",
      "envFrom: [{configMapRef: {name: conf}}], name: app, image") ..
      manifests.canary("app", { analysis = ANALYSIS }))
    run:wait_for_phase("demo", "app", "Initialized")
    run.world:patch("ConfigMap", "demo", "conf", { data = { color = "red" } })
    run:wait_for_phase("demo", "app", "Progressing", 30)
    assert.equal("blue", run.world:get("ConfigMap", "demo", "conf-primary").data.color)
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal("red", run.world:get("ConfigMap", "demo", "conf-primary").data.color)
  end)

  it("by blue/green runs its iterations and is promoted", function()
    local run = initialised("kubernetes", "interval: 10s, threshold: 3, iterations: 3")
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal("podinfo:2", image(run, "app-primary"))
    assert.equal(0, run.world.traffic.lost)
  end)

  it("walks traffic back to the primary in steps", function()
    local run = initialised("traefik", ANALYSIS .. ", stepWeightPromotion: 20")
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Succeeded")
    local steps = table.concat(run:steps("demo", "app"), "; ")
    assert.truthy(steps:find("Promoting 50 0; Promoting 30 0; Promoting 10 0; Finalising 0 0", 1, true), steps)
  end)

  it("without analysis is promoted as it is", function()
    local run = scenario.new()
    run.world:apply(manifests.deployment("app") .. manifests.canary("app", { spec = "  skipAnalysis: true" }))
    run:wait_for_phase("demo", "app", "Initialized")
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal("podinfo:2", image(run, "app-primary"))
    assert.truthy(table.concat(run:messages("demo"), "\n"):find("Canary analysis was skipped for app.demo", 1, true))
  end)
end)

describe("a canary that has nothing to do", function()
  it("writes nothing and asks nothing", function()
    local run = initialised("istio")
    run:pass(30)
    local calls = #run.world.api.calls
    run:pass(600)
    assert.equal(calls, #run.world.api.calls)
  end)
end)

describe("an advancing step", function()
  it("makes three requests: route, status, event", function()
    local run = initialised("istio", "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 10")
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait(function() return run:status("demo", "app").canaryWeight == 10 end)
    local before = #run.world.api.calls
    run:wait(function() return run:status("demo", "app").canaryWeight == 20 end)
    assert.equal(3, #run.world.api.calls - before)
  end)
end)

describe("a primary that cannot start", function()
  it("leaves the live target as it is (gaps 2.1)", function()
    local run = scenario.new()
    run.world:apply(manifests.deployment("app", { annotations = 'sim/ready: "true"' }) .. manifests.canary("app"))
    run.world.behaviour = nil
    run.world:break_pods("demo", "app-primary-*")
    run:pass(900)
    assert.equal(2, run.world:get("Deployment", "demo", "app").spec.replicas)
    assert.equal("Initializing", run:status("demo", "app").phase)
    assert.equal("PrimaryNotReady", run:condition("demo", "app", "Stalled").reason)
  end)
end)
