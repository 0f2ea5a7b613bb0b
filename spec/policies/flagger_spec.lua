local flagger = require("policies.flagger")
local frozen = require("spec.support.frozen")

describe("policies.flagger", function()
  local function path(strategy, analysis, now)
    local steps = {}
    now = now or { weight = 0, mirrored = false, iterations = 0, failed_checks = 0, passed = true }
    for _ = 1, 50 do
      local decision = flagger.decide(frozen({ strategy = strategy, analysis = analysis, now = now }))
      local routes = decision.routes
      local where = routes and " " .. routes.primary .. (routes.mirrored and " mirrored" or "") or ""
      steps[#steps + 1] = decision.action .. where
      if decision.action == "promote" then return steps end
      now = { weight = routes and routes.canary or now.weight, mirrored = routes and routes.mirrored or false,
        iterations = decision.iterations or now.iterations, failed_checks = 0, passed = true }
    end
    return steps
  end

  it("walks up by stepWeight, over the maximum if the last step does", function()
    assert.same({ "shift 80", "shift 60", "shift 40", "promote" },
      path("canary", { threshold = 1, step_weight = 20, max_weight = 50 }))
    assert.same({ "shift 50", "shift 0", "promote" },
      path("canary", { threshold = 1, step_weight = 50, max_weight = 100 }))
  end)

  it("walks stepWeights", function()
    assert.same({ "shift 99", "shift 98", "shift 90", "shift 20", "promote" },
      path("canary", { threshold = 1, step_weights = { 1, 2, 10, 80 }, step_weight = 0, max_weight = 80 }))
    assert.same({ "shift 99", "shift 98", "shift 90", "shift 0", "promote" },
      path("canary", { threshold = 1, step_weights = { 1, 2, 10, 200 }, step_weight = 0, max_weight = 100 }))
  end)

  it("goes on from a weight that stepWeights no longer name", function()
    assert.same({ "shift 90", "shift 20", "promote" }, path("canary",
      { threshold = 1, step_weights = { 1, 2, 10, 80 }, step_weight = 0, max_weight = 80 },
      { weight = 5, mirrored = false, iterations = 0, failed_checks = 0, passed = true }))
  end)

  it("mirrors once before the first step", function()
    assert.same({ "shift 100 mirrored", "shift 50", "promote" },
      path("canary", { threshold = 1, mirror = true, step_weight = 50, max_weight = 50 }))
  end)

  it("counts iterations of blue/green, then switches, then promotes", function()
    assert.same({ "iterate", "iterate", "shift 0", "promote" }, path("blue-green", { threshold = 1, iterations = 2 }))
  end)

  it("sends matching requests to the canary in every iteration of A/B", function()
    assert.same({ "shift 0", "shift 0", "promote" }, path("ab-testing", { threshold = 1, iterations = 2 }))
  end)

  it("holds below the threshold and rolls back exactly at it", function()
    local function decide(failed, passed)
      return flagger.decide({ strategy = "canary", analysis = { threshold = 3, step_weight = 10, max_weight = 50 },
        now = { weight = 10, iterations = 0, failed_checks = failed, passed = passed } }).action
    end
    assert.equal("hold", decide(2, false))
    assert.equal("shift", decide(2, true))
    assert.equal("rollback", decide(3, false))
    assert.equal("rollback", decide(3, true))
  end)

  it("never raises the weight while checks do not pass", function()
    for weight = 0, 100 do
      for failed = 0, 5 do
        local decision = flagger.decide({ strategy = "canary",
          analysis = { threshold = 4, step_weight = 10, max_weight = 50 },
          now = { weight = weight, iterations = 0, failed_checks = failed, passed = false } })
        assert.is_true(decision.action == "hold" or decision.action == "rollback")
      end
    end
  end)
end)
