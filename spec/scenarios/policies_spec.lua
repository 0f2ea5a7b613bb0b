--- Releases that a policy of policies/ decides about, from its spec to the traffic (policies/README.md).

local begin = require("spec.support.begin")
local manifests = require("spec.support.manifests")

local LIMITS = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 10"

--- A run that begins, with `rate` requests per second.
local function started(policy, change)
  change = change or {}
  local run = begin.initialised({ provider = change.provider, service = change.service, objects = change.objects,
    spec = change.spec, analysis = (change.limits or LIMITS) ..
      (change.metrics and ", metrics: " .. change.metrics or "") .. ", policy: {" .. policy .. "}" })
  run.world.traffic:set_rate(run.users["demo/app"], change.rate or 1000)
  run.world:set_image("demo", "app", change.image or "podinfo:2")
  run:wait_for_phase("demo", "app", "Progressing")
  return run
end

local function weights(run)
  local out = {}
  for _, step in ipairs(run:steps("demo", "app")) do
    local weight = step:match("^Progressing (%d+)")
    if weight and out[#out] ~= math.tointeger(weight) then out[#out + 1] = math.tointeger(weight) end
  end
  return out
end

local function check_of(run, name)
  for _, item in ipairs(run:status("demo", "app").checks or {}) do
    if item.name == name then return item end
  end
end

local function told(run, pattern)
  for _, message in ipairs(run:messages("demo")) do
    if message:find(pattern) then return message end
  end
end

describe("the policy sequential", function()
  for _, provider in ipairs({ "istio", "traefik" }) do
    it("promotes a good revision before its last step, on " .. provider, function()
      local run = started("name: sequential", { provider = provider })
      run:wait_for_phase("demo", "app", "Succeeded", 1200)
      assert.is_true(#weights(run) >= 2)
      assert.is_true(weights(run)[#weights(run)] < 50)
      assert.equal("pass", check_of(run, "request-success-rate").verdict)
      assert.equal("podinfo:2", begin.image(run, "app-primary"))
      assert.equal(0, run.world.traffic.lost)
    end)

    it("rolls a revision with 3 % of errors back, and says by which numbers, on " .. provider, function()
      local run = started("name: sequential", { provider = provider, image = "podinfo:2-err3" })
      run:wait_for_phase("demo", "app", "Failed", 1200)
      assert.is_true(weights(run)[#weights(run)] <= 10)
      local item = check_of(run, "request-success-rate")
      assert.equal("fail", item.verdict)
      assert.truthy(item.value:find("^canary 3%.%d+%% of %d+, primary 0%.00%% of %d+; E worse"), item.value)
      assert.truthy(told(run, "^Rolling back app%.demo, policy sequential: request%-success%-rate is worse: canary 3"))
      assert.equal("podinfo:1", begin.image(run, "app-primary"))
    end)
  end

  it("compares slow requests when it has a bound", function()
    local run = started("name: sequential, params: {slow: 300}", { provider = "traefik", image = "podinfo:2-lat500ms" })
    run:wait_for_phase("demo", "app", "Failed", 1200)
    assert.equal("fail", check_of(run, "request-duration").verdict)
    assert.equal("at most 2% more requests above 300ms", check_of(run, "request-duration").rule)
  end)

  it("holds without samples, and asks a person in the end", function()
    local run = started("name: sequential, params: {patience: 2m}", { rate = 0 })
    run:wait(function() return (run:status("demo", "app").waiting or {})["for"] == "decision" end, 600)
    assert.equal("nodata", check_of(run, "request-success-rate of the canary").verdict)
    assert.same({ 0, 10 }, weights(run))
    run:pass(60)
    assert.equal("Progressing", run:status("demo", "app").phase)
    assert.equal(1, begin.told(run, "Halt app.demo advancement waiting for a decision: not enough data at this weight"))
  end)

  it("says that Prometheus does not answer, and stays where it is", function()
    local run = started("name: sequential")
    run:wait(function() return run:status("demo", "app").canaryWeight == 10 end)
    run.world.prometheus.down = true
    run:pass(120)
    assert.equal(10, run:status("demo", "app").canaryWeight)
    local item = check_of(run, "request-success-rate of the canary")
    assert.same({ "error", "counters of both arms" }, { item.verdict, item.rule })
    run.world.prometheus.down = false
    run:wait_for_phase("demo", "app", "Succeeded", 1200)
  end)

  it("forgets one revision when the next comes", function()
    local run = started("name: sequential", { image = "podinfo:2-err2" })
    run:wait(function() return run:status("demo", "app").canaryWeight == 10 end)
    run:pass(15)
    assert.truthy(run:status("demo", "app").policyState.metrics)
    run.world:set_image("demo", "app", "podinfo:3")
    run:wait(function() return run:status("demo", "app").canaryWeight == 0 end)
    assert.is_nil(run:status("demo", "app").policyState)
    run:wait_for_phase("demo", "app", "Succeeded", 1200)
    assert.equal("podinfo:3", begin.image(run, "app-primary"))
  end)
end)

describe("the policy steps", function()
  local STEPS = "name: steps, params: {steps: [{weight: 5, dwell: 25s}, {weight: 40, approve: qa}, {weight: 80}]}"
  local LOOKS = { limits = "interval: 10s, threshold: 3" }

  it("keeps each step's dwell to the second, and waits at a gate until it is approved", function()
    local run = started(STEPS, LOOKS)
    run:wait(function() return run:status("demo", "app").canaryWeight == 5 end)
    local at = run.world.now
    run:wait(function() return run:status("demo", "app").canaryWeight == 40 end)
    assert.near(25, run.world.now - at, 1)
    run:wait(function() return (run:status("demo", "app").waiting or {})["for"] == "gate" end)
    assert.equal("qa", run:status("demo", "app").waiting.detail)
    run:pass(60)
    assert.equal(40, run:status("demo", "app").canaryWeight)
    assert.equal(1, begin.told(run, "Halt app.demo advancement waiting for approval of gate qa"))
    run.world:patch("Canary", "demo", "app", { metadata = { annotations = { ["serin.dev/intent"] = "approve=qa" } } })
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.same({ 0, 5, 40, 80 }, weights(run))
    assert.same({ "approve=qa", "done" },
      { run:status("demo", "app").intent.value, run:status("demo", "app").intent.outcome })
    assert.truthy(told(run, "^Gate qa of app%.demo is approved$"))
  end)

  it("remembers an approval that comes before the gate", function()
    local run = started(STEPS, LOOKS)
    run:wait(function() return run:status("demo", "app").canaryWeight == 5 end)
    run.world:patch("Canary", "demo", "app", { metadata = { annotations = { ["serin.dev/intent"] = "approve=qa" } } })
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.is_nil(told(run, "waiting for approval of gate"))
  end)

  it("asks for a new approval of the next revision", function()
    local run = started(STEPS, LOOKS)
    run:wait(function() return run:status("demo", "app").canaryWeight == 5 end)
    run.world:patch("Canary", "demo", "app", { metadata = { annotations = { ["serin.dev/intent"] = "approve=qa" } } })
    run:pass(2)
    run.world:set_image("demo", "app", "podinfo:3")
    run:wait(function() return (run:status("demo", "app").waiting or {})["for"] == "gate" end)
    run:pass(30)
    assert.equal(40, run:status("demo", "app").canaryWeight)
  end)

  it("goes on where it was when the engine dies", function()
    local run = started(STEPS, LOOKS)
    run:wait(function() return run:status("demo", "app").canaryWeight == 5 end)
    run.driver:kill_after(1)
    run:wait(function() return (run:status("demo", "app").waiting or {})["for"] == "gate" end)
    assert.same({ 0, 5, 40 }, weights(run))
  end)

  it("rolls back when checks fail at the threshold", function()
    local run = started(STEPS, { limits = LOOKS.limits, image = "podinfo:2-err10",
      metrics = "[{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]" })
    run:wait_for_phase("demo", "app", "Failed")
    assert.equal(1, begin.told(run, "Rolling back app.demo failed checks threshold reached 3"))
  end)
end)

describe("the policy kayenta", function()
  it("promotes a good revision after a window at each weight", function()
    local run = started("name: kayenta, params: {points: 5}",
      { limits = "interval: 10s, threshold: 3, maxWeight: 40, stepWeight: 20" })
    run:wait_for_phase("demo", "app", "Succeeded", 1200)
    assert.same({ 0, 20, 40 }, weights(run))
  end)

  it("rolls a bad one back", function()
    local run = started("name: kayenta, params: {points: 8}", { image = "podinfo:2-err3" })
    run:wait_for_phase("demo", "app", "Failed", 1200)
    assert.same({ 0, 10 }, weights(run))
    assert.truthy(told(run, "^Rolling back app%.demo, policy kayenta: score 0, below 75"))
  end)
end)

describe("the policy burn_rate", function()
  it("promotes a revision within its budget and rolls one back that burns it", function()
    local params = "name: burn_rate, params: {slo: 99.9, windows: [{long: 2m, short: 30s, factor: 6}]}"
    local run = started(params, { limits = "interval: 10s, threshold: 3, maxWeight: 40, stepWeight: 20" })
    run:wait_for_phase("demo", "app", "Succeeded", 1200)
    assert.same({ 0, 20, 40 }, weights(run))
    run.world:set_image("demo", "app", "podinfo:3-err2")
    run:wait_for_phase("demo", "app", "Failed", 1200)
    assert.truthy(told(run, "policy burn_rate: burn rate 120s/30s is reached: "))
  end)
end)

describe("a policy in the shadow", function()
  it("is judged and reported, and never obeyed", function()
    local run = started("name: sequential, mode: shadow", { image = "podinfo:2-err3",
      limits = "interval: 10s, threshold: 3, maxWeight: 40, stepWeight: 10" })
    run:wait_for_phase("demo", "app", "Succeeded", 1200)
    assert.same({ 0, 10, 20, 30, 40 }, weights(run))
    local shadow = run:status("demo", "app").shadow
    assert.same({ "sequential", "rollback", "promote" }, { shadow.policy, shadow.action, shadow.obeyed })
    assert.is_true(shadow.disagreements >= 3, shadow.disagreements)
    assert.truthy(shadow.reason:find("^request%-success%-rate is worse"))
    assert.equal("fail", shadow.checks[1].verdict)
  end)

  it("disagrees by waiting where the default goes on", function()
    local run = started("name: sequential, mode: shadow")
    run:wait_for_phase("demo", "app", "Succeeded", 1200)
    assert.same({ 0, 10, 20, 30, 40, 50 }, weights(run))
    assert.is_true(run:status("demo", "app").shadow.disagreements >= 1)
  end)
end)

local INGRESS = { objects = manifests.ingress("web", "app"),
  spec = "  ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: web}" }

describe("counters of both arms", function()
  for _, provider in ipairs({ "contour", "linkerd", "kuma", "gatewayapi:v1", "osm", "nginx", "gloo" }) do
    it("tell a good revision from a bad one on " .. provider, function()
      local own = provider == "nginx" and INGRESS or {}
      local run = started("name: sequential", { provider = provider, objects = own.objects, spec = own.spec,
        service = provider:find("^gateway") and "port: 80, targetPort: http, gatewayRefs: [{name: gw}]" or nil })
      run:wait_for_phase("demo", "app", "Succeeded", 1200)
      run.world:set_image("demo", "app", "podinfo:3-err4")
      run:wait_for_phase("demo", "app", "Failed", 1200)
      assert.truthy(check_of(run, "request-success-rate").value:find("^canary [34]%.%d+%% of"))
    end)
  end
end)

--- A policy that answers what `decide` gives, as a file of policies/ would.
local function install(decide)
  package.loaded["policies.mine"] = { name = "mine", api = 1, own_weights = true, params = {},
    decide = decide }
end

describe("a policy that is broken", function()
  after_each(function() package.loaded["policies.mine"] = nil end)

  local NO_TRAFFIC = "action: expected a shift before a promotion, as the canary has had no traffic, found promote"
  for text, decide in pairs({
    ["expected a decision, found an error: .*policies_spec.lua:%d+: oh"] = function() error("oh") end,
    ["decision: expected an object, found nil"] = function() end,
    ["action: expected one of .*, found promot %(did you mean promote%?%)"] = function()
      return { action = "promot", reason = "x" } end,
    ["weight: expected a number of at most two decimals from 0 to 100, found 2.505"] = function()
      return { action = "shift", weight = 2.505, reason = "x" } end,
    ["wieght: expected a field of a decision %(did you mean weight%?%)"] = function()
      return { action = "shift", wieght = 5, reason = "x" } end,
    [NO_TRAFFIC] = function() return { action = "promote", reason = "x" } end,
  }) do
    it("holds the step and says " .. text, function()
      install(decide)
      local run = started("name: mine", { limits = "interval: 10s, threshold: 3" })
      run:pass(90)
      assert.same({ 0 }, weights(run))
      assert.equal("Progressing", run:status("demo", "app").phase)
      local condition = run:condition("demo", "app", "Stalled")
      assert.equal("PolicyFailed", condition.reason)
      assert.truthy(condition.message:find("^policy mine: " .. text), condition.message)
      assert.equal(1, begin.told(run, condition.message))
      local item = check_of(run, "mine")
      assert.same({ "error", "a decision of the policy" }, { item.verdict, item.rule })
      install(function(ctx)
        if ctx.now.weight == 0 then return { action = "shift", weight = 30, reason = "x" } end
        return { action = "promote", reason = "x" }
      end)
      run:wait_for_phase("demo", "app", "Succeeded")
      assert.is_nil(run:condition("demo", "app", "Stalled"))
    end)
  end

  it("keeps nothing from being rolled back by failing checks", function()
    install(function(ctx)
      if ctx.now.weight == 0 then return { action = "shift", weight = 30, reason = "x" } end
      error("oh")
    end)
    local run = started("name: mine", { limits = "interval: 10s, threshold: 3", image = "podinfo:2-err10",
      metrics = "[{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]" })
    run:wait_for_phase("demo", "app", "Failed")
    assert.equal(1, begin.told(run, "Rolling back app.demo failed checks threshold reached 3"))
  end)

  it("moves no traffic up while a check fails", function()
    install(function(ctx)
      return { action = ctx.now.weight < 40 and "shift" or "promote", weight = ctx.now.weight + 20, reason = "x" }
    end)
    local run = started("name: mine", { limits = "interval: 10s, threshold: 30", image = "podinfo:2-err10",
      metrics = "[{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]" })
    run:pass(120)
    assert.equal(20, run:status("demo", "app").canaryWeight)
    assert.equal("policy mine: action: expected hold or rollback while a check does not pass, found shift",
      run:condition("demo", "app", "Stalled").message)
  end)

  it("does not reach what the engine knows", function()
    install(function(ctx)
      ctx.now.passed, ctx.now.weight, ctx.analysis.threshold, ctx.checks[1] = true, 50, 0, nil
      return { action = "hold", reason = "x" }
    end)
    local run = started("name: mine", { limits = "interval: 10s, threshold: 3" })
    run:pass(60)
    assert.same({ 0 }, weights(run))
    assert.is_nil(run:condition("demo", "app", "Stalled"))
    install(function(ctx)
      ctx.now.weight = 10
      return { action = "promote", reason = "x" }
    end)
    run:pass(30)
    assert.equal("policy mine: " .. NO_TRAFFIC, run:condition("demo", "app", "Stalled").message)
  end)

  it("does no harm in the shadow", function()
    install(function() error("oh") end)
    local run = started("name: mine, mode: shadow", { limits = "interval: 10s, threshold: 3, stepWeight: 50" })
    run:wait_for_phase("demo", "app", "Succeeded")
    local shadow = run:status("demo", "app").shadow
    assert.same({ "mine", "error" }, { shadow.policy, shadow.action })
    assert.truthy(shadow.reason:find("^policy mine: expected a decision, found an error"))
  end)
end)

describe("a policy of one's own", function()
  after_each(function() package.loaded["policies.mine"] = nil end)

  it("may take traffic back, and see what the checks said", function()
    local seen
    install(function(ctx)
      local weight = ctx.now.weight
      seen = ctx.checks[1] or seen
      if weight == 0 then return { action = "shift", weight = 60, reason = "up" } end
      return { action = "shift", weight = weight == 60 and 20 or 60, reason = "to and fro" }
    end)
    local run = started("name: mine", { limits = "interval: 10s, threshold: 3",
      metrics = "[{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]" })
    run:pass(90)
    assert.same({ 0, 60, 20, 60, 20 }, { table.unpack(weights(run), 1, 5) })
    assert.same({ "request-success-rate", "pass", ">= 99" }, { seen.name, seen.verdict, seen.rule })
  end)

  it("keeps exactly the state it gave last", function()
    local counted = 0
    install(function(ctx)
      counted = counted + 1
      assert(ctx.state == nil or next(ctx.state) == "k" .. counted - 1 and next(ctx.state, "k" .. counted - 1) == nil)
      return { action = "hold", reason = "x", state = { ["k" .. counted] = { n = counted } } }
    end)
    local run = started("name: mine", { limits = "interval: 10s, threshold: 3" })
    run:pass(60)
    assert.is_true(counted > 4)
    assert.is_nil(run:condition("demo", "app", "Stalled"))
    assert.same({ ["k" .. counted] = { n = counted } }, run:status("demo", "app").policyState)
  end)

  it("goes back from waiting for a promotion when it wants to go on", function()
    install(function(ctx)
      local weight, times = ctx.now.weight, ctx.state and ctx.state.times or 0
      if weight == 0 then return { action = "shift", weight = 30, reason = "x" } end
      if times < 2 then return { action = "promote", reason = "x", state = { times = times + 1 } } end
      return { action = "shift", weight = 60, reason = "x", state = { times = 9 } }
    end)
    local run = begin.initialised({ analysis = "interval: 10s, threshold: 3, policy: {name: mine}",
      hooks = { "confirm-promotion" } })
    run.answers["confirm-promotion"] = 403
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "WaitingPromotion")
    run:wait(function() return run:status("demo", "app").canaryWeight == 60 end)
    assert.equal("Progressing", run:status("demo", "app").phase)
  end)
end)

describe("a spec whose policy does not fit", function()
  for text, change in pairs({
    ["spec.analysis.policy.name: expected one of burn_rate, flagger, kayenta, sequential, steps, found sequental "
      .. "(did you mean sequential?)"] = { "name: sequental" },
    ["spec.analysis.policy.params.alpa: expected a known parameter (did you mean alpha?), found \"alpa\""] =
      { "name: sequential, params: {alpa: 0.1}" },
    ["spec.analysis.policy.params.alpha: expected at most 0.2, found 0.5"] =
      { "name: sequential, params: {alpha: 0.5}" },
    ["spec.analysis.policy.params.steps[0].replicas: expected at least 1, found 0"] =
      { "name: steps, params: {steps: [{weight: 5, replicas: 0}]}" },
    ["spec.analysis.policy.name: expected a policy for the strategy blue-green, found sequential (for canary)"] =
      { "name: sequential", limits = "interval: 10s, threshold: 3, iterations: 3" },
    ["spec.analysis: expected stepWeight or stepWeights above 0 for the policy sequential, found none"] =
      { "name: sequential", limits = "interval: 10s, threshold: 3" },
    ["spec.provider: for the policy sequential: expected a provider whose telemetry counts the requests of both arms, "
      .. "found skipper"] = { "name: sequential", provider = "skipper", own = INGRESS },
  }) do
    it("is refused: " .. text, function()
      local own = change.own or {}
      local run = begin.applied({ provider = change.provider, objects = own.objects, spec = own.spec,
        analysis = (change.limits or LIMITS) .. ", policy: {" .. change[1] .. "}" })
      run:pass(60)
      local condition = run:condition("demo", "app", "Stalled") or {}
      assert.same({ "InvalidPolicy", text }, { condition.reason, condition.message })
    end)
  end
end)

describe("a metric without data", function()
  local function silent(word)
    local run = begin.progressing({ analysis = "interval: 10s, threshold: 3, stepWeight: 50, metrics: "
      .. "[{name: none, query: 'sum(rate(absent_total[1m]))', thresholdRange: {min: 1}" .. word .. "}]" })
    run:pass(90)
    return run
  end

  it("fails the check, as with Flagger", function()
    assert.equal("Failed", silent(""):status("demo", "app").phase)
    assert.equal("Failed", silent(", onNoData: fail"):status("demo", "app").phase)
  end)

  it("holds the step and spares the failure budget when asked to", function()
    local run = silent(", onNoData: hold")
    local status = run:status("demo", "app")
    assert.same({ "Progressing", 50, 0 }, { status.phase, status.canaryWeight, status.failedChecks })
    assert.equal("nodata", check_of(run, "none").verdict)
    assert.equal(1, begin.told(run, "Halt advancement no values found for metric: none"))
  end)

  it("passes when asked to, and says so", function()
    local run = silent(", onNoData: pass")
    assert.equal("Succeeded", run:status("demo", "app").phase)
    assert.equal("nodata", check_of(run, "none").verdict)
  end)
end)

describe("a metric that wants requests", function()
  -- Half of the requests come to the canary, and 30 % of those fail.
  local function judged(rate, word)
    local run = begin.initialised({ analysis = "interval: 1m, threshold: 3, stepWeight: 50, metrics: "
      .. "[{name: request-success-rate, thresholdRange: {min: 99}, minRequests: 20" .. word .. "}]" })
    run.world.traffic:set_rate(run.users["demo/app"], rate)
    run:pass(100)
    run.world:set_image("demo", "app", "podinfo:2-err30")
    run:pass(300)
    return run
  end

  it("says of too few that there were too few, and holds when asked to", function()
    local run = judged(0.5, ", onNoData: hold")
    local status = run:status("demo", "app")
    assert.same({ "Progressing", 50, 0 }, { status.phase, status.canaryWeight, status.failedChecks })
    assert.equal("nodata", check_of(run, "request-success-rate").verdict)
    assert.equal(1, begin.told(run, "Halt app.demo advancement request-success-rate: fewer than 20 requests in 1m"))
  end)

  it("does not pass by too few", function()
    assert.equal("Failed", judged(0.5, ""):status("demo", "app").phase)
  end)

  it("judges enough", function()
    local run = judged(2, ", onNoData: hold")
    assert.equal("Failed", run:status("demo", "app").phase)
    assert.equal("fail", check_of(run, "request-success-rate").verdict)
  end)
end)
