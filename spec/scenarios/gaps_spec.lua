--- Each defect of gaps.md §2 and §3 that touches the lifecycle, under its number: what is safe instead.
--
-- Those of a single router are held in spec/routers/; those of a single target in targets_spec.lua and
-- knative_spec.lua.

local begin = require("spec.support.begin")
local manifests = require("spec.support.manifests")

local METRIC = "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"
local WEIGHTED = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25, " .. METRIC

local HPA = [[
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: app, namespace: demo, annotations: {note: x}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  minReplicas: 2
  maxReplicas: 10
]]
local SCALER = "  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: app}"

--- A run whose promotion failed: the primary's new pods never become ready.
local function failed_promotion(change)
  local run = begin.progressing(change or { analysis = WEIGHTED })
  run:wait(function() return run:status("demo", "app").canaryWeight == 50 end)
  run.world:break_pods("demo", "app-primary-*")
  run:wait_for_phase("demo", "app", "Failed", 1800)
  return run
end

describe("gaps 2.1", function()
  it("a primary that cannot start leaves the target its pods and its Service", function()
    local run = begin.applied()
    run.world:break_pods("demo", "app-primary-*")
    run:pass(900)
    assert.equal("Initializing", run:status("demo", "app").phase)
    assert.equal(2, begin.replicas(run, "app"))
    assert.is_nil(run.world:get("Service", "demo", "app"))
    assert.equal("PrimaryNotReady", run:condition("demo", "app", "Stalled").reason)
  end)
end)

describe("gaps 2.2", function()
  it("a failed promotion leaves the traffic on the canary, as a state of its own", function()
    local run = failed_promotion()
    assert.equal(100, run:status("demo", "app").canaryWeight)
    assert.equal("Promotion failed, traffic is on the canary.", run:condition("demo", "app", "Promoted").message)
    assert.equal("repair", run:status("demo", "app").waiting["for"])
    run:pass(600)
    assert.equal(2, begin.replicas(run, "app"))
    assert.equal(100, run:status("demo", "app").canaryWeight)
  end)

  it("the next revision repairs the primary before it gets traffic", function()
    local run = failed_promotion()
    run.world:mend_pods()
    run.world:set_image("demo", "app", "podinfo:3")
    run:wait_for_phase("demo", "app", "Succeeded", 1800)
    assert.equal("podinfo:3", begin.image(run, "app-primary"))
    assert.equal(0, run:status("demo", "app").canaryWeight)
    assert.is_nil(run:status("demo", "app").waiting)
  end)

  it("the way back to the last promoted revision is not ignored", function()
    local run = failed_promotion()
    run.world:mend_pods()
    run.world:set_image("demo", "app", "podinfo:1")
    run:wait_for_phase("demo", "app", "Succeeded", 1800)
    assert.equal("podinfo:1", begin.image(run, "app-primary"))
  end)

  it("a primary that becomes ready by itself ends the promotion", function()
    local run = failed_promotion()
    run.world:mend_pods()
    for _, pod in ipairs(run.world.api:all("v1", "Pod", "demo")) do
      if pod.metadata.name:find("primary", 1, true) then
        run.world.api:delete({ apiVersion = "v1", kind = "Pod", namespace = "demo", name = pod.metadata.name })
      end
    end
    run:wait_for_phase("demo", "app", "Succeeded", 1800)
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
  end)
end)

describe("gaps 2.4", function()
  it("a fraction where a weight is meant stops its own Canary alone", function()
    local run = begin.applied({ analysis = "interval: 10s, threshold: 3, stepWeight: 0.5" })
    run.world:apply(manifests.deployment("good") .. manifests.canary("good"))
    run:wait_for_phase("demo", "good", "Initialized")
    assert.equal("Canary app.demo is invalid: spec.analysis.stepWeight: expected an integer from 0 to 100, found 0.5",
      run:condition("demo", "app", "Stalled").message)
  end)
end)

describe("gaps 2.6", function()
  it("an edit does not get a Canary around -no-cross-namespace-refs", function()
    local run = begin.initialised({ analysis = WEIGHTED, settings = { "-metrics-server=http://prometheus:9090",
      "-no-cross-namespace-refs" } })
    run.world:patch("Canary", "demo", "app", { spec = { analysis = { metrics = {
      { name = "x", templateRef = { name = "x", namespace = "other" } } } } } })
    run:pass(5)
    assert.equal("CrossNamespace", run:condition("demo", "app", "Stalled").reason)
    run.world:set_image("demo", "app", "podinfo:2")
    run:pass(60)
    assert.equal("Initialized", run:status("demo", "app").phase)
  end)
end)

