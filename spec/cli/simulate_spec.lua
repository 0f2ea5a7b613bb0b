local json = require("json")
local manifests = require("spec.support.manifests")
local verb = require("spec.support.verb")

local CANARY = [[
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: demo}
spec:
  provider: istio
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  service: {port: 80}
  analysis:
    interval: 1m
    threshold: 3
    maxWeight: 50
    stepWeight: 25
    metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 1m}]
]]

local function simulated(...)
  local code, out, err = verb.call("simulate", verb.file(CANARY), "--output", "json", ...)
  return code == 0 and json.decode(out), code, err
end

local function phases(release)
  local out = {}
  for _, entry in ipairs(release.timeline) do
    local step = ("%s %d %d"):format(entry.phase, entry.weight, entry.failed_checks)
    if out[#out] ~= step then out[#out + 1] = step end
  end
  return out
end

describe("serin simulate", function()
  after_each(verb.clean)

  it("tells a release that is promoted, with the verdicts", function()
    local result = simulated("--traffic", "rps=50")
    assert.equal("promoted", result.release.outcome)
    assert.same({ "Progressing 0 0", "Progressing 25 0", "Progressing 50 0", "Promoting 50 0", "Finalising 0 0",
      "Succeeded 0 0" }, phases(result.release))
    local check = result.release.timeline[3].checks[1]
    assert.same({ "request-success-rate", "pass", ">= 99" }, { check.name, check.verdict, check.rule })
    assert.same({ 0, nil }, { result.release.lost_requests, result.policies })
  end)

  it("tells one that is rolled back, and what was wrong", function()
    local result = simulated("--traffic", "rps=50 at=1m canary.errors=20%")
    assert.equal("rolled back", result.release.outcome)
    local said = json.encode(result.release.timeline)
    assert.truthy(said:find("Halt app.demo advancement success rate %d+%.%d+%% < 99%%"), said)
    assert.is_true(result.canary_is_worse)
  end)

  it("gives the rates over runs, the same for the same seed and others for another", function()
    local traffic = "rps=20 errors=0.8%"
    local one = simulated("--traffic", traffic, "--runs", "300", "--no-timeline")
    assert.same(one, (simulated("--traffic", traffic, "--runs", "300", "--no-timeline")))
    local other = simulated("--traffic", traffic, "--runs", "300", "--no-timeline", "--seed", "77")
    assert.not_same(one.policies, other.policies)
    local rates = one.policies[1]
    assert.same({ 300, "drawn", false }, { rates.runs, rates.way, one.canary_is_worse })
    assert.near(1, rates.promoted + rates.rolled_back + rates.undecided, 1e-9)
    assert.is_true(rates.rolled_back > 0.001 and rates.rolled_back < 0.9, tostring(rates.rolled_back))
  end)

  it("compares policies on the same traffic", function()
    local result = simulated("--traffic", "rps=100 canary.errors=4%", "--runs", "50", "--policy", "flagger", "--policy",
      "sequential", "--policy=kayenta", "--params", "", "--params", "", "--params", '{"points":5}')
    local names = {}
    for index, one in ipairs(result.policies) do
      names[index] = one.policy
      assert.equal(1, one.rolled_back)
      assert.is_true(one.seconds_to_rollback > 60)
    end
    assert.same({ "flagger", "sequential", "kayenta" }, names)
  end)

  it("prints a table, and says whether a rollback is a false alarm", function()
    local _, out = verb.call("simulate", verb.file(CANARY), "--traffic", "rps=50", "--runs", "20")
    assert.truthy(out:find("    time  phase          weight  checks\n", 1, true))
    assert.truthy(out:find("20 releases, seed 1; a rollback is a false alarm: the canary is never worse", 1, true), out)
    assert.truthy(out:find("flagger        100.00 %       0.00 %     0.00 %", 1, true), out)
    assert.truthy(select(2, verb.call("simulate", verb.file(CANARY), "--traffic", "canary.errors=1%", "--runs", "2"))
      :find("a rollback is a detection", 1, true))
  end)

  it("makes every release on the cluster where it cannot be drawn, and says why", function()
    local text = CANARY:gsub("stepWeight: 25", "stepWeight: 25\n    mirror: true")
    local code, out = verb.call("simulate", verb.file(text), "--traffic", "rps=20", "--runs", "2", "--no-timeline")
    assert.equal(0, code)
    assert.truthy(out:find("flagger: every release on the embedded cluster: requests are mirrored", 1, true), out)
  end)

  it("releases by the scripts of a folder, and compares their policies", function()
    local path = verb.file(manifests.deployment("app") .. manifests.canary("app", { provider = "traefik",
      analysis = "interval: 1m, threshold: 5, maxWeight: 40, stepWeight: 20, policy: {name: ramp, params: {max: 20}}, "
      .. "metrics: [{name: arms, script: {name: arms}}]" }))
    local function by_scripts(traffic, ...)
      local code, out, err = verb.call("simulate", path, "--scripts", "spec/cluster/scripts", "--traffic", traffic,
        "--output", "json", ...)
      assert.equal(0, code, err)
      return json.decode(out)
    end
    local function seen(release)
      local weights = {}
      for _, entry in ipairs(release.timeline) do
        if entry.weight > 0 and entry.weight ~= weights[#weights] then weights[#weights + 1] = entry.weight end
      end
      return release.outcome, weights
    end
    assert.same({ "promoted", { 5, 10, 20 } }, { seen(by_scripts("rps=50").release) })
    assert.same({ "rolled back", { 5 } }, { seen(by_scripts("rps=50 canary.errors=20%").release) })
    local both = by_scripts("rps=50", "--runs", "2", "--no-timeline", "--policy", "ramp",
      "--policy", "flagger").policies
    assert.same({ "ramp", "cluster", 1, "flagger", 1 }, { both[1].policy, both[1].way, both[1].promoted, both[2].policy,
      both[2].promoted })
  end)

  it("lets users follow a router of that folder", function()
    local path = verb.file(manifests.deployment("app") .. manifests.canary("app", { provider = "ingressroute",
      analysis = "interval: 1m, threshold: 2, stepWeights: [20, 40], metrics: [{name: arms, script: {name: arms}}]" })
      .. [[
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: app, namespace: demo}
spec:
  routes: [{kind: Rule, match: "Host(`app.example.com`)", services: [{kind: Service, name: app, port: 80}]}]
]])
    local function outcome(traffic)
      local code, out, err = verb.call("simulate", path, "--scripts", "spec/cluster/scripts", "--traffic", traffic,
        "--output", "json")
      assert.equal(0, code, err)
      return json.decode(out).release.outcome
    end
    assert.equal("promoted", outcome("rps=50"))
    assert.equal("rolled back", outcome("rps=50 canary.errors=20%"))
  end)

  it("reads the traffic from a file", function()
    local path = verb.file("rps=50 # users\nat=1m\ncanary.errors=50%\n", ".txt")
    assert.equal("rolled back", simulated("--traffic", path).release.outcome)
  end)

  for words, message in pairs({
    ["rpss=5"] = "found rpss (did you mean rps?)",
    ["rps=many"] = 'rps: expected a number from 0 to 1000000, found "many"',
    ["errors=101%"] = 'errors: expected a share like 2% or 0.02, found "101%"',
    ["prometheus=off"] = 'prometheus: expected down or up, found "off"',
    ["prometheus=down:5m..3m"] = "expected a time like 5m..8m, found 5m..3m",
    ["at=5m rps=1 at=3m"] = "at=3m: expected a time from 5m0s on, found 3m",
    ["no-such-file"] = "expected words like rps=50 or a file",
  }) do
    it("refuses the traffic " .. words, function()
      local code, _, err = verb.call("simulate", verb.file(CANARY), "--traffic", words)
      assert.equal(2, code)
      assert.truthy(err:find(message, 1, true), err)
    end)
  end

  it("refuses a policy that there is not, and one that does not fit", function()
    local _, code, err = simulated("--traffic", "rps=1", "--runs", "2", "--no-timeline", "--policy", "sequental")
    assert.equal(1, code)
    assert.truthy(err:find("did you mean sequential?", 1, true), err)
    _, code, err = simulated("--traffic", "rps=1", "--runs", "2", "--no-timeline", "--policy", "steps", "--params",
      '{"step":1}')
    assert.equal(1, code)
    assert.truthy(err:find("did you mean steps?", 1, true), err)
  end)

  it("is misused without a file or without traffic", function()
    assert.equal(2, (verb.call("simulate", "--traffic", "rps=1")))
    assert.equal(2, (verb.call("simulate", verb.file(CANARY))))
    assert.equal(2, (verb.call("simulate", verb.file(CANARY), "--traffic", "rps=1", "--runs", "0")))
  end)

  it("shows progress on a terminal only", function()
    local path = verb.file(CANARY)
    local err, out = {}, {}
    local function sink(list) return { write = function(_, ...) list[#list + 1] = table.concat({ ... }) end } end
    local function call(live)
      require("cli.simulate").run({ path, "--traffic", "rps=5", "--runs", "300", "--no-timeline" },
        { out = sink(out), err = sink(err), live = live })
    end
    call(false)
    assert.equal("", table.concat(err))
    call(true)
    assert.truthy(table.concat(err):find("flagger: 100 of 300 releases", 1, true))
    assert.equal(out[1], out[#out // 2 + 1])
  end)

  it("has a help text", function()
    local code, out = verb.call("simulate", "-h")
    assert.equal(0, code)
    assert.truthy(out:find("^usage: serin simulate"))
  end)
end)

describe("stated traffic", function()
  local parse = require("offline.stated_traffic").parse

  it("is cut where anything changes, and what holds for a while gives way again", function()
    local out = {}
    for index, state in ipairs(assert(parse("rps=10 canary.errors=1% at=1m canary.errors=2% errors=50%:30s..90s"))) do
      out[index] = { state.from, state.to, state.rps, state.canary_errors, state.primary_errors }
    end
    assert.same({ { 0, 30, 10, 0.01, 0.0 }, { 30, 60, 10, 0.5, 0.5 }, { 60, 90, 10, 0.5, 0.5 },
      { 90, math.huge, 10, 0.02, 0.0 } }, out)
  end)
end)

describe("drawn counts", function()
  it("have the mean and the variance of the Poisson distribution", function()
    local draws, random = require("offline.draws"), require("sandbox.random").new(3)
    for _, mean in ipairs({ 0.1, 3, 29, 31, 5000 }) do
      local n, sum, squares = 20000, 0, 0
      for _ = 1, n do
        local value = draws.poisson(random, mean)
        sum, squares = sum + value, squares + value * value
      end
      local average = sum / n
      assert.near(mean, average, 5 * math.sqrt(mean / n))
      assert.near(1, (squares / n - average * average) / mean, 0.06)
    end
  end)
end)
