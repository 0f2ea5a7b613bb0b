local exported = require("exported")
local gauges = require("canary.gauges")

local function canary(change)
  local out = { namespace = "test", name = "web-canary", target = { name = "web" }, strategy = "canary" }
  for key, value in pairs(change or {}) do out[key] = value end
  return out
end

local registry, metrics

--- The value of a series as it is shown, or nil.
local function value(series)
  for line in registry:render():gmatch("[^\n]+") do
    if line:sub(1, #series + 1) == series .. " " then return line:sub(#series + 2) end
  end
end

--- The lines that are not the registry's own.
local function lines()
  local out = {}
  for line in registry:render():gmatch("[^\n]+") do
    if not line:find("^#") and not line:find("^serin_series") then out[#out + 1] = line end
  end
  return out
end

describe("canary.gauges", function()
  before_each(function()
    registry = exported.new()
    metrics = gauges.new(registry)
  end)

  for phase, number in pairs({ Progressing = "0", Failed = "2", Succeeded = "1", Initialized = "1", Promoting = "1",
    WaitingPromotion = "1" }) do
    it(("shows phase %s as %s"):format(phase, number), function()
      metrics.phase(canary(), phase)
      assert.equal(number, value('flagger_canary_status{name="web",namespace="test"}'))
    end)
  end

  it("shows the weights of both workloads", function()
    metrics.weights(canary(), { primary = 80, canary = 20 })
    assert.same({ "80", "20" }, { value('flagger_canary_weight{namespace="test",workload="web-primary"}'),
      value('flagger_canary_weight{namespace="test",workload="web"}') })
  end)

  it("shows the last value of a check", function()
    metrics.check(canary(), "request-success-rate", 99.5)
    assert.equal("99.5",
      value('flagger_canary_metric_analysis{metric="request-success-rate",name="web",namespace="test"}'))
  end)

  it("counts what policies decide, and where one in the shadow would have done else", function()
    metrics.decision(canary(), "sequential", "hold")
    metrics.decision(canary(), "sequential", "hold")
    metrics.shadow(canary(), "steps", false)
    assert.equal("2",
      value('serin_policy_decisions_total{action="hold",name="web",namespace="test",policy="sequential"}'))
    assert.equal("0", value('serin_shadow_disagreements_total{name="web",namespace="test",policy="steps"}'))
    metrics.shadow(canary(), "steps", true)
    assert.equal("1", value('serin_shadow_disagreements_total{name="web",namespace="test",policy="steps"}'))
  end)

  it("shows how long an analysis took", function()
    metrics.analysed(canary(), 0.3)
    assert.same({ "0", "1", "0.3" }, {
      value('flagger_canary_duration_seconds_bucket{name="web",namespace="test",le="0.25"}'),
      value('flagger_canary_duration_seconds_bucket{name="web",namespace="test",le="0.5"}'),
      value('flagger_canary_duration_seconds_sum{name="web",namespace="test"}') })
  end)

  it("counts a success by strategy and whether there was an analysis", function()
    metrics.succeeded(canary({ strategy = "blue-green" }))
    metrics.succeeded(canary({ skip_analysis = true }))
    local labels = '{analysis_status="%s",deployment_strategy="%s",name="web",namespace="test"}'
    assert.equal("1", value("flagger_canary_successes_total" .. labels:format("completed", "blue-green")))
    assert.equal("1", value("flagger_canary_successes_total" .. labels:format("skipped", "canary")))
    assert.equal("2", value('serin_promotions_total{name="web",namespace="test"}'))
  end)

  it("counts a failure", function()
    metrics.failed(canary({ strategy = "ab-testing" }))
    assert.equal("1", value('flagger_canary_failures_total{analysis_status="completed",'
      .. 'deployment_strategy="ab-testing",name="web",namespace="test"}'))
    assert.equal("1", value('serin_rollbacks_total{name="web",namespace="test"}'))
  end)

  it("shows program and default router", function()
    metrics.info("1.2.3", "traefik")
    assert.equal("1", value('flagger_info{mesh_provider="traefik",version="1.2.3"}'))
  end)

  it("counts every Canary once in its namespace", function()
    metrics.seen("test", "a")
    metrics.seen("test", "a")
    metrics.phase(canary(), "Progressing")
    metrics.seen("other", "a")
    assert.same({ "2", "1" },
      { value('flagger_canary_total{namespace="test"}'), value('flagger_canary_total{namespace="other"}') })
  end)

  it("counts a Canary that is gone no more", function()
    metrics.seen("test", "a")
    metrics.seen("test", "b")
    metrics.forget("test", "a")
    metrics.forget("test", "a")
    assert.equal("1", value('flagger_canary_total{namespace="test"}'))
  end)

  it("shows nothing of a namespace that has no Canary left", function()
    metrics.seen("test", "a")
    metrics.forget("test", "a")
    assert.same({}, lines())
  end)

  it("drops every series of a Canary that is gone", function()
    metrics.seen("test", "other")
    metrics.phase(canary(), "Failed")
    metrics.weights(canary(), { primary = 100, canary = 0 })
    metrics.check(canary(), "m", 1)
    metrics.analysed(canary(), 1)
    metrics.succeeded(canary())
    metrics.failed(canary())
    metrics.forget("test", "web-canary")
    assert.same({ 'flagger_canary_total{namespace="test"} 1' }, lines())
  end)

  it("keeps the series of a namesake in another namespace", function()
    metrics.phase(canary(), "Failed")
    metrics.phase(canary({ namespace = "live" }), "Failed")
    metrics.forget("test", "web-canary")
    assert.equal("2", value('flagger_canary_status{name="web",namespace="live"}'))
  end)

  it("drops the series of a target that its Canary no longer names", function()
    metrics.weights(canary(), { primary = 100, canary = 0 })
    metrics.phase(canary({ target = { name = "shop" } }), "Initialized")
    assert.same({ 'flagger_canary_status{name="shop",namespace="test"} 1',
      'flagger_canary_total{namespace="test"} 1' }, lines())
  end)

  it("shows a script whose newest version is refused, until it is mended", function()
    metrics.script("checks/x.lua", "it is broken")
    assert.equal("1", value('serin_script_refused{script="checks/x.lua"}'))
    metrics.script("checks/x.lua", nil)
    assert.same({}, lines())
  end)

  it("passes by a Canary it never saw", function()
    assert.has_no_error(function() metrics.forget("test", "never") end)
  end)
end)
