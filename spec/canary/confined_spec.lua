local confined = require("canary.confined")

local function problem(spec, allowed)
  local stop = confined.check({ namespace = "test", object = { spec = spec },
    host = { settings = { no_cross_namespace_refs = not allowed } } })
  return stop and stop.problem
end

local function template(namespace)
  local ref = { name = "t", namespace = namespace }
  return { analysis = { metrics = { { name = "a" }, { name = "b", templateRef = ref } } } }
end

describe("canary.confined", function()
  it("refuses a MetricTemplate of another namespace", function()
    assert.equal("spec.analysis.metrics[1].templateRef.namespace: expected test, found prod", problem(template("prod")))
  end)

  it("refuses an AlertProvider of another namespace", function()
    assert.equal("spec.analysis.alerts[0].providerRef.namespace: expected test, found prod",
      problem({ analysis = { alerts = { { providerRef = { name = "p", namespace = "prod" } } } } }))
  end)

  it("refuses an upstream of another namespace", function()
    assert.equal("spec.upstreamRef.namespace: expected test, found prod",
      problem({ upstreamRef = { name = "u", namespace = "prod" } }))
  end)

  it("looks into the old name of the analysis too", function()
    assert.not_nil(problem({ canaryAnalysis = template("prod").analysis }))
  end)

  it("lets references of the own namespace pass, named or not", function()
    assert.is_nil(problem(template("test")))
    assert.is_nil(problem(template("")))
    assert.is_nil(problem(template(nil)))
    assert.is_nil(problem({}))
  end)

  it("lets everything pass without the flag", function()
    assert.is_nil(problem(template("prod"), true))
  end)
end)
