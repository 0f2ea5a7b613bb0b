--- The quick way to simulate against the lifecycle on the embedded cluster: the same steps at the same times.

local flags = require("cli.flags")
local quick = require("offline.quick")
local random = require("sandbox.random")
local stated_traffic = require("offline.stated_traffic")
local view = require("canary.view")
local whole = require("offline.whole")
local yaml = require("yaml")

local SETTINGS = flags.settings({}, function() end, function() end)

local function canary_of(analysis, provider)
  return assert(yaml.decode(([[
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: demo}
spec:
  provider: "%s"
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  service: {port: 80, targetPort: 9898, gatewayRefs: [{name: gw, namespace: demo}]}
  analysis: {%s}
]]):format(provider or "istio", analysis)))[1]
end

local CHECKS = "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 1m}, "
  .. "{name: request-duration, thresholdRange: {max: 500}, interval: 1m}]"

--- "time weight iterations failed" of every change, and the outcome with its time.
local function of_cluster(object, segments, policy)
  local result = assert(whole.run(object, {}, { settings = SETTINGS, segments = segments, policy = policy, seed = 1,
    noise = false, limit = 6 * 3600 }))
  local out, last = {}, "0 0 0"
  for _, entry in ipairs(result.timeline) do
    local step = ("%d %d %d"):format(entry.weight, entry.iterations, entry.failed_checks)
    if step ~= last and (entry.phase == "Progressing" or entry.phase == "WaitingPromotion") then
      out[#out + 1] = ("%.0f %s"):format(entry.time, step)
      last = step
    end
  end
  out[#out + 1] = ("%.0f %s"):format(result.time, result.outcome)
  return out, result.first
end

local function of_quick(object, segments, policy, first)
  local canary = assert(view.of(object, SETTINGS))
  local plan = assert(quick.plan(canary, { settings = SETTINGS, segments = segments, policy = policy, first = first,
    limit = 6 * 3600 }))
  local out, last, state = {}, "0 0 0", nil
  local function tell(t)
    local now = state.now
    -- the status of blue/green names no weight
    local step = ("%d %d %d"):format(canary.strategy == "canary" and now.weight or 0, now.iterations, now.failed_checks)
    if step ~= last then
      out[#out + 1] = ("%.0f %s"):format(t, step)
      last = step
    end
  end
  local before
  local run = quick.new(plan)
  local result = quick.run(run, nil, function(of, t)
    state = of
    if before then tell(before) end
    before = t
  end)
  out[#out + 1] = ("%.0f %s"):format(result.time, result.outcome)
  return out
end

local function same(analysis, traffic, policy, provider)
  local object, segments = canary_of(analysis, provider), assert(stated_traffic.parse(traffic))
  policy = policy or { name = "flagger" }
  local wanted, first = of_cluster(object, segments, policy)
  assert.same(wanted, of_quick(object, segments, policy, first), analysis .. " / " .. traffic)
  return wanted
end

describe("the quick way to simulate", function()
  for name, case in pairs({
    ["a release that is promoted"] = { "interval: 1m, threshold: 5, maxWeight: 50, stepWeight: 10", "rps=50" },
    ["one that is rolled back"] = { "interval: 1m, threshold: 3, maxWeight: 50, stepWeight: 10",
      "rps=50 canary.errors=5%" },
    ["errors that begin later"] = { "interval: 1m, threshold: 2, maxWeight: 50, stepWeight: 10",
      "rps=50 at=190s canary.errors=20%" },
    ["errors for a while"] = { "interval: 1m, threshold: 5, maxWeight: 50, stepWeight: 10",
      "rps=50 canary.errors=50%:100s..250s" },
    ["a slow canary"] = { "interval: 1m, threshold: 2, maxWeight: 30, stepWeight: 10", "rps=20 canary.latency=700ms" },
    ["a Prometheus that is down for a while"] = { "interval: 1m, threshold: 5, maxWeight: 50, stepWeight: 10",
      "rps=50 prometheus=down:100s..280s" },
    ["no requests"] = { "interval: 1m, threshold: 4, maxWeight: 50, stepWeight: 10", "rps=0" },
    ["steps of one's own"] = { "interval: 30s, threshold: 4, stepWeights: [1, 5, 60]", "rps=80" },
    ["blue/green with a load test"] = { "interval: 1m, threshold: 4, iterations: 3", "rps=10 tests=20" },
    ["blue/green that fails"] = { "interval: 1m, threshold: 2, iterations: 5", "tests=20 at=130s canary.errors=30%" },
  }) do
    it("takes the lifecycle's steps at its times in " .. name, function()
      same(case[1] .. ", " .. CHECKS, case[2])
    end)
  end

  it("does so with windows that are not the interval", function()
    for _, window in ipairs({ "30s", "100s", "3m" }) do
      for _, errors in ipairs({ "at=95s canary.errors=2.5%", "canary.errors=3%:70s..100s",
        "canary.errors=1.6%:20s..110s" })
      do
        same("interval: 1m, threshold: 3, maxWeight: 50, stepWeight: 10, metrics: [{name: request-success-rate, "
          .. "thresholdRange: {min: 99}, interval: " .. window .. "}]", "rps=100 errors=0.01% " .. errors)
      end
    end
  end)

  it("does so with checks that want requests", function()
    for _, word in ipairs({ "", ", onNoData: hold", ", onNoData: pass" }) do
      for _, traffic in ipairs({ "rps=0.5 canary.errors=50%", "rps=2", "rps=1 at=100s rps=50 canary.errors=20%" }) do
        same("interval: 1m, threshold: 3, maxWeight: 50, stepWeight: 10, metrics: [{name: request-success-rate, "
          .. "thresholdRange: {min: 99}, interval: 1m, minRequests: 10" .. word .. "}]", traffic)
      end
    end
  end)

  it("does so with other providers", function()
    for _, provider in ipairs({ "traefik", "gatewayapi:v1", "linkerd", "contour" }) do
      same("interval: 1m, threshold: 3, maxWeight: 40, stepWeight: 20, " .. CHECKS,
        "rps=50 at=100s canary.errors=4% canary.latency=800ms", nil, provider)
    end
  end)

  it("does so with policies that count for themselves", function()
    for _, name in ipairs({ "sequential", "burn_rate", "kayenta", "steps" }) do
      for _, traffic in ipairs({ "rps=50", "rps=50 canary.errors=30%", "rps=50 at=150s canary.errors=20%" }) do
        same("interval: 1m, threshold: 10, maxWeight: 50, stepWeight: 10, metrics: [{name: request-success-rate, "
          .. "thresholdRange: {min: 50}, interval: 1m}]", traffic, { name = name,
          params = name == "kayenta" and { points = 5 } or nil })
      end
    end
  end)

  it("does so in 40 random releases", function()
    local draw = random.new(5)
    local function among(list) return list[1 + math.floor(draw() * #list)] end
    for _ = 1, 40 do
      local analysis = ("interval: %s, threshold: %d, maxWeight: %d, stepWeight: %d, %s"):format(
        among({ "30s", "1m", "90s" }), among({ 1, 2, 4 }), among({ 30, 50, 100 }), among({ 5, 20, 50 }), CHECKS)
      local traffic = ("rps=%d at=%ds canary.errors=%s canary.latency=%s prometheus=down:%ds..%ds"):format(
        among({ 5, 50 }), among({ 10, 95, 200 }), among({ "0%", "0.2%", "7%", "60%" }), among({ "5ms", "30ms", "2s" }),
        among({ 20, 400 }), among({ 450, 500 }))
      same(analysis, traffic)
    end
  end)

  it("says why it cannot be gone", function()
    local segments = assert(stated_traffic.parse("rps=1"))
    for analysis, why in pairs({
      ["interval: 1m, threshold: 1, stepWeight: 5, mirror: true"] = "requests are mirrored",
      ["interval: 1m, threshold: 1, iterations: 5, match: [{headers: {a: {exact: b}}}]"]
        = "requests are matched by headers",
      ["interval: 1m, threshold: 1, stepWeight: 5, metrics: [{name: x, query: y}]"]
        = "the metric x is a query of its own (metric.x=VALUE would state its value)",
    }) do
      local plan, message = quick.plan(assert(view.of(canary_of(analysis), SETTINGS)), { settings = SETTINGS,
        segments = segments, policy = { name = "flagger" }, first = 3, limit = 3600 })
      assert.same({ nil, why }, { plan, message })
    end
  end)
end)
