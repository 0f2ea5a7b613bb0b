--- Specs of the examples, for `serin test examples/scripts`: what specs of your own look like.

local kit = require("kit")

describe("business_hours", function()
  local t

  before_each(function() t = kit.new() end)

  it("moves on within its hours and holds outside of them", function()
    t:at("2030-01-01T10:30:00Z") -- a Tuesday
    assert.equal("shift", t:decide("business_hours", { weight = 10 }).action)
    t:at("2030-01-01T23:00:00Z")
    assert.equal("hold", t:decide("business_hours", { weight = 10 }).action)
  end)

  it("promotes in the end", function()
    t:at("2030-01-01T10:00:00Z")
    assert.equal("promote", (t:play("business_hours", {}, 20)))
  end)
end)

describe("canary_vs_primary", function()
  local QUERY = 'errors{pod=~"$workload-[0-9a-z]+"}'

  it("rolls back what is worse twice in a row", function()
    local t = kit.new()
    t:prom({ ["app-primary-"] = 0.1, ["app-[0-9"] = 5 })
    local action, intervals = t:play("canary_vs_primary", { params = { query = QUERY } }, 10)
    assert.same({ "rollback", 3 }, { action, intervals })
  end)

  it("holds while nothing is known", function()
    local t = kit.new()
    local decision = t:decide("canary_vs_primary", { params = { query = QUERY }, weight = 10 })
    assert.equal("hold", decision.action)
  end)
end)

describe("incidents", function()
  local given = { service = "checkout", secret = "status-token" }

  it("fails while there are open incidents, and sends the token", function()
    local t = kit.new()
    t:secret("status-token", { token = "s3cret" })
    t:http({ ["status.example.com"] = { body = { incidents = { { id = 1, title = "database" } } } } })
    local verdict = t:check("incidents", given)
    assert.same({ "fail", "open incident database" }, { verdict.verdict, verdict.message })
    assert.equal("Bearer s3cret", t.asked[1].headers.Authorization)
  end)

  it("is an error when the API does not answer", function()
    local t = kit.new()
    t:secret("status-token", { token = "s3cret" })
    assert.equal("error", t:check("incidents", given).verdict)
  end)
end)

describe("weightfile", function()
  it("writes what its golden file says", function()
    kit.golden("spec/weightfile.golden.yaml", kit.new():walk("weightfile", [[
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: test}
spec:
  provider: weightfile
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  service: {port: 80}
  analysis: {interval: 1m, threshold: 5, maxWeight: 50, stepWeight: 10}
]], { 10, 50, 0 }))
  end)
end)
