local policy = require("spec.support.policy")
local steps = require("policies.steps")

local function run(list) return policy.run(steps, { steps = list }) end

local function walk(it, count, more)
  local out = {}
  for index = 1, count do
    local answer = it.tick({}, more)
    out[index] = answer.action .. (answer.weight and " " .. answer.weight or "")
    if answer.action == "promote" then break end
  end
  return out
end

describe("policies.steps", function()
  it("stays at each step for its own time", function()
    assert.same({ "shift 5", "hold", "shift 20", "hold", "hold", "hold", "shift 60", "promote" },
      walk(run({ { weight = 5, dwell = "1m" }, { weight = 20, dwell = "2m" }, { weight = 60 } }), 20))
  end)

  it("asks to be called when the dwell is over", function()
    local it = run({ { weight = 5, dwell = "45s" } })
    it.tick({})
    local answer = it.tick({})
    assert.same({ "hold", 15 }, { answer.action, answer.after })
  end)

  it("waits at a gate until it is approved", function()
    local it = run({ { weight = 5, approve = "qa" }, { weight = 50 } })
    assert.same({ "shift 5", "pause", "pause" }, walk(it, 3))
    local answer = it.tick({}, { approvals = { sre = true } })
    assert.same({ "pause", "qa", "waiting for approve=qa" }, { answer.action, answer.approval, answer.reason })
    assert.same({ "shift 50" }, walk(it, 1, { approvals = { qa = true } }))
  end)

  it("asks for the pods of a step", function()
    local it = run({ { weight = 5, replicas = 1 }, { weight = 50 } })
    assert.equal(1, it.tick({}).replicas)
    assert.is_nil(it.tick({}).replicas)
    assert.same({ { replicas = 8, step = 2, path = "p.steps[1].replicas" } },
      steps.pods({ steps = { { weight = 5 }, { weight = 50, replicas = 8 } } }, "p"))
  end)

  it("says that the pods of steps can only grow", function()
    assert.equal("p.steps[1].replicas: expected at least 3 as at the step before, found 2",
      steps.check({ steps = { { weight = 5, replicas = 3 }, { weight = 50, replicas = 2 } } }, "p"))
    assert.equal("p.steps[1].replicas: expected none as at the step before, found 8",
      steps.check({ steps = { { weight = 5 }, { weight = 50, replicas = 8 } } }, "p"))
    assert.is_nil(steps.check({ steps = { { weight = 5, replicas = 1 }, { weight = 6, replicas = 1 },
      { weight = 50 } } }, "p"))
  end)

  it("names its gates", function()
    assert.same({ "qa", "sre" }, steps.gates({ steps = { { approve = "qa" }, { weight = 3 }, { approve = "sre" } } }))
  end)

  it("holds while checks fail and rolls back at the threshold", function()
    local it = run({ { weight = 5 }, { weight = 50 } })
    it.tick({})
    assert.equal("hold", it.tick({}, { passed = false, failed_checks = 4 }).action)
    assert.equal("rollback", it.tick({}, { passed = false, failed_checks = 5 }).action)
    assert.equal("rollback", it.tick({}, { passed = true, failed_checks = 5 }).action)
    assert.equal(5, it.weight)
  end)

  it("makes two steps of one weight", function()
    local it = run({ { weight = 5 }, { weight = 5, approve = "qa" }, { weight = 50 } })
    assert.same({ "shift 5", "shift 5", "pause" }, walk(it, 3))
  end)

  it("goes on from the weight it finds when its state is lost", function()
    local it = run({ { weight = 5 }, { weight = 20, dwell = "1m" }, { weight = 60 } })
    it.weight = 20
    assert.same({ "hold", "hold", "shift 60" }, walk(it, 3))
  end)

  it("goes back to its step when traffic was taken away, with all of its dwell", function()
    local it = run({ { weight = 5 }, { weight = 20, dwell = "1m" } })
    assert.same({ "shift 5", "shift 20", "hold" }, walk(it, 3))
    it.weight = 0
    assert.same({ "shift 5", "shift 20", "hold", "promote" }, walk(it, 4))
  end)

  it("believes no state from the future or of another kind", function()
    for _, state in ipairs({ { step = 1, since = 1e9 }, { step = 9 }, { step = "x", since = {} },
      { since = 0 / 0 } }) do
      local it = run({ { weight = 5, dwell = "1m" } })
      it.weight, it.state = 5, state
      assert.equal("hold", it.tick({}).action)
    end
  end)
end)
