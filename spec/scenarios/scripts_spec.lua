--- Custom checks in a release, run by real worker processes.

local T = require("T")
local begin = require("spec.support.begin")
local digest = require("digest")
local json = require("json")
local library = require("spec.support.library")
local script = require("script")

local CHECK = [[
return {
  name = "gate", api = 1,
  params = { most = { type = "number", default = 5, min = 0 } },
  grants = { "prom" },
  run = function(ctx)
    %s
  end,
}
]]

local ANALYSIS = "interval: 10s, threshold: 2, maxWeight: 50, stepWeight: 25, metrics: "
  .. "[{name: checkout, script: {name: gate%s}}]"

local function gate(body) return CHECK:format(body) end

local function with(body, params)
  return { files = { ["checks/gate.lua"] = gate(body) }, analysis = ANALYSIS:format(params or "") }
end

local function last_check(run) return run:status("demo", "app").checks[1] end

local function told(run, pattern)
  for _, message in ipairs(run:messages("demo")) do
    if message:find(pattern, 1, true) then return true end
  end
  return false, table.concat(run:messages("demo"), "\n")
end

--- A release whose check does this ends in a rollback, and its canary never got more than the first step's traffic.
local function rolled_back(body)
  local run = library.progressing(with(body))
  run:wait_for_phase("demo", "app", "Failed", 300)
  for _, status in ipairs(run.statuses["demo/app"]) do assert.is_true((status.canaryWeight or 0) <= 25) end
  assert.equal("podinfo:1", begin.image(run, "app-primary"))
  return run
end

