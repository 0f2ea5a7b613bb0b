--- Monte Carlo on `sequential` with a fixed seed: how often a canary that is like its primary is rolled back, and how
-- often a doubled rate of failures is found. Some minutes; prints what it counted.
--
-- Traffic: 1000 requests in each of 120 intervals, of both arms together, 1 % of the primary's failing. Their numbers
-- vary from interval to interval by a third; the weight is what the policy makes of it, and in the A/A runs jumps at
-- random besides.

local params = require("util.params")
local random = require("sandbox.random")
local sequential = require("policies.sequential")

local TICKS, REQUESTS, INTERVAL = 120, 1000, 60
local ANALYSIS = { threshold = 5, step_weight = 5, max_weight = 50, interval = INTERVAL }

--- Failures of n requests: by the lengths of the gaps between them.
local function drawn(draw, n, rate)
  local count, at = 0, 0
  while true do
    at = at + math.floor(math.log(1 - draw()) / math.log(1 - rate)) + 1
    if at > n then return count end
    count = count + 1
  end
end

--- Serves one interval and gives the samples.
local function serve(run, draw, rates)
  local all = math.floor(REQUESTS * (2 / 3 + draw() * 2 / 3))
  local share = math.floor(all * run.weight / 100)
  local out = {}
  for _, arm in ipairs({ "canary", "primary" }) do
    local sums, n = run[arm], arm == "canary" and share or all - share
    sums.total, sums.failed = sums.total + n, sums.failed + drawn(draw, n, rates[arm])
    out[#out + 1] = { name = "errors", arm = arm, t = run.t,
      counts = { total = run[arm].total, failed = run[arm].failed } }
  end
  return out
end

--- "rollback", "promote" or "none", and the interval at which. With `on` a promotion ends nothing.
local function play(seed, given, rates, jumps, on)
  local draw = random.new(seed)
  local run = { weight = 0, t = 1000, canary = { total = 0, failed = 0 }, primary = { total = 0, failed = 0 } }
  for tick = 1, TICKS do
    run.t = run.t + INTERVAL
    local samples = serve(run, draw, rates)
    local answer = sequential.decide({ analysis = ANALYSIS, params = given, state = run.state,
      samples = samples,
      now = { t = run.t, weight = run.weight, since = run.since, failed_checks = 0, passed = true } })
    run.state = answer.state
    if answer.action == "rollback" or answer.action == "promote" and not on then return answer.action, tick end
    local weight = answer.action == "shift" and answer.weight or run.weight
    if jumps and draw() < 0.2 then weight = 5 * (1 + math.floor(draw() * 10)) end
    if weight ~= run.weight then run.weight, run.since = weight, run.t end
  end
  return "none", TICKS
end

local function count(runs, ...)
  local found, ticks = { rollback = 0, promote = 0, none = 0 }, 0
  for seed = 1, runs do
    local action, tick = play(seed, ...)
    found[action], ticks = found[action] + 1, ticks + tick
  end
  return found, ticks / runs
end

local function given(more)
  more.patience = "24h"
  return assert(params.read(sequential.params, more, "params"))
end

describe("policies.sequential over many canaries", function()
  it("rolls back at most alpha and three deviations of 2,000 canaries that are like their primary", function()
    local alpha = 0.05
    local found = count(2000, given({ alpha = alpha }), { canary = 0.01, primary = 0.01 }, true, true)
    local most = 2000 * alpha + 3 * math.sqrt(2000 * alpha * (1 - alpha))
    print(("A/A, alpha %g: %d false rollbacks of 2000, at most %.0f"):format(alpha, found.rollback, most))
    assert.is_true(found.rollback <= most, found.rollback)
  end)

  it("finds a doubled rate of failures in at least 95 % of 1,000 canaries, and promotes none of them", function()
    local found, ticks = count(1000, given({}), { canary = 0.02, primary = 0.01 })
    print(("1 %% against 2 %%: %d of 1000 rolled back, %d promoted, after %.1f intervals"):format(found.rollback,
      found.promote, ticks))
    assert.is_true(found.rollback >= 950, found.rollback)
    assert.is_true(found.promote <= 1000 * 0.05, found.promote)
  end)

  it("promotes at least 95 % of 1,000 canaries that are like their primary", function()
    local found, ticks = count(1000, given({}), { canary = 0.01, primary = 0.01 })
    print(("1 %% against 1 %%: %d of 1000 promoted, %d rolled back, after %.1f intervals"):format(found.promote,
      found.rollback, ticks))
    assert.is_true(found.promote >= 950, found.promote)
  end)
end)
