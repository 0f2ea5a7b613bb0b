local policy = require("spec.support.policy")
local random = require("sandbox.random")
local sequential = require("policies.sequential")

local DAY = { patience = "24h" }

local function with(more)
  local out = { patience = "24h" }
  for key, value in pairs(more) do out[key] = value end
  return out
end

describe("policies.sequential", function()
  it("promotes a healthy canary before its time and says what it knows", function()
    local run = policy.run(sequential, DAY)
    local action, ticks, answer = policy.play(run, policy.traffic(5000, .01, .01), 120)
    assert.same({ "promote", "every metric is shown to be not worse" }, { action, answer.reason })
    assert.is_true(ticks < 40)
    assert.equal("pass", answer.evidence[1].verdict)
    assert.is_truthy(answer.evidence[1].value:find("^canary 1%.%d+%% of %d+, primary %d%.%d+%% of %d+; E worse"))
  end)

  it("rolls a canary with three times the failures back at its first weights", function()
    local run = policy.run(sequential, DAY)
    local action, ticks, answer = policy.play(run, policy.traffic(5000, .03, .01), 120)
    assert.equal("rollback", action)
    assert.is_true(ticks < 15 and run.weight <= 20)
    assert.is_truthy(answer.reason:find("^errors is worse: canary"))
    assert.equal("fail", answer.evidence[1].verdict)
  end)

  it("needs no failures to promote", function()
    local action, ticks = policy.play(policy.run(sequential, DAY), policy.traffic(5000, 0, 0), 120)
    assert.equal("promote", action)
    assert.is_true(ticks < 20)
  end)

  it("does not promote a canary that is worse by less than it can tell", function()
    local run = policy.run(sequential, with({ margin = 3, tolerance = 0.5 }))
    assert.equal("none", (policy.play(run, policy.traffic(2000, .02, .01), 100)))
    assert.equal(50, run.weight)
  end)

  it("holds without data and asks a person in the end", function()
    local run = policy.run(sequential, { patience = "10m" })
    local first = run.tick({})
    assert.same({ "shift", 10 }, { first.action, first.weight })
    local action, ticks, answer = policy.play(run, function() return {} end, 100)
    assert.same({ "pause", 20, "not enough data at this weight" }, { action, ticks, answer.reason })
    assert.equal(10, run.weight)
  end)

  it("raises no weight before it has seen enough of the canary there", function()
    local run = policy.run(sequential, with({ min_requests = 1000 }))
    local feed = policy.traffic(1000, .01, .01)
    for _ = 1, 10 do run.tick(feed) end
    assert.equal(10, run.weight)
    for _ = 1, 3 do run.tick(feed) end
    assert.equal(20, run.weight)
  end)

  it("stays where it is while the canary looks worse", function()
    local run = policy.run(sequential, with({ alpha = 1e-6 }))
    local feed = policy.traffic(2000, .03, .01)
    local last
    for _ = 1, 9 do last = run.tick(feed) end
    assert.same({ "hold", 10 }, { last.action, run.weight })
    assert.is_truthy(last.reason:find("^errors looks worse: E "))
  end)

  it("leaves out the interval in which the weight changed when it is not told when", function()
    local run = policy.run(sequential, DAY)
    local feed = policy.traffic(1000, .01, .01)
    run.tick(feed)
    run.since = nil
    assert.equal(0, run.tick(feed).state.metrics.errors.c[2])
    assert.equal(100, run.tick(feed).state.metrics.errors.c[2])
  end)

  it("obeys the checks", function()
    local run = policy.run(sequential, DAY)
    assert.equal("hold", run.tick({}, { passed = false, failed_checks = 4 }).action)
    local answer = run.tick({}, { passed = false, failed_checks = 5 })
    assert.same({ "rollback", "failed checks threshold reached 5" }, { answer.action, answer.reason })
  end)

  --- Healthy counters of two metrics; those of `arms` fall at these ticks.
  local function restarting(run, arms, ...)
    local fall, tick, total = {}, 0, { canary = 0, primary = 0 }
    for _, at in ipairs({ ... }) do fall[at] = true end
    return function()
      tick = tick + 1
      local out = {}
      for _, arm in ipairs({ "canary", "primary" }) do
        total[arm] = arms[arm] and fall[tick] and 10 - tick or total[arm] + 2500
        for _, name in ipairs({ "errors", "checkout" }) do
          out[#out + 1] = { name = name, arm = arm, t = run.t, counts = { total = total[arm], failed = 0 } }
        end
      end
      return out
    end
  end

  it("promotes no canary whose counters fall again and again", function()
    local run = policy.run(sequential, DAY)
    local action, _, answer = policy.play(run, restarting(run, { canary = true }, 3), 60)
    assert.same({ "none", "the canary's counters fell 1 times, at most 0" }, { action, answer.reason })
    run = policy.run(sequential, with({ max_resets = 1 }))
    action, _, answer = policy.play(run, restarting(run, { canary = true }, 2, 3), 60)
    assert.same({ "none", "the canary's counters fell 2 times, at most 1" }, { action, answer.reason })
  end)

  it("forgives as many restarts as it is told to, and all that its primary shares", function()
    local run = policy.run(sequential, with({ max_resets = 1 }))
    assert.equal("promote", (policy.play(run, restarting(run, { canary = true }, 3), 60)))
    run = policy.run(sequential, DAY)
    assert.equal("promote", (policy.play(run, restarting(run, { canary = true, primary = true }, 3, 4, 5), 60)))
  end)

  it("rolls back by events alone, at the router's weight", function()
    local run = policy.run(sequential, DAY)
    local a, b = 0, 0
    local action = policy.play(run, function()
      a, b = a + 4 * run.weight // 10, b + 9
      return { { name = "crashes", arm = "canary", t = run.t, counts = { events = a } },
        { name = "crashes", arm = "primary", t = run.t, counts = { events = b } } }
    end, 60)
    assert.equal("rollback", action)
  end)

  local function latency(slow_c)
    local n = { canary = 0, primary = 0 }
    return function(run)
      local function of(arm, requests, slow)
        n[arm] = n[arm] + requests
        return { name = "latency", arm = arm, t = run.t,
          buckets = { { .1, n[arm] // 2 }, { .5, n[arm] - n[arm] * slow // 100 }, { math.huge, n[arm] } } }
      end
      return { of("canary", 50 * run.weight, slow_c), of("primary", 50 * (100 - run.weight), 5) }
    end
  end

  it("compares slow requests of histograms", function()
    assert.equal("rollback", (policy.play(policy.run(sequential, with({ slow = .5 })), latency(10), 60)))
    assert.equal("promote", (policy.play(policy.run(sequential, with({ slow = .5 })), latency(5), 120)))
  end)

  it("says that a histogram needs a bound", function()
    local answer = policy.run(sequential, DAY).tick(latency(5))
    assert.same({ "samples", "error" }, { answer.evidence[1].name, answer.evidence[1].verdict })
    assert.is_truthy(answer.evidence[1].value:find("expected a boundary in the parameters", 1, true))
  end)

  it("rolls back a canary that misses its objective, though the primary does too", function()
    local run = policy.run(sequential, with({ slo = 99.9 }))
    assert.equal("rollback", (policy.play(run, policy.traffic(5000, .01, .01), 60)))
  end)

  it("has few false alarms: at most alpha and three deviations of 200 canaries alike", function()
    local alarms = 0
    for seed = 1, 200 do
      local run = policy.run(sequential, with({ alpha = 0.05, promote_alpha = 1e-6 }))
      local action = policy.play(run, policy.traffic(1000, .01, .01, random.new(seed)), 60)
      if action == "rollback" then alarms = alarms + 1 end
    end
    assert.is_true(alarms <= 0.05 * 200 + 3 * math.sqrt(200 * 0.05 * 0.95), alarms)
  end)

  it("finds a doubled rate of failures in nineteen of twenty canaries", function()
    local found = 0
    for seed = 1, 100 do
      local run = policy.run(sequential, DAY)
      local action = policy.play(run, policy.traffic(1000, .02, .01, random.new(seed)), 120)
      if action == "rollback" then found = found + 1 end
    end
    assert.is_true(found >= 95, found)
  end)

  it("finds nothing where a test of rates would, with ninety times the traffic on the primary", function()
    for seed = 1, 20 do
      local run = policy.run(sequential, with({ promote_alpha = 1e-6 }),
        { threshold = 5, interval = 60, step_weight = 1, max_weight = 1 })
      local action = policy.play(run, policy.traffic(9100, .002, .002, random.new(seed)), 60)
      assert.not_equal("rollback", action)
    end
  end)
end)