describe("a release with a custom check", function()
  setup(function() T.log_to("/dev/null") end)
  before_each(function() script.setup({}) end)
  after_each(function() library.clean() end)

  teardown(function()
    script.setup({})
    T.log_to()
  end)

  it("is promoted when the check passes", function()
    local run = library.progressing(with("return verdict.pass{ value = 1, rule = '<= 5', query = 'one' }"))
    run:wait_for_phase("demo", "app", "Succeeded", 300)
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
  end)

  it("is rolled back when it fails, with its evidence in status and event", function()
    local run = rolled_back("return verdict.fail{ value = 7, rule = '<= ' .. ctx.params.most, query = 'q' }")
    assert.is_true(told(run, "Halt app.demo advancement checkout fail: <= 5, found 7 (checks/gate.lua)"))
  end)

  it("shows the evidence while it runs", function()
    local run = library.progressing(with("return verdict.pass{ value = 1, rule = '<= 5', query = 'one' }"))
    run:wait(function() return (run:status("demo", "app").canaryWeight or 0) == 50 end)
    local check = last_check(run)
    assert.same({ "checkout", "pass", "1", "<= 5", "one" },
      { check.name, check.verdict, check.value, check.rule, check.query })
  end)

  it("asks the configured Prometheus", function()
    local run = rolled_back("local v, message = prom.query(nil, 'vector(9)')\n"
      .. "if not v then return verdict.error{ rule = 'query', message = message } end\n"
      .. "return verdict.fail{ value = v, rule = 'none', query = 'vector(9)' }")
    assert.is_true(told(run, "found 9 (checks/gate.lua)"))
  end)

  for word, pattern in pairs({
    ["return verdict.nodata{ rule = 'r' }"] = "advancement checkout nodata: r",
    ["return verdict.inconclusive{ rule = 'r', value = 1 }"] = "advancement checkout inconclusive: r, found 1",
    ["return verdict.fail{ rule = 'r', value = 100 / 3 }"] = "advancement checkout fail: r, found 33.3333 (",
    ["return verdict.error{ rule = 'r' }"] = "advancement checkout error: r",
    ["return nil"] = "advancement checkout: checks/gate.lua: expected a verdict, found nil",
    ["return true"] = "advancement checkout: checks/gate.lua: expected a verdict, found boolean",
    ["return { verdict = 'pas' }"] = "verdict: expected one of pass, fail, inconclusive, nodata, error, found pas "
      .. "(did you mean pass?)",
    ["return verdict.fail{ rule = 'r' }"] = "value: expected a number or a text, as fail needs evidence, found no",
    ["return verdict.pass{ value = 0/0 }"] = "advancement checkout: checks/gate.lua: its result",
    ["error('no idea')"] = "advancement checkout: checks/gate.lua:6: no idea",
    ["x = 1 return verdict.pass{}"] = "checks/gate.lua:6: x: expected a local, found a global",
    ["prom.querry(nil, 'x')"] = "gate.lua:6: prom.querry: expected one of query, vector (did you mean query?)",
    ["prom.qurey(nil, 'x')"] = "gate.lua:6: prom.qurey: expected one of query, vector (did you mean query?)",
    ["local function inner(t)\nreturn t.left + 1 end local function outer(t) return inner(t.x) end outer({})"] =
      "advancement checkout: checks/gate.lua:7: attempt to index a nil value (local 't')",
    ["return verdict.pass{ valeu = 1 }"] = "gate.lua: valeu: expected a field of a verdict (did you mean value?)",
    ["return verdict.pas{}"] = "advancement checkout: checks/gate.lua:6: verdict.pas: expected one of",
    ["http.request{ url = 'http://x' }"] = "gate.lua:6: http is not granted: expected it in the header's grants",
    ["while true do end"] = "advancement checkout: checks/gate.lua:6: used 100 ms of CPU",
    ["pcall(function() while true do end end) return verdict.pass{}"] = "checks/gate.lua:6: used 100 ms of CPU",
    ["local s = ('x'):rep(1 << 26) return verdict.pass{ value = #s }"] = "bytes of memory it may have",
    ["while true do prom.query(nil, 'vector(1)') end"] = "checks/gate.lua",
  }) do
    it("is never promoted by: " .. word, function()
      local run = rolled_back(word)
      assert.is_true(told(run, pattern))
    end)
  end

  it("counts no data as the entry's onNoData says", function()
    local change = with("return verdict.nodata{ rule = 'an answer' }", "}, onNoData: hold")
    change.analysis = change.analysis:gsub("hold}}%]", "hold}]")
    local run = library.progressing(change)
    run:wait(function() return (run:status("demo", "app").canaryWeight or 0) == 25 end)
    run:pass(120)
    assert.same({ "Progressing", 0, 25 }, { run:status("demo", "app").phase, run:status("demo", "app").failedChecks,
      run:status("demo", "app").canaryWeight })
  end)

  it("goes on when the interpreter crashes: that costs a check", function()
    local run = rolled_back("return ('a'):rep(2000):find(('.-'):rep(12) .. 'b')")
    assert.is_true(told(run, "Halt app.demo advancement checkout: checks/gate.lua"))
    assert.is_true(script.stats().quarantined > 0)
  end)

  describe("shows a problem before anything begins", function()
    local function problem(change)
      local run = library.applied(change)
      run:wait(function() return run:condition("demo", "app", "Stalled") ~= nil end, 60)
      return run:condition("demo", "app", "Stalled").message
    end

    it("when no such script is there", function()
      local change = with("return verdict.pass{}")
      change.analysis = change.analysis:gsub("gate", "gates")
      assert.equal("spec.analysis.metrics[0].script.name: expected the name of a check script, one of gate, "
        .. "found gates (did you mean gate?)", problem(change))
    end)

    it("when a parameter is wrong", function()
      assert.equal("spec.analysis.metrics[0].script.params.most: expected at least 0, found -1",
        problem(with("return verdict.pass{}", ", params: {most: -1}")))
    end)

    it("when a parameter is misspelt", function()
      assert.matches("script.params.mosts: expected a known parameter (did you mean most?)",
        problem(with("return verdict.pass{}", ", params: {mosts: 1}")), 1, true)
    end)

    it("when the script has no entry point", function()
      local change = with("return verdict.pass{}")
      change.files["checks/gate.lua"] = change.files["checks/gate.lua"]:gsub("run = ", "rum = ")
      assert.equal("spec.analysis.metrics[0].script.name: checks/gate.lua:5: run: expected a function, found none "
        .. "(found rum, did you mean run?)", problem(change))
    end)

    it("when the script's own rules of parameters are wrong", function()
      local change = with("return verdict.pass{}")
      change.files["checks/gate.lua"] = change.files["checks/gate.lua"]:gsub("min = 0", "min = 'none'")
      assert.equal('spec.analysis.metrics[0].script.name: checks/gate.lua:3: params.most.min: expected a number, '
        .. 'found "none"', problem(change))
    end)

    it("when there is no folder of scripts", function()
      local change = with("return verdict.pass{}")
      change.files = nil
      assert.equal("spec.analysis.metrics[0].script.name: expected serin run -scripts=DIR, "
        .. "where gate.lua is in DIR/checks", problem(change))
    end)
  end)

  describe("whose script changes while it runs", function()
    local PASS, FAIL = gate("return verdict.pass{}"), gate("return verdict.fail{ rule = 'never', value = 1 }")

    it("keeps the version it began with, which is in its status", function()
      local run = library.progressing(with("return verdict.pass{}"))
      run:wait(function() return run:status("demo", "app").scripts ~= nil end)
      assert.same({ { name = "checks/gate.lua", sha256 = digest.sha256(PASS) } }, run:status("demo", "app").scripts)
      library.write(run.dir, "checks/gate.lua", FAIL)
      run.library:load()
      assert.equal(digest.sha256(FAIL), run.library:find("check", "gate").sha256)
      run:wait_for_phase("demo", "app", "Succeeded", 300)
      assert.same({ { name = "checks/gate.lua", sha256 = digest.sha256(PASS) } }, run:status("demo", "app").scripts)
    end)

    it("shows nothing in the status of a run without scripts", function()
      local run = library.progressing(with("return verdict.pass{}"))
      run:wait_for_phase("demo", "app", "Succeeded", 300)
      run.world:patch("Canary", "demo", "app", { spec = { analysis = { metrics = json.array() } } })
      run.world:set_image("demo", "app", "podinfo:3")
      run:wait_for_phase("demo", "app", "Progressing", 300)
      run:wait_for_phase("demo", "app", "Succeeded", 300)
      assert.is_nil(run:status("demo", "app").scripts)
    end)

    it("takes the new version in its next run", function()
      local run = library.progressing(with("return verdict.pass{}"))
      run:wait_for_phase("demo", "app", "Succeeded", 300)
      library.write(run.dir, "checks/gate.lua", FAIL)
      run.library:load()
      run.world:set_image("demo", "app", "podinfo:3")
      run:wait_for_phase("demo", "app", "Failed", 300)
      assert.is_false((told(run, "is lost")))
    end)

    it("keeps the last good version when the new one is broken, and says so", function()
      local run = library.progressing(with("return verdict.pass{}"))
      run:wait_for_phase("demo", "app", "Succeeded", 300)
      library.write(run.dir, "checks/gate.lua", "return {\n  name = gate }")
      run.library:load()
      run.world:set_image("demo", "app", "podinfo:3")
      run:wait_for_phase("demo", "app", "Progressing", 300)
      run:wait_for_phase("demo", "app", "Succeeded", 300)
      assert.is_true(told(run, "Script checks/gate.lua of app.demo: its new version is refused, "
        .. digest.sha256(PASS):sub(1, 12) .. " goes on: checks/gate.lua:2: gate is not defined"))
    end)

    it("says so when a new process no longer has the version", function()
      local run = library.progressing(with("return verdict.pass{}"))
      run:wait(function() return run:status("demo", "app").scripts ~= nil end)
      library.write(run.dir, "checks/gate.lua", FAIL)
      run.driver:kill_after(1, "after")
      run:wait(function() return run.driver.dead_until ~= nil end)
      run:wait(function() return run.driver.dead_until == nil end)
      run.boot()
      run:wait_for_phase("demo", "app", "Failed", 300)
      assert.is_true(told(run, "is lost, as the engine was started again"))
    end)
  end)

  describe("in a ConfigMap", function()
    local function tenant(body, flags)
      local source = gate(body):gsub("\n", "\n    ")
      return { settings = flags, analysis = "interval: 10s, threshold: 2, maxWeight: 50, stepWeight: 25, metrics: "
        .. "[{name: checkout, script: {scriptRef: {name: conf, key: gate.lua}}}]",
        objects = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf, namespace: demo}\n"
          .. "data:\n  gate.lua: |\n    " .. source .. "\n" }
    end

    local ON = { "-metrics-server=http://prometheus:9090", "-mesh-provider=istio", "-tenant-scripts",
      "-tenant-http-allow=api.example.com" }

    it("is refused unless the operator allows it", function()
      local run = library.applied(tenant("return verdict.pass{}"))
      run:wait(function() return run:condition("demo", "app", "Stalled") ~= nil end, 60)
      assert.equal("spec.analysis.metrics[0].script.scriptRef: expected serin run -tenant-scripts, without which "
        .. "scripts of tenants are refused", run:condition("demo", "app", "Stalled").message)
    end)

    it("judges the release when he does", function()
      local run = library.progressing(tenant("return verdict.pass{}", ON))
      run:wait_for_phase("demo", "app", "Succeeded", 300)
    end)

    it("is refused where the kernel does not confine the worker", function()
      T.workers("unconfined")
      script.setup({})
      local run = library.applied(tenant("return verdict.pass{}", ON))
      run:wait(function() return run:condition("demo", "app", "Stalled") ~= nil end, 60)
      T.workers("")
      assert.matches("scriptRef: demo/conf/gate.lua", run:condition("demo", "app", "Stalled").message, 1, true)
    end)

    it("is pinned while the ConfigMap changes", function()
      local run = library.progressing(tenant("return verdict.pass{}", ON))
      run:wait(function() return run:status("demo", "app").scripts ~= nil end)
      run.world.api:patch({ apiVersion = "v1", kind = "ConfigMap", namespace = "demo", name = "conf" },
        { data = { ["gate.lua"] = gate("return verdict.fail{ rule = 'never', value = 1 }") } })
      run:wait_for_phase("demo", "app", "Succeeded", 300)
    end)

    it("asks the hosts of the list, and no others", function()
      local run = library.progressing(tenant("local _, a = http.request{ url = 'http://api.example.com.evil.org/x' } "
        .. "local b = http.request{ url = 'http://api.example.com/x' } "
        .. "return verdict.fail{ value = tostring(a) .. ' ' .. tostring(b and b.body), rule = 'r' }", ON))
      run.world.hooks["http://api.example.com/x"] = function() return 200, "hello" end
      run:wait_for_phase("demo", "app", "Failed", 300)
      assert.is_true(told(run, "found http://api.example.com.evil.org/x is not granted hello"))
    end)

    it("names a Secret and never sees it", function()
      local change = tenant("local a = http.request{ url = 'http://api.example.com/x', secret = 'token' } "
        .. "return verdict.fail{ value = a.body, rule = 'r' }", ON)
      change.objects = change.objects .. "---\napiVersion: v1\nkind: Secret\nmetadata: {name: token, namespace: demo}\n"
        .. "data: {token: aHVudGVyMi1odW50ZXIy}\n"
      local run = library.progressing(change)
      local sent
      run.world.hooks["http://api.example.com/x"] = function(_, request)
        sent = request.headers.Authorization
        return 200, "you said " .. sent
      end
      run:wait_for_phase("demo", "app", "Failed", 300)
      assert.equal("Bearer hunter2-hunter2", sent)
      assert.is_true(told(run, "found you said (secret)"))
    end)

    it("may not read objects", function()
      local run = library.progressing(tenant("kube.get('v1', 'Service', 'app') return verdict.pass{}", ON))
      run:wait_for_phase("demo", "app", "Failed", 300)
      assert.is_true(told(run, "kube is not granted"))
    end)
  end)

  describe("in a MetricTemplate of type lua", function()
    local function template(query, extra)
      return { analysis = "interval: 10s, threshold: 2, maxWeight: 50, stepWeight: 25, metrics: "
        .. "[{name: checkout, interval: 30s, templateRef: {name: t}, templateVariables: {most: '5'}"
        .. (extra or "") .. "}]",
        settings = { "-metrics-server=http://prometheus:9090", "-mesh-provider=istio", "-tenant-scripts" },
        objects = "---\napiVersion: flagger.app/v1beta1\nkind: MetricTemplate\nmetadata: {name: t, namespace: demo}\n"
          .. "spec:\n  provider: {type: lua, address: 'http://prometheus:9090'}\n  query: |\n    "
          .. query:gsub("\n", "\n    ") .. "\n" }
    end

    it("gives a verdict", function()
      local run = library.progressing(template("local value = prom.query(address, 'vector(3)')\n"
        .. "if value > tonumber(variables.most) then return verdict.fail{ value = value, rule = 'r' } end\n"
        .. "return verdict.pass{ value = value }"))
      run:wait_for_phase("demo", "app", "Succeeded", 300)
    end)

    it("gives a number, which the thresholds judge", function()
      local run = library.progressing(template("return prom.query(address, 'vector(3)')",
        ", thresholdRange: {max: 2}"))
      run:wait_for_phase("demo", "app", "Failed", 300)
      assert.is_true(told(run, "Halt app.demo advancement checkout 3.00 > 2"))
    end)

    it("names its line", function()
      local run = library.progressing(template("local a = 1\nreturn a + nothing"))
      run:wait_for_phase("demo", "app", "Failed", 300)
      assert.is_true(told(run, "checkout: metrictemplate/demo/t:2: nothing is not defined"))
    end)

    it("is no success without a value", function()
      local run = library.progressing(template("return nil", ", thresholdRange: {max: 2}"))
      run:wait_for_phase("demo", "app", "Failed", 300)
    end)

    it("names Secrets of its own namespace, not of the Canary's", function()
      local change = template("local a, b = http.request{ url = 'http://api.example.com/x', secret = 'token' } "
        .. "return verdict.fail{ value = tostring(b), rule = 'r' }")
      change.settings[#change.settings + 1] = "-tenant-http-allow=api.example.com"
      change.objects = change.objects:gsub("namespace: demo", "namespace: theirs")
        .. "---\napiVersion: v1\nkind: Secret\nmetadata: {name: token, namespace: demo}\n"
        .. "data: {token: aHVudGVyMi1odW50ZXIy}\n"
      change.analysis = change.analysis:gsub("templateRef: {name: t}", "templateRef: {name: t, namespace: theirs}")
      local run = library.progressing(change)
      run:wait_for_phase("demo", "app", "Failed", 300)
      assert.is_true(told(run, "found secret token not found"))
    end)

    it("is refused unless the operator allows it", function()
      local change = template("return 1")
      change.settings = nil
      local run = library.progressing(change)
      run:wait_for_phase("demo", "app", "Failed", 300)
      assert.is_true(told(run, "expected serin run -tenant-scripts"))
    end)
  end)
end)