describe("gaps 3.1", function()
  it("drift of a route does not reset its weights", function()
    for _, case in ipairs({ { "istio", "VirtualService" }, { "traefik", "TraefikService" } }) do
      local run = begin.progressing({ provider = case[1], analysis = WEIGHTED, hooks = { "pre-rollout" } })
      run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
      run.world:patch(case[2], "demo", "app", { metadata = { labels = { foreign = "x" }, annotations = {
        ["kustomize.toolkit.fluxcd.io/reconcile"] = "enabled" } } })
      run:pass(3)
      assert.equal(25, run:status("demo", "app").canaryWeight)
      run:wait_for_phase("demo", "app", "Succeeded")
      assert.equal(1, begin.asked(run, "pre-rollout"))
    end
  end)

  it("editing the service's settings in the middle of a run does not either", function()
    local run = begin.progressing({ provider = "istio", analysis = WEIGHTED })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.world:patch("Canary", "demo", "app", { spec = { service = { timeout = "15s" } } })
    run:pass(3)
    local http = run.world:get("VirtualService", "demo", "app").spec.http[1]
    assert.equal("15s", http.timeout)
    assert.equal(75, http.route[1].weight)
    run:wait_for_phase("demo", "app", "Succeeded")
  end)
end)

describe("gaps 3.4", function()
  it("mirror is refused in words where the router does not mirror", function()
    local run = begin.applied({ analysis = WEIGHTED .. ", mirror: true" })
    run:pass(20)
    assert.equal("spec.analysis.mirror: expected a provider that mirrors in this strategy, found traefik",
      run:condition("demo", "app", "Stalled").message)
  end)
end)

describe("gaps 3.7", function()
  local AFFINITY = WEIGHTED .. ", sessionAffinity: {cookieName: c, primaryCookieName: p, maxAge: 100}"

  local function cookies(run)
    local status = run:status("demo", "app")
    return status.sessionAffinityCookie, status.primarySessionAffinityCookie, status.previousSessionAffinityCookie
  end

  it("cookies survive conflicts and are those of the route", function()
    local run = begin.initialised({ provider = "istio", analysis = AFFINITY })
    local conflicts = 0
    run.world.api.fault = function(call)
      if not call.write or call.ref.kind ~= "Canary" or conflicts > 4 then return nil end
      conflicts = conflicts + 1
      return { before = "CONFLICT" }
    end
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    local canary = cookies(run)
    assert.truthy(canary:find("^c=%a%a%a%a%a%a%a%a%a%a$"), canary)
    local route = require("json").encode(run.world:get("VirtualService", "demo", "app").spec)
    assert.truthy(route:find(canary, 1, true))
  end)

  it("both cookies are new in each run, and the last one's is told to go", function()
    local run = begin.progressing({ provider = "istio", analysis = AFFINITY })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    local canary, primary = cookies(run)
    run:wait_for_phase("demo", "app", "Succeeded")
    local after, _, previous = cookies(run)
    assert.is_nil(after)
    assert.equal(canary, previous)
    run.world:set_image("demo", "app", "podinfo:3")
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    local canary2, primary2 = cookies(run)
    assert.is_not.equal(canary, canary2)
    assert.is_not.equal(primary, primary2)
  end)
end)

describe("gaps 3.12", function()
  it("a canary past its deadline is rolled back and says so", function()
    local run = begin.initialised({ analysis = WEIGHTED })
    run.world:patch("Deployment", "demo", "app", { spec = { progressDeadlineSeconds = 30 } })
    run.world:break_pods("demo", "app-*")
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Progressing")
    run:wait_for_phase("demo", "app", "Failed", 300)
    assert.equal(1, begin.told(run,
      'canary deployment app.demo not ready: deployment "app" exceeded its progress deadline'))
  end)
end)

describe("gaps 3.13", function()
  it("the weight is shown while a promotion waits, and iterations are never below zero", function()
    local run = begin.initialised({ analysis = WEIGHTED, hooks = { "confirm-promotion" } })
    run.answers["confirm-promotion"] = 403
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "WaitingPromotion")
    run:pass(30)
    assert.same({ 50, 0 }, { run:status("demo", "app").canaryWeight, run:status("demo", "app").iterations })
  end)
end)

