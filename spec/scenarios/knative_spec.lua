--- Whole releases of a Knative Service, on the embedded cluster (state-machine §7, §11.4).

local manifests = require("spec.support.manifests")
local scenario = require("spec.support.scenario")

local METRIC = "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"

--- A Canary of a Service of that name; its apiVersion is still a Deployment's.
local function canary(change)
  return (manifests.canary("app", change):gsub("kind: Deployment", "kind: Service"))
end

describe("a Knative Service", function()
  local KNATIVE = [[
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: app, namespace: demo}
spec: {template: {spec: {containers: [{image: "podinfo:1"}]}}}
]]
  local SIMPLE = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25"

  local function target(change)
    change = change or {}
    change.provider, change.analysis = change.provider or "knative", SIMPLE
    return (canary(change):gsub("apiVersion: apps/v1", "apiVersion: serving.knative.dev/v1"))
  end

  local function traffic(run)
    local out = {}
    for index, entry in ipairs(run.world:get("ksvc", "demo", "app").spec.traffic) do
      out[index] = ("%s %d"):format(entry.revisionName or "latest", entry.percent)
    end
    return table.concat(out, ", ")
  end

  local function set(run, image_name)
    run.world.api:patch({ apiVersion = "serving.knative.dev/v1", kind = "Service", namespace = "demo", name = "app" },
      { spec = { template = { spec = { containers = { { image = image_name } } } } } })
  end

  local function started()
    local run = scenario.new({ check = false })
    run.world:apply(KNATIVE)
    run.world:advance(5)
    run.world:apply(target())
    run:wait_for_phase("demo", "app", "Initialized", 30)
    return run
  end

  it("divides its traffic between Revisions, and is promoted", function()
    local run = started()
    assert.equal("latest 0, app-00001 100", traffic(run))
    set(run, "podinfo:2")
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    assert.equal("latest 25, app-00001 75", traffic(run))
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal("latest 0, app-00002 100", traffic(run))
    assert.is_nil(run.world:get("Service", "demo", "app-primary"))
  end)

  it("gives a Revision that is not ready no traffic", function()
    local run = started()
    set(run, "podinfo:2-broken")
    run:wait_for_phase("demo", "app", "Progressing")
    run:pass(120)
    assert.equal("latest 0, app-00001 100", traffic(run))
  end)

  it("is rolled back when a check fails: the primary keeps its Revision", function()
    local run = scenario.new({ check = false })
    run.world:apply(KNATIVE)
    run.world:advance(5)
    run.world:apply((target():gsub("analysis: {", "analysis: {" .. METRIC .. ", ", 1)))
    run.world.prometheus.answer = function() return 100 end
    run:wait_for_phase("demo", "app", "Initialized", 30)
    set(run, "podinfo:2")
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.world.prometheus.answer = function() return 50 end
    run:wait_for_phase("demo", "app", "Failed")
    run:pass(15)
    assert.equal("latest 0, app-00001 100", traffic(run))
    assert.equal("app-00001", run.world:get("ksvc", "demo", "app").metadata.annotations[
      "flagger.app/primary-revision"])
  end)

  it("says which Revision is gone", function()
    local run = started()
    run.world:delete("rev", "demo", "app-00001")
    set(run, "podinfo:2")
    run:pass(20)
    local texts = table.concat(run:messages("demo"), "\n")
    assert.truthy(texts:find("app-primary.demo not ready: revision app-00001 is not ready: it is not there", 1, true),
      texts)
  end)

  it("begins with its newest Revision, not with what an earlier Canary left", function()
    local run = scenario.new({ check = false })
    run.world:apply(KNATIVE)
    run.world:advance(5)
    set(run, "podinfo:2")
    run.world:advance(5)
    run.world:patch("ksvc", "demo", "app",
      { metadata = { annotations = { ["flagger.app/primary-revision"] = "app-00001" } } })
    run.world:apply(target())
    run:wait_for_phase("demo", "app", "Initialized", 30)
    assert.equal("latest 0, app-00002 100", traffic(run))
  end)

  it("may have the name of a Service of Kubernetes' with a Canary of its own", function()
    local run = scenario.new({ check = false })
    run.world:apply(KNATIVE .. [[
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: demo}
spec: {selector: {app: one}, ports: [{port: 80}]}
]])
    run.world:advance(5)
    run.world:apply(target() .. (canary({ provider = "istio", analysis = SIMPLE })
      :gsub("apiVersion: apps/v1", "apiVersion: v1"):gsub("metadata: {name: app,", "metadata: {name: other,")))
    run:wait_for_phase("demo", "app", "Initialized", 30)
    run:wait_for_phase("demo", "other", "Initialized", 30)
  end)

  it("goes with the provider knative and no scaler, and the provider with nothing else", function()
    local cases = {
      ["spec.provider: expected knative for this kind of target, found istio"] =
        KNATIVE .. target({ provider = "istio" }),
      ["spec.autoscalerRef: expected none for this kind of target, found HorizontalPodAutoscaler app"] = KNATIVE ..
        target({ spec = "  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: app}" }),
      ["spec.targetRef: expected a target of provider knative, found apps/v1 Deployment"] =
        manifests.deployment("app") .. manifests.canary("app", { provider = "knative" }),
    }
    for sentence, objects in pairs(cases) do
      local run = scenario.new()
      run.world:apply(objects)
      run:pass(10)
      assert.equal(sentence, run:condition("demo", "app", "Stalled").message)
    end
  end)

  it("is given back when its Canary is deleted", function()
    local run = scenario.new({ check = false })
    run.world:apply(KNATIVE)
    run.world:advance(5)
    run.world:apply(target({ spec = "  revertOnDeletion: true" }))
    run:wait_for_phase("demo", "app", "Initialized", 30)
    run.world:delete("Canary", "demo", "app")
    run:wait(function() return run.world:get("Canary", "demo", "app") == nil end, 60)
    local object = run.world:get("ksvc", "demo", "app")
    assert.is_nil(object.spec.traffic)
    assert.same({}, object.metadata.annotations or {})
  end)
end)
