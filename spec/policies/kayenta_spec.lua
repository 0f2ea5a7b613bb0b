local kayenta = require("policies.kayenta")
local policy = require("spec.support.policy")
local random = require("sandbox.random")

local function run(given)
  local params = { points = 10 }
  for key, value in pairs(given or {}) do params[key] = value end
  return policy.run(kayenta, params)
end

--- Readings of both arms around a level, of each of these metrics.
local function readings(levels)
  local draw = random.new(5)
  return function(it)
    local out = {}
    for name, level in pairs(levels) do
      out[#out + 1] = { name = name, arm = "canary", t = it.t, value = level + draw() }
      out[#out + 1] = { name = name, arm = "primary", t = it.t, value = 10 + draw() }
    end
    return out
  end
end

describe("policies.kayenta", function()
  it("judges one window of readings at each weight", function()
    local it = run()
    local feed, path = readings({ errors = 10, latency = 10 }), {}
    for tick = 1, 80 do
      local answer = it.tick(feed)
      if answer.action ~= "hold" then path[#path + 1] = tick .. " " .. answer.action end
      if answer.action == "promote" then break end
    end
    assert.same({ "1 shift", "11 shift", "21 shift", "31 shift", "41 shift", "51 promote" }, path)
  end)

  it("rolls back below the marginal score", function()
    local action, ticks, answer = policy.play(run(), readings({ errors = 20, latency = 10 }), 80)
    assert.same({ "rollback", 11, "score 50, below 75" }, { action, ticks, answer.reason })
    assert.equal("fail", answer.evidence[1].verdict)
    assert.is_truthy(answer.evidence[1].value:find("^High: larger than the primary, shift "))
  end)

  it("collects another window for a score between", function()
    local it = run({ pass = 95, marginal = 40 })
    local feed = readings({ errors = 20, latency = 10 })
    for _ = 1, 10 do it.tick(feed) end
    local answer = it.tick(feed)
    assert.same({ "hold", "score 50, below 95: another window" }, { answer.action, answer.reason })
    assert.equal("canary 1, primary 1", it.tick(feed).evidence[1].value)
    assert.equal(10, it.weight)
  end)

  it("fails a canary by one critical metric", function()
    local levels = { a = 10, b = 10, c = 10, d = 20 }
    local _, _, mild = policy.play(run({ marginal = 70, pass = 70 }), readings(levels), 11)
    assert.equal("score 75", mild.reason)
    local action, _, answer = policy.play(run({ marginal = 70, pass = 70, critical = { "d" } }), readings(levels), 12)
    assert.same({ "rollback", "score 0, below 70" }, { action, answer.reason })
  end)

  it("waits for both arms", function()
    local it = run()
    local action, _, answer = policy.play(it, function()
      return { { name = "errors", arm = "canary", t = it.t, value = 10 } }
    end, 40)
    assert.same({ "none", "not all readings are there" }, { action, answer.reason })
    assert.equal("nodata", answer.evidence[1].verdict)
  end)

  it("takes no reading twice and none of another weight", function()
    local it = run()
    local feed, same = readings({ errors = 10 }), nil
    it.tick(feed)
    assert.equal(10, it.weight)
    local function once(at)
      same = same or feed(at)
      return same
    end
    for _ = 1, 5 do assert.equal("canary 1, primary 1", it.tick(once).evidence[1].value) end
  end)

  it("makes readings of counters: failures among the new requests of both arms", function()
    local it = run()
    local feed = policy.traffic(5000, .05, .01, random.new(3))
    for _ = 1, 2 do it.tick(feed) end
    assert.equal("canary 1, primary 1", it.tick(function() return {} end).evidence[1].value)
    assert.is_true(math.abs(it.state.readings.errors.canary[1] - 5) < 3)
    local action, _, answer = policy.play(it, feed, 30)
    assert.same({ "rollback", "score 0, below 75" }, { action, answer.reason })
  end)

  it("keeps its state small with the most readings and series there can be", function()
    local it, total = run({ points = 60, slow = 100 }), 10 ^ 10 // 1
    it.t = 1764140000.123456
    for _ = 1, 70 do
      local out = {}
      total = math.tointeger(total) + 1234567
      for index, name in ipairs({ "a", "b", "c", "d" }) do
        for _, arm in ipairs({ "canary", "primary" }) do
          for pod = 1, 20 do
            local n = total * pod
            out[#out + 1] = { name = name, arm = arm, t = it.t + it.analysis.interval, series = "pod" .. pod,
              counts = { total = n, failed = (n + math.floor(it.t)) // (index + 4) } }
          end
        end
      end
      it.tick(out)
    end
    assert.is_true(#it.state.readings.a.canary > 50)
  end)

  it("obeys the checks", function()
    assert.equal("hold", run().tick({}, { passed = false, failed_checks = 4 }).action)
    assert.equal("rollback", run().tick({}, { passed = false, failed_checks = 5 }).action)
  end)
end)
