local json = require("json")
local view = require("canary.view")

local function canary(analysis, spec)
  local out = { targetRef = { kind = "Deployment", name = "app" }, service = { port = 80 },
    analysis = analysis or { stepWeight = 10 } }
  for key, value in pairs(spec or {}) do out[key] = value end
  return view.of({ metadata = { name = "c", namespace = "demo" }, spec = out }, { mesh_provider = "istio" })
end

describe("canary.view", function()
  it("never checks more often than every ten seconds", function()
    assert.equal(10, canary({ stepWeight = 1, interval = "1s" }).analysis.interval)
    assert.equal(90, canary({ stepWeight = 1, interval = "1m30s" }).analysis.interval)
    assert.equal(60, canary({ stepWeight = 1 }).analysis.interval)
  end)

  it("takes the last of stepWeights for the maximum, and never more than 100", function()
    assert.equal(80, canary({ stepWeights = json.array({ 1, 80 }), maxWeight = 20 }).analysis.max_weight)
    assert.equal(100, canary({ stepWeights = json.array({ 1, 200 }) }).analysis.max_weight)
    assert.equal(100, canary({ stepWeight = 1, maxWeight = 0 }).analysis.max_weight)
    assert.equal(50, canary({ stepWeight = 1, maxWeight = 50 }).analysis.max_weight)
  end)

  it("tells the strategy from the fields", function()
    assert.equal("canary", canary({ stepWeight = 1, match = json.array({ {} }) }).strategy)
    assert.equal("blue-green", canary({ iterations = 1 }).strategy)
    assert.equal("ab-testing", canary({ iterations = 1, match = json.array({ {} }) }).strategy)
  end)

  it("names Services after the service, else after the target", function()
    assert.same({ apex = "app", primary = "app-primary", canary = "app-canary" }, canary().names)
    assert.equal("web-canary", canary(nil, { service = { port = 80, name = "web" } }).names.canary)
  end)

  it("skips the analysis only when told to, or when there is none", function()
    assert.is_false(canary().skip_analysis)
    assert.is_true(canary(nil, { skipAnalysis = true }).skip_analysis)
  end)

  it("gives route objects the apex metadata, with the selector label where an apex block is", function()
    local with = canary(nil, { service = { port = 80, apex = { labels = { l = "apex" } } } })
    assert.same({ l = "apex", app = "app" }, view.with_target(with, "app", "app").labels)
    assert.same({}, view.with_target(canary(), "app", "app").labels)
    assert.equal("disabled", canary().annotations["kustomize.toolkit.fluxcd.io/reconcile"])
  end)

  it("gives a problem instead of a view for a spec that cannot be run", function()
    local none, problem = canary({ stepWeight = "x" })
    assert.is_nil(none)
    assert.equal("spec.analysis.stepWeight", problem.field)
  end)
end)
