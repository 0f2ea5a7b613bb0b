--- Flagger is stopped at any step, and Serin goes on: no weight is reset, nothing is started again, no hook is lost.

local begin = require("spec.support.begin")
local scenario = require("spec.support.scenario")
local takeover = require("spec.support.takeover")

--- The world as Flagger left it, its pods ready, the engine not yet started.
local function left_at(step)
  local run = scenario.new({ path = "/api" })
  run.answers, run.calls = {}, {}
  run.world:apply(takeover.input("istio"))
  local objects = takeover.objects("istio", step, "demo")
  local canary = table.remove(objects, 1)
  local status = canary.status
  canary.status = nil
  run.world:apply(canary)
  local uid = run.world:get("Canary", "demo", "app").metadata.uid
  for _, object in ipairs(objects) do run.world:apply(takeover.own(object, uid)) end
  run.world:patch("Canary", "demo", "app", { status = status }, { subresource = "status" })
  for _, hook in ipairs(canary.spec.analysis.webhooks) do
    run.world.hooks[hook.url] = function(body)
      if hook.type ~= "event" then run.calls[#run.calls + 1] = hook.name end
      return run.answers[hook.name] or 200, body
    end
  end
  run.world.prometheus.answer = function(query) return query:find("histogram", 1, true) and 50 or 99.9 end
  run.world:advance(30)
  run.statuses = {}
  return run
end

local REST = { "rollout", "confirm-traffic-increase", "confirm-promotion", "post-rollout" }

local function after(list, ...)
  local out = { ... }
  for _, item in ipairs(list) do out[#out + 1] = item end
  return out
end

-- step -> what is still to come: the steps of the status, and the hooks in their order
local EXPECTED = {
  ["Progressing 0 0"] = { "Progressing 0 0; Progressing 25 0; Progressing 50 0; Promoting 50 0; Finalising 0 0; " ..
    "Succeeded 0 0", after(REST, "pre-rollout", "confirm-traffic-increase", "rollout", "confirm-traffic-increase") },
  ["Progressing 25 0"] = { "Progressing 25 0; Progressing 50 0; Promoting 50 0; Finalising 0 0; Succeeded 0 0",
    after(REST, "rollout", "confirm-traffic-increase") },
  ["Progressing 50 0"] = { "Progressing 50 0; Promoting 50 0; Finalising 0 0; Succeeded 0 0", REST },
  ["WaitingPromotion"] = { "WaitingPromotion 50 0; Promoting 50 0; Finalising 0 0; Succeeded 0 0",
    { "rollout", "confirm-promotion", "post-rollout" } },
  ["Promoting 50 0"] = { "Promoting 50 0; Finalising 0 0; Succeeded 0 0", { "post-rollout" } },
  ["Finalising 0 0"] = { "Finalising 0 0; Succeeded 0 0", { "post-rollout" } },
  ["Waiting"] = { "Waiting 0 0; Progressing 0 0; Progressing 25 0; Progressing 50 0; Promoting 50 0; " ..
    "Finalising 0 0; Succeeded 0 0",
    after(REST, "confirm-rollout", "pre-rollout", "confirm-traffic-increase", "rollout",
    "confirm-traffic-increase") },
}

describe("a takeover from Flagger", function()
  for step, expected in pairs(EXPECTED) do
    it("at " .. step .. " goes on where it stood", function()
      local run = left_at(step)
      run:wait_for_phase("demo", "app", "Succeeded", 300)
      run:pass(30)
      assert.equal(expected[1], table.concat(run:steps("demo", "app"), "; "))
      assert.same(expected[2], run.calls)
      assert.equal("podinfo:2", begin.image(run, "app-primary"))
      assert.equal(0, run.world.traffic.lost)
    end)
  end

  it("while it initialises ends the initialisation", function()
    local run = left_at("Initializing 0 0")
    run:wait_for_phase("demo", "app", "Initialized", 120)
    assert.equal(0, begin.replicas(run, "app"))
  end)

  local at_rest = { ["Initialized 0 0"] = "podinfo:1", ["Succeeded 0 0"] = "podinfo:2", Failed = "podinfo:2" }
  for step, image in pairs(at_rest) do
    it("in rest (" .. step .. ") starts nothing, and then follows the next revision", function()
      local run = left_at(step)
      local phase = run:status("demo", "app").phase
      run:pass(120)
      assert.equal(phase, run:status("demo", "app").phase)
      assert.equal(image, begin.image(run, "app"))
      assert.same({}, run.calls)
      run.world:set_image("demo", "app", "podinfo:3")
      run:wait_for_phase("demo", "app", "Progressing", 60)
      run:wait_for_phase("demo", "app", "Succeeded", 300)
      assert.equal("podinfo:3", begin.image(run, "app-primary"))
    end)
  end

  it("after a rollback does not start the way back to what the primary runs", function()
    local run = left_at("Failed")
    run:pass(30)
    run.world:set_image("demo", "app", "podinfo:1")
    run:pass(60)
    assert.equal("Failed", run:status("demo", "app").phase)
  end)

  it("after a failed promotion leaves the traffic on the canary until the primary is well", function()
    local run = left_at("Failed promotion")
    run.world:break_pods("demo", "app-primary-*")
    run:wait_for_phase("demo", "app", "Succeeded", 600)
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
    assert.equal(0, run.world.traffic.lost)
  end)

  it("writes nothing to what Flagger made while there is nothing to do", function()
    local run = left_at("Succeeded 0 0")
    local before = #run.world.api.calls
    run:pass(60)
    for index = before + 1, #run.world.api.calls do
      local call = run.world.api.calls[index]
      assert.is_true(not call.write or call.ref.kind == "Canary" and call.body.spec == nil, call.ref.kind)
    end
  end)
end)
