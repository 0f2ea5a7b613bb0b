local begin = require("spec.support.begin")
local json = require("json")
local server = require("server")
local tape = require("cli.tape")
local verb = require("spec.support.verb")

local CHECKS = "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 1m}, "
  .. "{name: request-duration, thresholdRange: {max: 500}, interval: 1m}, "
  .. "{name: own, templateRef: {name: own}, thresholdRange: {max: 1}, interval: 1m}]"
local TEMPLATE = [[
---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: own, namespace: demo}
spec:
  provider: {type: prometheus, address: "http://prometheus:9090", secretRef: {name: login}}
  query: 'vector({{ variables.x }})'
---
apiVersion: v1
kind: Secret
metadata: {name: login, namespace: demo}
data: {username: dXNlcg==, password: c2VjcmV0}
]]

--- A tape of a whole release; `image` is the new revision's.
local function recorded(image, more, most)
  local path = verb.file("", ".tape")
  local run = begin.applied({ provider = "istio", objects = TEMPLATE, hooks = { "rollout", "confirm-rollout" },
    analysis = "interval: 10s, threshold: 2, maxWeight: 50, stepWeight: 25, " .. (more or "")
      .. CHECKS:gsub("interval: 1m}%]", "interval: 1m, templateVariables: {x: '0.5'}}]") })
  run.warnings = {}
  local log = { warn = function(text) table.insert(run.warnings, text) end }
  run.driver.host.tape = assert(tape.open(path, most or 1 << 24, log))
  run:wait_for_phase("demo", "app", "Initialized")
  run:pass(1)
  run.world:set_image("demo", "app", image)
  run:wait(function()
    local phase = run:status("demo", "app").phase
    return phase == "Succeeded" or phase == "Failed"
  end, 900)
  return path, run
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

