--- examples/scripts: all of them load, and do what they say, in a worker.

local T = require("T")
local json = require("json")
local library = require("scripts.library")
local params = require("util.params")
local run = require("scripts.run")
local script = require("script")

local NOW = 1893493800 -- 2030-01-01 10:30 UTC, a Tuesday

local shelf, answers, asked, now, secrets

--- answers[url or query] is what is answered; a number as Prometheus does.
local function host()
  local log = {}
  for _, level in ipairs({ "debug", "info", "warn", "error" }) do log[level] = function() end end
  return {
    script = script, log = log,
    clock = { now = function() return now end },
    kube = { get = function(ref)
      local data = secrets[ref.namespace .. "/" .. ref.name]
      if data then return { data = data } end
      return nil, "not found", "NOT_FOUND"
    end },
    http = { request = function(request)
      asked[#asked + 1] = request
      for pattern, value in pairs(answers) do
        local text = request.url:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
        if text:find(pattern, 1, true) and type(value) == "table" then return value end
        if text:find(pattern, 1, true) then
          return { status = 200, headers = {}, body = ('{"status":"success","data":{"resultType":"vector","result":'
            .. '[{"metric":{},"value":[1,"%s"]}]}}'):format(value) }
        end
      end
      return { status = 200, headers = {}, body = '{"status":"success","data":{"resultType":"vector","result":[]}}' }
    end },
  }
end

local function call(kind, name, entry, given, ctx)
  local found = assert(shelf:find(kind, name))
  ctx.params = assert(params.read(found.fields.params or {}, given, "params"))
  local it = host()
  local value, message = T.run(function()
    return run.call(it, found, { entry = entry, arguments = { ctx } }, { label = found.label, canary = "app.demo",
      namespace = "demo", grants = found.grants, server = "http://prometheus:9090" })
  end)
  return assert(value, message)
end

local function check(name, given)
  return call("check", name, "run", given, { now = now, metric = { name = "m", interval = 60 },
    canary = { name = "app", namespace = "demo", target = { kind = "Deployment", name = "app" } } })
end

local function decide(name, given, at, state)
  local ctx = { canary = { name = "app", namespace = "demo", target = "app" }, state = state, checks = json.array(),
    strategy = "canary", analysis = { threshold = 3, step_weight = 10, max_weight = 50 },
    now = { t = now, weight = 10, failed_checks = 0, passed = true } }
  for key, value in pairs(at or {}) do ctx.now[key] = value end
  return call("policy", name, "decide", given, ctx)
end

describe("examples/scripts", function()
  setup(function()
    T.log_to("/dev/null")
    script.setup({})
    now, answers, asked, secrets = NOW, {}, {}, {}
    shelf = library.new({ host = host(), folders = { "examples/scripts" } })
    T.run(function() shelf:load() end)
  end)

  before_each(function() now, answers, asked, secrets = NOW, {}, {}, {} end)

  teardown(function()
    script.setup({})
    T.log_to()
  end)

  it("are all taken", function()
    assert.same({}, shelf.broken)
    for kind, names in pairs({ check = { "either", "incidents" }, notify = { "card" }, router = { "weightfile" },
      policy = { "business_hours", "canary_vs_primary" } }) do
      assert.same(names, shelf:names(kind))
    end
  end)

  describe("checks/either", function()
    local function with(requests, errors, p99)
      answers = { ["=sum(rate(http_requests_total"] = requests, ["100 * sum"] = errors, histogram_quantile = p99 }
      return check("either", { errors = 1, p99 = "500ms" })
    end

    it("passes when both are good", function()
      assert.same({ "pass", "0.50 % errors, p99 200 ms", 600 },
        (function(v) return { v.verdict, v.value, v.n } end)(with(10, 0.5, 0.2)))
    end)

    it("passes at the limits", function() assert.equal("pass", with(10, 1, 0.5).verdict) end)
    it("fails for errors", function() assert.equal("fail", with(10, 1.01, 0.2).verdict) end)
    it("fails for latency", function() assert.equal("fail", with(10, 0.5, 0.501).verdict) end)
    it("does not judge too little traffic", function() assert.equal("pass", with(0.9, 50, 9).verdict) end)

    it("has no data without an answer", function() assert.equal("nodata", with(nil, 1, 1).verdict) end)
  end)

  describe("checks/incidents", function()
    local function with(status, body)
      secrets["demo/token"] = { token = "aHVudGVyMg==" }
      answers["status.example.com/api/v1/incidents"] = { status = status, headers = {}, body = body }
      return check("incidents", { service = "checkout", secret = "token" })
    end

    it("passes without incidents, and sends the token", function()
      assert.equal("pass", with(200, '{"incidents":[]}').verdict)
      assert.equal("Bearer hunter2", asked[1].headers.Authorization)
    end)

    it("fails with one, and names it", function()
      local found = with(200, '{"incidents":[{"title":"db down"}]}')
      assert.same({ "fail", 1, "open incident db down" }, { found.verdict, found.value, found.message })
    end)

    it("is an error when the API does not answer well", function()
      assert.equal("error", with(500, "").verdict)
      assert.equal("error", with(200, "<html>").verdict)
    end)

    it("is an error without the Secret", function()
      local found = check("incidents", { service = "checkout", secret = "none" })
      assert.same({ "error", "secret none not found" }, { found.verdict, found.message })
    end)
  end)

  describe("policies/business_hours", function()
    it("steps while people are at work", function()
      assert.same({ "shift", 20 }, (function(d) return { d.action, d.weight } end)(decide("business_hours")))
    end)

    it("waits at night and at weekends, in their time zone", function()
      assert.equal("hold", decide("business_hours", { zone = "America/New_York" }).action)
      assert.matches("it is 05:30 in America/New_York", decide("business_hours", { zone = "America/New_York" }).reason)
      now = NOW + 4 * 86400
      assert.equal("hold", decide("business_hours").action)
      assert.equal("shift", decide("business_hours", { weekends = true }).action)
    end)

    it("rolls back at any time", function()
      now = NOW + 12 * 3600
      assert.equal("rollback", decide("business_hours", nil, { failed_checks = 3 }).action)
    end)

    it("promotes at the end", function()
      assert.equal("promote", decide("business_hours", nil, { weight = 50 }).action)
    end)
  end)

  describe("policies/canary_vs_primary", function()
    local QUERY = { query = 'errors{ns="$namespace",w="$workload"}' }

    local function with(canary, primary, at, state)
      answers = { ['w="app"'] = canary, ['w="app-primary"'] = primary }
      return decide("canary_vs_primary", QUERY, at, state)
    end

    it("steps while the canary is as good", function()
      local found = with(0.5, 0.5)
      assert.same({ "shift", 20, "pass", 0 }, { found.action, found.weight, found.evidence[1].verdict,
        found.state.worse })
    end)

    it("holds when it is worse, and rolls back when it stays so", function()
      local found = with(0.6, 0.5)
      assert.same({ "hold", 1 }, { found.action, found.state.worse })
      assert.equal("rollback", with(0.6, 0.5, nil, found.state).action)
    end)

    it("forgets when it is better again", function()
      assert.equal(0, with(0.5, 0.5, nil, { worse = 1 }).state.worse)
    end)

    it("holds without an answer", function() assert.equal("hold", with(nil, 0.5).action) end)

    it("compares nothing before there is traffic", function()
      assert.equal("shift", with(nil, nil, { weight = 0 }).action)
    end)
  end)
end)
