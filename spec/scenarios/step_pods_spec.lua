--- Steps that say how many pods the canary has.

local begin = require("spec.support.begin")
local STEPS = "[{weight: 5, replicas: 1}, {weight: 20, replicas: 3}, {weight: 50}]"

local function analysis(steps)
  return "interval: 10s, threshold: 2, metrics: [{name: request-success-rate, thresholdRange: {min: 99}, "
    .. "interval: 30s}], policy: {name: steps, params: {steps: " .. (steps or STEPS) .. "}}"
end

local function change_of(more)
  local out = { analysis = analysis(), deployment = { replicas = 6 } }
  for key, value in pairs(more or {}) do out[key] = value end
  return out
end

--- Notes weight and pods whenever one of them changes.
local function watch(run)
  local seen = {}
  run.world:every(1, function()
    local status = run:status("demo", "app")
    local one = ("%g/%d"):format(status.canaryWeight or 0, begin.replicas(run, "app"))
    if status.phase == "Progressing" and seen[#seen] ~= one then seen[#seen + 1] = one end
  end)
  return seen
end

local function at(run, weight)
  run:wait(function() return run:status("demo", "app").canaryWeight == weight end, 600, "weight " .. weight)
end

describe("steps with pods of their own", function()
  it("have them before their weight, and all of them before the promotion", function()
    local run = begin.progressing(change_of())
    local seen = watch(run)
    run:wait_for_phase("demo", "app", "Promoting")
    assert.same({ "0/1", "5/1", "5/3", "20/3", "20/6", "50/6" }, seen)
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal(6, begin.replicas(run, "app-primary"))
    assert.equal(0, begin.replicas(run, "app"))
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
    assert.equal(0, run.world.traffic.lost)
    assert.equal(1, begin.told(run, "Scaling app.demo to 3 pods"))
  end)

  it("have all of them before the promotion when the last step has few", function()
    local run = begin.progressing(change_of({ analysis = analysis("[{weight: 20, replicas: 2}]"),
      hooks = { "pre-rollout", "confirm-promotion" } }))
    run:wait_for_phase("demo", "app", "Promoting")
    assert.equal(6, begin.replicas(run, "app"))
    assert.same({ 1, 1 }, { begin.asked(run, "pre-rollout"), begin.asked(run, "confirm-promotion") })
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal(6, begin.replicas(run, "app-primary"))
  end)

  it("say what they wait for", function()
    local run = begin.progressing(change_of())
    at(run, 5)
    run:wait(function() return begin.replicas(run, "app") == 3 end)
    local waiting = run:status("demo", "app").waiting
    assert.same({ "pods", "3" }, { waiting["for"], waiting.detail })
    assert.same({ own = 6, from = 1, to = 3 }, run:status("demo", "app").scaled)
    at(run, 20)
    assert.is_nil(run:status("demo", "app").waiting)
  end)

  it("never have more than the target has by itself", function()
    local run = begin.progressing(change_of({ deployment = { replicas = 2 } }))
    local seen = watch(run)
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.same({ "0/1", "5/1", "5/2", "20/2", "50/2" }, seen)
    assert.equal(2, begin.replicas(run, "app-primary"))
  end)

  it("leave the dwell of the step before alone", function()
    local run = begin.progressing(change_of({ analysis = analysis(
      "[{weight: 5, replicas: 1, dwell: 60s}, {weight: 20, replicas: 3, dwell: 60s}]") }))
    at(run, 5)
    local began = run.world.now
    at(run, 20)
    assert.is_true(run.world.now - began <= 90, ("%d s"):format(run.world.now - began))
  end)

  it("are rolled back as any other", function()
    local run = begin.progressing(change_of({ image = "podinfo:2-err10" }))
    run:wait_for_phase("demo", "app", "Failed")
    run:pass(60)
    assert.same({ 6, 0 }, { begin.replicas(run, "app-primary"), begin.replicas(run, "app") })
    run.world:set_image("demo", "app", "podinfo:3")
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal(6, begin.replicas(run, "app-primary"))
  end)

  it("begin anew with a new revision, with the number of before", function()
    local run = begin.progressing(change_of())
    at(run, 20)
    run.world:set_image("demo", "app", "podinfo:3")
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.same({ 6, "podinfo:3" }, { begin.replicas(run, "app-primary"), begin.image(run, "app-primary") })
  end)

  it("obey whoever sets another number meanwhile", function()
    local run = begin.progressing(change_of())
    at(run, 5)
    run.world:patch("Deployment", "demo", "app", { spec = { replicas = 8 } })
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal(8, begin.replicas(run, "app-primary"))
  end)

  it("go on beside somebody who sets their number back each time", function()
    local run = begin.progressing(change_of())
    run.world:every(1, function()
      if begin.replicas(run, "app") ~= 0 and begin.replicas(run, "app") ~= 6 then
        run.world:patch("Deployment", "demo", "app", { spec = { replicas = 6 } })
      end
    end)
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal(6, begin.replicas(run, "app-primary"))
  end)

  for _, intent in ipairs({ "promote", "abort" }) do
    it("end by a person's " .. intent, function()
      local run = begin.progressing(change_of())
      at(run, 5)
      run.world:patch("Canary", "demo", "app", { metadata = { annotations = { ["serin.dev/intent"] = intent } } })
      run:wait_for_phase("demo", "app", intent == "promote" and "Promoting" or "Failed")
      if intent == "promote" then assert.equal(6, begin.replicas(run, "app")) end
      run:wait_for_phase("demo", "app", intent == "promote" and "Succeeded" or "Failed")
      assert.equal(6, begin.replicas(run, "app-primary"))
      assert.equal("done", run:status("demo", "app").intent.outcome)
    end)
  end

  it("give the target back as it was when the Canary is deleted", function()
    local run = begin.progressing(change_of({ spec = "  revertOnDeletion: true" }))
    at(run, 5)
    run.world:delete("Canary", "demo", "app")
    run:wait(function() return run.world:get("Canary", "demo", "app") == nil end)
    assert.equal(6, begin.replicas(run, "app"))
    assert.equal(0, run.world.traffic.lost)
  end)

  for message, change in pairs({
    ["expected none beside spec.autoscalerRef, which counts the canary's pods"] = {
      spec = "  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: app}" },
    ["expected none with provider replicas, which counts the canary's pods"] = { provider = "replicas",
      service = "port: 80, targetPort: http, selector: {tier: web}" },
  }) do
    it("are refused: " .. message, function()
      local run = begin.applied(change_of(change))
      run:wait(function() return run:condition("demo", "app", "Stalled") ~= nil end)
      assert.equal("spec.analysis.policy.params.steps[0].replicas: " .. message .. ", found 1",
        run:condition("demo", "app", "Stalled").message)
    end)
  end

  it("decided by a policy of one's own are held to the same", function()
    package.loaded["policies.mine"] = { name = "mine", api = 1, own_weights = true, params = {},
      decide = function(ctx)
        if ctx.now.weight >= 40 then return { action = "promote", reason = "enough" } end
        return { action = "shift", weight = ctx.now.weight + 20, replicas = 2, reason = "two" }
      end }
    finally(function() package.loaded["policies.mine"] = nil end)
    local run = begin.progressing(change_of({ analysis = "interval: 10s, threshold: 2, policy: {name: mine}" }))
    local seen = watch(run)
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.same({ "0/6", "0/2", "20/2", "40/2", "40/6" }, seen)
    assert.equal(6, begin.replicas(run, "app-primary"))
  end)
end)