describe("serin replay of a tape", function()
  after_each(verb.clean)

  for name, case in pairs({
    ["a release that is promoted"] = { "podinfo:2" }, ["one that is rolled back"] = { "podinfo:2-err10" },
    ["a policy that counts for itself"] = { "podinfo:2-err50", "policy: {name: sequential, params: {slow: 500}}, " },
    ["a policy in the shadow"] = { "podinfo:2", "policy: {name: kayenta, mode: shadow, params: {points: 5}}, " },
  }) do
    it("makes the same verdicts and decisions of " .. name .. ", byte for byte", function()
      local path = recorded(case[1], case[2])
      local code, out, err = verb.call("replay", path)
      assert.same({ 0, "" }, { code, err }, out)
      local verdicts, decisions = out:match("(%d+) verdicts and (%d+) decisions, all the same\n$")
      assert.is_true(tonumber(verdicts) >= 3 and tonumber(decisions) >= 2, out)
      assert.truthy(out:find("own pass 0.5 (<= 1)", 1, true), out)
      assert.truthy(out:find("hook rollout said yes", 1, true), out)
    end)
  end

  it("finds a verdict that would be another now", function()
    local path = recorded("podinfo:2")
    local changed = read(path):gsub('"min":99', '"min":101', 1)
    local code, out = verb.call("replay", "--quiet", verb.file(changed, ".tape"))
    assert.equal(1, code)
    assert.truthy(out:find("request-success-rate fail 100 (>= 101)\n  then {", 1, true), out)
    assert.truthy(out:find("%d+ not the same\n$"), out)
  end)

  it("finds a decision that would be another now", function()
    local path = recorded("podinfo:2")
    local changed = read(path):gsub('"action":"promote"', '"action":"hold"', 1)
    local code, out = verb.call("replay", "-o", "json", verb.file(changed, ".tape"))
    local last = json.decode(out:match("([^\n]+)\n$"))
    assert.same({ 1, "summary", 1 }, { code, last.kind, last.different })
  end)

  it("holds no request and nothing of a Secret but the names of its keys", function()
    local text = read((recorded("podinfo:2")))
    assert.truthy(text:find('"demo/login":["password","username"]', 1, true))
    for _, word in ipairs({ "c2VjcmV0", "secret\"", "dXNlcg", "Authorization", "Basic " }) do
      assert.is_nil(text:find(word, 1, true), word)
    end
  end)

  it("says that a tape was full, whose last line tells so", function()
    local path, run = recorded("podinfo:2", nil, 6000)
    assert.same({ ("tape %s: it is full at 6000 bytes; nothing more is recorded"):format(path) }, run.warnings)
    local text = read(path)
    assert.is_true(#text <= 6000)
    assert.equal("full", json.decode(text:match("([^\n]+)\n$")).type)
    local code, out = verb.call("replay", path)
    assert.equal(0, code)
    assert.truthy(out:find("; the tape was full\n$"), out)
  end)

  it("adds to a tape that is there, and to a full one nothing", function()
    local path = verb.file("x\n", ".tape")
    tape.open(path, 1000, {})({ type = "hook" })
    assert.equal('x\n{"type":"hook"}\n', read(path))
    local told
    tape.open(path, 10, { warn = function(text) told = text end })({ type = "hook" })
    assert.equal('x\n{"type":"hook"}\n', read(path))
    assert.truthy(told:find("it is full already", 1, true))
  end)

  it("refuses what is no tape, with the line", function()
    local code, _, err = verb.call("replay", verb.file('{"type":"full"}\nnonsense\n', ".tape"))
    assert.equal(1, code)
    assert.truthy(err:find("line 2: expected a record of a tape", 1, true), err)
  end)
end)

describe("serin replay of a time range", function()
  local listening

  after_each(function()
    verb.clean()
    if listening then listening:close() end
    listening = nil
  end)

  --- A Prometheus whose answers depend on the time that is asked for.
  local function prometheus(value_at)
    local asked = {}
    listening = assert(server.listen({ handler = function(request)
      local t = tonumber(request.query.time)
      asked[#asked + 1] = t
      return { status = 200, body = json.encode({ status = "success", data = { resultType = "vector",
        result = json.array({ { metric = {}, value = json.array({ t, tostring(value_at(t)) }) } }) } }) }
    end }))
    return "http://127.0.0.1:" .. listening:port(), asked
  end

  local CANARY = [[
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: demo}
spec:
  provider: istio
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  service: {port: 80}
  analysis: {interval: 1m, threshold: 2, maxWeight: 50, stepWeight: 25,
    metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 1m}]}
]]

  it("asks for each moment, and tells what the policy would have decided", function()
    local url, asked = prometheus(function() return 100 end)
    local code, out, err = verb.call("replay", verb.file(CANARY), "--prometheus", url, "--from",
      "2026-01-31T09:00:00Z", "--to", "2026-01-31T10:00:00Z")
    assert.same({ 0, "" }, { code, err })
    assert.same({ 1769850060, 1769850120 }, asked)
    assert.equal("2026-01-31T09:00:00Z    0 %  shift\n"
      .. "2026-01-31T09:01:00Z   25 %  shift  request-success-rate pass (100)\n"
      .. "2026-01-31T09:02:00Z   50 %  promote  request-success-rate pass (100)\n"
      .. "promoted at 2026-01-31T09:02:00Z\n", out)
  end)

  it("tells a rollback", function()
    local url = prometheus(function(t) return t < 1769850100 and 100 or 50 end)
    local code, out = verb.call("replay", verb.file(CANARY), "--prometheus", url, "--from", "1769850000", "--to",
      "1769853600", "-o", "json")
    assert.equal(0, code)
    assert.same({ outcome = "rolled back", at = "2026-01-31T09:03:00Z" }, json.decode(out:match("([^\n]+)\n$")))
  end)

  it("counts a Prometheus that does not answer as failed checks", function()
    local code, out = verb.call("replay", verb.file(CANARY), "--prometheus", "http://127.0.0.1:1", "--from",
      "1769850000", "--to", "1769853600")
    assert.equal(0, code)
    assert.truthy(out:find("request-success-rate error: ", 1, true), out)
    assert.truthy(out:find("rolled back at ", 1, true), out)
  end)

  for name, case in pairs({
    ["no time"] = { { "--prometheus", "http://x:1" }, "--from: expected a value" },
    ["a time that is none"] = { { "--prometheus", "http://x:1", "--from", "monday", "--to", "2" },
      'expected a time like 2026-01-31T09:00:00Z, found "monday"' },
    ["an end before the beginning"] = { { "--prometheus", "http://x:1", "--from", "5", "--to", "2" },
      "--to: expected a time after --from" },
    ["no URL"] = { { "--prometheus", "x", "--from", "1", "--to", "2" }, "--prometheus: expected a URL" },
    ["a policy without a Prometheus"] = { { "--policy", "steps" }, "--policy: expected --prometheus with it" },
  }) do
    it("is misused with " .. name, function()
      local code, _, err = verb.call("replay", verb.file(CANARY), table.unpack(case[1]))
      assert.equal(2, code)
      assert.truthy(err:find(case[2], 1, true), err)
    end)
  end

  it("refuses a check that no Prometheus answers", function()
    local text = CANARY:gsub("{name: request%-success%-rate,", "{name: x, templateRef: {name: none},")
    local code, _, err = verb.call("replay", verb.file(text), "--prometheus", "http://127.0.0.1:1", "--from", "1",
      "--to", "200")
    assert.equal(1, code)
    assert.truthy(err:find("metric x cannot be asked of http://127.0.0.1:1: ", 1, true), err)
  end)

  it("has a help text", function()
    local code, out = verb.call("replay", "-h")
    assert.equal(0, code)
    assert.truthy(out:find("^usage: serin replay"))
  end)
end)
