--- `serin test spec/cluster/scripts`

local kit = require("kit")

local function check(name, word, value, rule) return { name = name, verdict = word, value = value, rule = rule } end

describe("ramp", function()
  local t

  before_each(function() t = kit.new() end)

  it("doubles the weight up to its maximum and promotes there", function()
    local action, intervals, decisions = t:play("ramp", { params = { start = 5, max = 30 } }, 10)
    assert.same({ "promote", 5 }, { action, intervals })
    local weights = {}
    for _, decision in ipairs(decisions) do weights[#weights + 1] = decision.weight end
    assert.same({ 5, 10, 20, 30 }, weights)
  end)

  it("holds while a check has no data", function()
    local decision = t:decide("ramp", { weight = 10, passed = false,
      checks = { check("arms", "nodata", nil, "<= 1") } })
    assert.same({ "hold", "arms has no data" }, { decision.action, decision.reason })
  end)

  it("rolls back what fails twice in a row, and not what fails in turn", function()
    local bad = { check("arms", "fail", 7, "<= 1") }
    local first = t:decide("ramp", { weight = 10, passed = false, checks = bad })
    assert.equal("hold", first.action)
    local second = t:decide("ramp", { weight = 10, passed = false, checks = bad, state = first.state })
    assert.same({ "rollback", "arms failed 2 times in a row: 7, expected <= 1" }, { second.action, second.reason })
    local other = t:decide("ramp", { weight = 10, passed = false, state = first.state,
      checks = { check("arms", "pass"), check("budget", "fail", 3, ">= 20") } })
    assert.equal("hold", other.action)
  end)

  it("waits for its dwell", function()
    local decision = t:decide("ramp", { params = { dwell = "10m" }, weight = 10, passed = true,
      since = 1893456000 - 60 })
    assert.equal("hold", decision.action)
  end)

  it("refuses a start above its maximum", function()
    local decision, message = t:decide("ramp", { params = { start = 50, max = 20 }, weight = 0 })
    assert.is_nil(decision)
    assert.matches("start: expected at most max", message)
  end)
end)

describe("budget", function()
  local given = { service = "checkout", least = 25 }

  it("passes and fails by what is left", function()
    local t = kit.new()
    t:http({ ["/budgets/checkout"] = { body = { left = 80, requests = 1000 } } })
    assert.equal("pass", t:check("budget", given).verdict)
    t:http({ ["/budgets/checkout"] = { body = { left = 3 } } })
    local verdict = t:check("budget", given)
    assert.same({ "fail", 3, ">= 25 % of the budget left" }, { verdict.verdict, verdict.value, verdict.rule })
  end)

  it("is no data for a service that is not known, and an error for nonsense", function()
    local t = kit.new()
    t:http({ ["/budgets/checkout"] = { status = 404 } })
    assert.equal("nodata", t:check("budget", given).verdict)
    t:http({ ["/budgets/checkout"] = { body = { left = "much" } } })
    assert.equal("error", t:check("budget", given).verdict)
    t:http({ ["/budgets/checkout"] = false })
    assert.equal("error", t:check("budget", given).verdict)
  end)
end)

describe("arms", function()
  local function series(code, value) return { labels = { code = code }, value = value } end

  it("compares the arms", function()
    local t = kit.new()
    t:prom({ ["app-canary"] = { series("200", 90), series("503", 10) }, ["app-primary"] = { series("200", 900) } })
    local verdict = t:check("arms", {})
    assert.same({ "fail", "10.00 % (primary 0.00 %)" }, { verdict.verdict, verdict.value })
  end)

  it("says so when there is no traffic, or too little", function()
    local t = kit.new()
    assert.equal("nodata", t:check("arms", {}).verdict)
    t:prom({ ["app-canary"] = { series("200", 2) } })
    assert.equal("inconclusive", t:check("arms", {}).verdict)
  end)
end)

describe("ingressroute", function()
  it("splits the user's route and gives it back", function()
    local route = {
      apiVersion = "traefik.io/v1alpha1", kind = "IngressRoute", metadata = { name = "front", namespace = "test" },
      spec = { entryPoints = { "web" }, routes = { { kind = "Rule", match = "Host(`app.example.com`)",
        services = { { name = "app", port = 80, passHostHeader = true } } } } },
    }
    kit.golden("spec/ingressroute.golden.yaml", kit.new():walk("ingressroute", [[
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: test, annotations: {ingressroute: front}}
spec:
  provider: ingressroute
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  service: {port: 80}
  analysis: {interval: 1m, threshold: 5, stepWeight: 10, maxWeight: 50}
]], { 5, 50, 0 }, { route = route }))
  end)
end)
