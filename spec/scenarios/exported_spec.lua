--- What a whole release leaves on /metrics.

local exported = require("exported")
local gauges = require("canary.gauges")
local manifests = require("spec.support.manifests")
local scenario = require("spec.support.scenario")

local ANALYSIS = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 10, " ..
  "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"

local registry

local function value(series)
  for line in registry:render():gmatch("[^\n]+") do
    if line:sub(1, #series + 1) == series .. " " then return tonumber(line:sub(#series + 2)) end
  end
end

--- A release of `image` that ended in `phase`.
local function released(image, phase)
  local run = scenario.new()
  registry = exported.new()
  run.driver.host.metrics = gauges.new(registry)
  run.world:apply(manifests.deployment("app") .. manifests.canary("app", { provider = "traefik", analysis = ANALYSIS }))
  run:wait_for_phase("demo", "app", "Initialized")
  run.world:set_image("demo", "app", image)
  run:wait_for_phase("demo", "app", phase)
  return run
end

describe("the series of a release", function()
  it("tell of a promotion", function()
    released("podinfo:2", "Succeeded")
    local labels = '{analysis_status="completed",deployment_strategy="canary",name="app",namespace="demo"}'
    assert.same({ 1, 1, 100, 0 }, { value("flagger_canary_successes_total" .. labels),
      value('flagger_canary_status{name="app",namespace="demo"}'),
      value('flagger_canary_weight{namespace="demo",workload="app-primary"}'),
      value('flagger_canary_weight{namespace="demo",workload="app"}') })
    assert.is_nil(value("flagger_canary_failures_total" .. labels))
  end)

  it("tell how releases went, how long they took and what their checks came to", function()
    released("podinfo:2", "Succeeded")
    local target = 'name="app",namespace="demo"'
    assert.equal(0, value("serin_change_failure_ratio{" .. target .. "}"))
    assert.equal(1, value("serin_release_duration_seconds_count{" .. target .. ',outcome="promoted"}'))
    assert.is_true(value("serin_release_duration_seconds_sum{" .. target .. ',outcome="promoted"}') >= 50)
    assert.equal(5, value('serin_check_verdicts_total{metric="request-success-rate",' .. target .. ',verdict="pass"}'))
    released("podinfo:2-err10", "Failed")
    assert.equal(1, value("serin_change_failure_ratio{" .. target .. "}"))
    assert.equal(3, value('serin_check_verdicts_total{metric="request-success-rate",' .. target .. ',verdict="fail"}'))
  end)

  it("of the process grow with what it counts", function()
    registry = exported.new()
    local metrics = gauges.new(registry)
    local stats = { ticks = 5, tick_errors = 1, requests = 9, request_errors = 2, due_late = 0.5, cache_objects = 3,
      cache_bytes = 400 }
    metrics.process(stats)
    stats.ticks, stats.due_late = 8, 0
    metrics.process(stats)
    assert.same({ 8, 1, 9, 2, 0, 3, 400 }, { value("serin_ticks_total"), value("serin_tick_errors_total"),
      value("serin_api_requests_total"), value("serin_api_errors_total"), value("serin_tick_lateness_seconds"),
      value("serin_cache_objects"), value("serin_cache_bytes") })
  end)

  it("tell of a rollback", function()
    released("podinfo:2-err10", "Failed")
    local labels = '{analysis_status="completed",deployment_strategy="canary",name="app",namespace="demo"}'
    assert.same({ 1, 2 }, { value("flagger_canary_failures_total" .. labels),
      value('flagger_canary_status{name="app",namespace="demo"}') })
    assert.is_true(value('flagger_canary_metric_analysis{metric="request-success-rate",name="app",namespace="demo"}')
      < 99)
  end)

  it("count the ticks that analysed, and those alone", function()
    local run = released("podinfo:2", "Succeeded")
    local steps = 0
    for _, step in ipairs(run:steps("demo", "app")) do
      if step:find("^Progressing [1-5]0 ") or step:find("^Promoting") then steps = steps + 1 end
    end
    assert.equal(steps, value('flagger_canary_duration_seconds_count{name="app",namespace="demo"}'))
  end)
end)

describe("a Canary that names something of another namespace", function()
  local METRIC = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 10, "
    .. "metrics: [{name: a, templateRef: {name: t, namespace: prod}}]"

  local function stalled(flags)
    local run = scenario.new({ settings = flags })
    run.world:apply(manifests.deployment("app") .. manifests.canary("app", { provider = "traefik", analysis = METRIC }))
    run:pass(30)
    return run:condition("demo", "app", "Stalled")
  end

  it("is refused where that is forbidden", function()
    assert.equal("spec.analysis.metrics[0].templateRef.namespace: expected demo, found prod",
      stalled({ "-no-cross-namespace-refs" }).message)
  end)

  it("is let in where it is not", function()
    assert.is_nil(stalled({}))
  end)
end)