describe("gaps 3.14", function()
  it("steps that do not ascend are refused in words", function()
    for steps, found in pairs({ ["[10, 5]"] = 5, ["[0, 5]"] = 0 }) do
      local run = begin.applied({ analysis = "interval: 10s, threshold: 3, stepWeights: " .. steps })
      run:pass(5)
      local message = run:condition("demo", "app", "Stalled").message
      assert.truthy(message:find("stepWeights", 1, true) and message:find("found " .. found, 1, true), message)
    end
  end)
end)

describe("gaps 3.16", function()
  it("another writer of the target costs a repetition and nothing else", function()
    local run = begin.progressing({ analysis = WEIGHTED })
    local n = 0
    run.world:every(0.5, function()
      n = n + 1
      run.world:annotate("Canary", "demo", "app", { touched = tostring(n) })
      run.world:annotate("TraefikService", "demo", "app", { touched = tostring(n) })
    end)
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.truthy(run.world:get("TraefikService", "demo", "app").metadata.annotations.touched)
  end)
end)

describe("gaps 3.19", function()
  it("of two Canaries on one target the older one has it, and the other says why it waits", function()
    local run = begin.initialised()
    run.world:apply(manifests.canary("second", { target = "app", service = "name: second, port: 80" }))
    run:pass(5)
    assert.equal("TargetTaken", run:condition("demo", "second", "Stalled").reason)
    assert.is_nil(run:condition("demo", "app", "Stalled"))
  end)

  it("of two Canaries with one scaler as well", function()
    local run = begin.initialised({ objects = HPA, spec = SCALER })
    run.world:apply(manifests.deployment("other") .. manifests.canary("other", { spec = SCALER }))
    run:pass(60)
    assert.equal("ScalerTaken", run:condition("demo", "other", "Stalled").reason)
  end)

  it("of two Canaries with one apex Service as well", function()
    local run = begin.initialised()
    run.world:apply(manifests.deployment("other") ..
      manifests.canary("other", { service = "name: app, port: 80, targetPort: http" }))
    run:pass(60)
    assert.equal("ServiceOwned", run:condition("demo", "other", "Stalled").reason)
  end)
end)

describe("gaps 3.20", function()
  it("a primary without pods is not ready", function()
    local run = begin.initialised({ check = false })
    run.world:patch("Deployment", "demo", "app-primary", { spec = { replicas = 0 } })
    run.world:set_image("demo", "app", "podinfo:2")
    run:pass(90)
    assert.equal(0, run:status("demo", "app").canaryWeight or 0)
  end)

  it("the primary's scaler is written once at a promotion, not again and again", function()
    local run = begin.progressing({ analysis = WEIGHTED, objects = HPA, spec = SCALER })
    run:wait_for_phase("demo", "app", "Succeeded")
    local writes = 0
    for _, call in ipairs(run.world.api.calls) do
      if call.write and call.ref.kind == "HorizontalPodAutoscaler" then writes = writes + 1 end
    end
    assert.equal(1, writes) -- its creation
  end)

  it("the primary has the pods for the traffic it gets back before it gets it", function()
    local run = begin.progressing({ objects = HPA, spec = SCALER,
      analysis = "interval: 10s, threshold: 3, iterations: 2" })
    -- all the load is on the canary, so its scaler gave it six pods and the primary two
    run:wait(function() return run:status("demo", "app").iterations == 3 end)
    run.world:patch("Deployment", "demo", "app", { spec = { replicas = 6 } })
    run:wait_for_phase("demo", "app", "Promoting")
    local when_it_came
    run:wait(function()
      local share = 0
      for _, item in ipairs(run.world:get("TraefikService", "demo", "app").spec.weighted.services) do
        if item.name == "app-primary" then share = item.weight end
      end
      local primary = run.world:get("Deployment", "demo", "app-primary")
      if share == 100 then when_it_came = primary.status.availableReplicas end
      return share == 100
    end)
    assert.is_true(when_it_came >= 6, when_it_came)
    run:wait_for_phase("demo", "app", "Succeeded")
  end)

  it("a primary that cannot get those pods holds the promotion up for its deadline only", function()
    local run = begin.progressing({ objects = HPA, spec = SCALER,
      analysis = "interval: 10s, threshold: 3, iterations: 2" })
    run:wait(function() return run:status("demo", "app").iterations == 3 end)
    run.world:patch("Deployment", "demo", "app", { spec = { replicas = 6 } })
    run:wait_for_phase("demo", "app", "Promoting")
    run:wait(function() return begin.replicas(run, "app-primary") == 6 end)
    run.world:patch("Deployment", "demo", "app-primary", { spec = { replicas = 2 } })
    run:wait_for_phase("demo", "app", "Succeeded", 600)
  end)
end)
