local burn_rate = require("policies.burn_rate")
local policy = require("spec.support.policy")

local function run(given) return policy.run(burn_rate, given or {}) end

describe("policies.burn_rate", function()
  it("goes on and promotes while the budget does not burn", function()
    local action, ticks, answer = policy.play(run(), policy.traffic(10000, .0005, .0005), 60)
    assert.equal("promote", action)
    assert.is_true(ticks >= 6)
    assert.is_truthy(answer.reason:find("^the whole run burns 0.%d+ times its budget$"))
  end)

  it("rolls back when both windows burn faster than their factor", function()
    local it = run()
    local action, _, answer = policy.play(it, policy.traffic(10000, .02, 0), 60)
    assert.same({ "rollback", "fail" }, { action, answer.evidence[1].verdict })
    assert.equal(10, it.weight)
    assert.is_truthy(answer.reason:find("^burn rate 600s/60s is reached: "))
  end)

  -- A budget of 0.1 %: a rate of 1 % burns it 10 times as fast as granted.
  it("rolls back at the factor and not below it", function()
    local pair = { { long = "10m", short = "1m", factor = 10 } }
    assert.equal("rollback", (policy.play(run({ windows = pair }), policy.traffic(10000, .01, 0), 20)))
    assert.not_equal("rollback", (policy.play(run({ windows = pair }), policy.traffic(10000, .0099, 0), 20)))
  end)

  it("forgives failures that are over", function()
    local it = run({ windows = { { long = "10m", short = "1m", factor = 14 } } })
    local bad, good, n, failed = 6, 0, 0, 0
    local function feed()
      n, failed = n + 1000, failed + (n < bad * 1000 and 13 or good)
      return { { name = "e", arm = "canary", t = it.t, counts = { total = n, failed = failed } } }
    end
    it.weight = 10
    for _ = 1, 6 do it.tick(feed) end
    n, failed = n + 1000, failed + 100
    local answer
    for _ = 1, 4 do answer = it.tick(feed) end
    assert.not_equal("rollback", answer.action)
    assert.equal("pass", answer.evidence[1].verdict)
  end)

  it("holds at the end when the run as a whole spent its budget", function()
    local action, _, answer = policy.play(run(), policy.traffic(10000, .003, 0), 60)
    assert.same({ "none", "hold" }, { action, answer.action })
    assert.is_truthy(answer.reason:find("^the whole run burns [23]%.%d+ times its budget$"))
  end)

  it("holds without new requests", function()
    local it = run()
    local feed = policy.traffic(10000, 0, 0)
    for _ = 1, 4 do it.tick(feed) end
    local weight = it.weight
    for _ = 1, 20 do assert.equal("hold", it.tick({}).action) end
    assert.equal(weight, it.weight)
    assert.equal("nodata", it.tick({}).evidence[1].verdict)
  end)

  it("holds and says why when its windows do not fit together", function()
    local answer = run({ windows = { { long = "10h", short = "5s", factor = 2 } } }).tick({})
    assert.same({ "hold", "error" }, { answer.action, answer.evidence[1].verdict })
    assert.is_truthy(answer.reason:find("^windows: expected a longest of at most 96 times"))
  end)

  it("obeys the checks", function()
    assert.equal("hold", run().tick({}, { passed = false, failed_checks = 4 }).action)
    assert.equal("rollback", run().tick({}, { passed = false, failed_checks = 5 }).action)
  end)
end)
