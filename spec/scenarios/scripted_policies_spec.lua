--- Custom policies decide about a release, in real worker processes.

local T = require("T")
local begin = require("spec.support.begin")
local library = require("spec.support.library")
local script = require("script")

local STEP = "interval: 10s, threshold: 2, maxWeight: 50, stepWeight: 25"

local function policy(body, header)
  return ("return { name = 'mine', api = 1, %s params = { step = { type = 'integer', default = 20, min = 1 } },\n"
    .. "decide = function(ctx) local now = ctx.now\n%s end }"):format(header or "", body)
end

local RAMP = "if not now.passed then return { action = 'hold', reason = 'not passed' } end\n"
  .. "if now.weight >= 60 then return { action = 'promote', reason = 'enough', state = { n = 9 } } end\n"
  .. "local n = (ctx.state or {}).n or 0\n"
  .. "return { action = 'shift', weight = now.weight + ctx.params.step, reason = 'on', state = { n = n + 1 } }"

local function with(body, more)
  local out = { files = { ["policies/mine.lua"] = policy(body) },
    analysis = STEP .. ", policy: {name: mine" .. ((more or {}).policy or "") .. "}" }
  for key, value in pairs(more or {}) do out[key] = value end
  return out
end

local function weights(run)
  local out = {}
  for _, status in ipairs(run.statuses["demo/app"]) do
    if (status.canaryWeight or 0) > 0 and out[#out] ~= status.canaryWeight then out[#out + 1] = status.canaryWeight end
  end
  return out
end

local function told(run, pattern)
  for _, message in ipairs(run:messages("demo")) do
    if message:find(pattern, 1, true) then return true end
  end
  return false, table.concat(run:messages("demo"), "\n")
end

local function stalled(run)
  run:wait(function() return run:condition("demo", "app", "Stalled") ~= nil end, 300, "the condition")
  return run:condition("demo", "app", "Stalled").message
end

describe("a release by a custom policy", function()
  setup(function() T.log_to("/dev/null") end)
  before_each(function() script.setup({}) end)
  after_each(function() library.clean() end)

  teardown(function()
    script.setup({})
    T.log_to()
  end)

  it("goes in the policy's own steps, and keeps its state", function()
    local run = library.progressing(with(RAMP))
    run:wait(function() return (run:status("demo", "app").canaryWeight or 0) == 40 end)
    assert.same({ n = 2 }, run:status("demo", "app").policyState)
    run:wait_for_phase("demo", "app", "Succeeded", 300)
    assert.same({ 20, 40, 60 }, weights(run))
    assert.equal("policies/mine.lua", run:status("demo", "app").scripts[1].name)
  end)

  it("takes the parameters of the spec", function()
    local run = library.progressing(with(RAMP, { policy = ", params: {step: 30}" }))
    run:wait_for_phase("demo", "app", "Succeeded", 300)
    assert.same({ 30, 60 }, weights(run))
  end)

  it("is rolled back when it says so", function()
    local run = library.progressing(with("if now.weight == 0 then return { action = 'shift', weight = 5, reason = 'r' }"
      .. " end return { action = 'rollback', reason = 'bad smell' }"))
    run:wait_for_phase("demo", "app", "Failed", 300)
    assert.is_true(told(run, "Rolling back app.demo, policy mine: bad smell"))
  end)

  for body, message in pairs({
    ["return { action = 'promot', reason = 'r' }"] = "policy mine: action: expected one of hold, shift, iterate, "
      .. "promote, rollback, pause, found promot (did you mean promote?)",
    ["return { action = 'promote', reason = 'r' }"] = "expected a shift before a promotion",
    ["return nil"] = "policy mine: expected a decision, found an error: expected a decision, found nil",
    ["return { action = 'shift', weight = 101, reason = 'r' }"] =
      "expected a number of at most two decimals from 0 to 100, found 101",
    ["error('lost')"] = "policies/mine.lua:3: lost",
    ["local function inner(a)\nreturn a.stepweight + 1 end\nreturn { action = 'hold', reason = inner(ctx.analysis) }"] =
      "policies/mine.lua:4: attempt to perform arithmetic on a nil value (field 'stepweight')",
    ["return { action = 'shfit', reason = 'r' }"] = "found shfit (did you mean shift?)",
    ["while true do end"] = "policies/mine.lua:3: used 100 ms of CPU",
    ["return ('a'):rep(2000):find(('.-'):rep(12) .. 'b')"] = "policies/mine.lua",
  }) do
    it("is never promoted by: " .. body, function()
      local run = library.progressing(with(body))
      assert.matches(message, stalled(run), 1, true)
      run:pass(120)
      assert.same({}, weights(run))
      assert.equal("podinfo:1", begin.image(run, "app-primary"))
    end)
  end

  it("does not rise while a check fails, whatever the policy says", function()
    local change = with("return { action = 'shift', weight = now.weight + 25, reason = 'r' }")
    change.files["checks/no.lua"] = "return { name = 'no', api = 1, run = function() "
      .. "return verdict.fail{ value = 1, rule = 'never' } end }"
    change.analysis = change.analysis .. ", metrics: [{name: no, script: {name: no}}]"
    local run = library.progressing(change)
    run:wait_for_phase("demo", "app", "Failed", 300)
    assert.same({ 25 }, weights(run)) -- the first step is before the first check
  end)

  for _, body in ipairs({ "return { action = 'hold', reason = 'wait' }",
    "return { action = 'pause', reason = 'ask', approval = 'qa' }",
    "return { action = 'shift', weight = 25, reason = 'no higher' }" }) do
    it("does not outlive the threshold of failed checks, whatever the policy says: " .. body, function()
      local change = with("if now.weight == 0 then return { action = 'shift', weight = 25, reason = 'first' } end\n"
        .. body)
      change.files["checks/no.lua"] = "return { name = 'no', api = 1, run = function() "
        .. "return verdict.fail{ value = 1, rule = 'never' } end }"
      change.analysis = change.analysis .. ", metrics: [{name: no, script: {name: no}}]"
      local run = library.progressing(change)
      run:wait_for_phase("demo", "app", "Failed", 300)
      assert.is_true(told(run, "Rolling back app.demo failed checks threshold reached 2"))
    end)
  end

  it("in the shadow is judged and not obeyed", function()
    local run = library.progressing(with("return { action = 'rollback', reason = 'never' }",
      { policy = ", mode: shadow" }))
    run:wait(function() return (run:status("demo", "app").canaryWeight or 0) == 50 end)
    assert.same({ "mine", "rollback" },
      { run:status("demo", "app").shadow.policy, run:status("demo", "app").shadow.action })
    run:wait_for_phase("demo", "app", "Succeeded", 300)
  end)

  it("stops before a run when its parameters are wrong", function()
    assert.equal("spec.analysis.policy.params.step: expected at least 1, found 0",
      stalled(library.applied(with(RAMP, { policy = ", params: {step: 0}" }))))
  end)

  it("stops before a run when a parameter is misspelt, and at what its own check says", function()
    assert.equal('spec.analysis.policy.params.stpe: expected a known parameter (did you mean step?), found "stpe"',
      stalled(library.applied(with(RAMP, { policy = ", params: {stpe: 5}" }))))
    local change = with(RAMP, { policy = ", params: {step: 7}" })
    change.files["policies/mine.lua"] = change.files["policies/mine.lua"]:gsub("%f[%w]decide =", [[
check = function(params, path)
      if params.step == 7 then return path .. ".step: expected no 7, found 7" end
    end, %0]], 1)
    assert.equal("spec.analysis.policy.params.step: expected no 7, found 7", stalled(library.applied(change)))
  end)

  it("opens the gates that it names before it waits at them", function()
    local change = with("if now.approvals.qa then return { action = 'shift', weight = 25, reason = 'approved' } end "
      .. "return { action = 'hold', reason = 'early' }")
    change.files["policies/mine.lua"] = change.files["policies/mine.lua"]:gsub("%f[%w]decide =",
      "gates = function() return { 'qa' } end, %0", 1)
    local run = library.progressing(change)
    run:pass(20)
    assert.same({}, weights(run))
    run.world:annotate("Canary", "demo", "app", { ["serin.dev/intent"] = "approve=qa" })
    run:wait(function() return (run:status("demo", "app").canaryWeight or 0) == 25 end)
  end)

  it("is among the names of an unknown one", function()
    local change = with(RAMP)
    change.analysis = change.analysis:gsub("name: mine", "name: nine")
    assert.matches("steps, mine, found nine (did you mean mine?)", stalled(library.applied(change)), 1, true)
  end)

  describe("in a ConfigMap", function()
    local function tenant(settings)
      return { settings = settings, analysis = STEP .. ", policy: {scriptRef: {name: conf, key: mine.lua}}",
        objects = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf, namespace: demo}\n"
          .. "data:\n  mine.lua: |\n    " .. policy(RAMP):gsub("\n", "\n    ") .. "\n" }
    end

    it("is refused unless the operator allows it", function()
      assert.equal("spec.analysis.policy.scriptRef: expected serin run -tenant-scripts, without which scripts of "
        .. "tenants are refused", stalled(library.applied(tenant())))
    end)

    it("decides when he does", function()
      local run = library.progressing(tenant({ "-metrics-server=http://prometheus:9090", "-mesh-provider=istio",
        "-tenant-scripts" }))
      run:wait_for_phase("demo", "app", "Succeeded", 300)
      assert.same({ 20, 40, 60 }, weights(run))
    end)
  end)

  it("that is lost with its process holds, and can be rolled back", function()
    local change = with(RAMP)
    change.analysis = change.analysis .. ", metrics: [{name: m, query: 'vector(1)', thresholdRange: {max: 2}}]"
    local run = library.progressing(change)
    run:wait(function() return (run:status("demo", "app").canaryWeight or 0) == 20 end)
    library.write(run.dir, "policies/mine.lua", "return")
    run.driver:kill_after(1, "after")
    run:wait(function() return run.driver.dead_until ~= nil end)
    run:wait(function() return run.driver.dead_until == nil end)
    run.boot()
    run:pass(130)
    assert.equal("Progressing", run:status("demo", "app").phase)
    assert.matches("policies/mine.lua:1: script: expected a table", stalled(run), 1, true)
    run.world:annotate("Canary", "demo", "app", { ["serin.dev/intent"] = "abort" })
    run:wait_for_phase("demo", "app", "Failed", 300)
  end)
end)
