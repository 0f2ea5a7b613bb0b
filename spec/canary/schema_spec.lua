local json = require("json")
local schema = require("canary.schema")

describe("canary.schema", function()
  local object

  before_each(function()
    object = { metadata = { name = "app", namespace = "demo" }, spec = {
      targetRef = { apiVersion = "apps/v1", kind = "Deployment", name = "app" },
      service = { port = 80 },
      analysis = { interval = "10s", threshold = 3, stepWeight = 10, maxWeight = 50 },
    } }
  end)

  local function complaint() return (schema.check(object) or {}).message end

  it("accepts a plain canary", function() assert.is_nil(complaint()) end)

  it("names a fractional step weight", function()
    object.spec.analysis.stepWeight = 2.5
    assert.equal("spec.analysis.stepWeight: expected an integer from 0 to 100, found 2.5", complaint())
  end)

  it("names an unknown kind of route, and the nearest known one", function()
    object.spec.service.routeKind = "GrpcRoute"
    assert.equal("spec.service.routeKind: expected one of HTTPRoute, GRPCRoute, TCPRoute, TrafficSplit, " ..
      "found GrpcRoute (did you mean GRPCRoute?)", complaint())
    object.spec.service.routeKind = "TCPRoute"
    assert.is_nil(complaint())
  end)

  it("names the first step that does not rise", function()
    object.spec.analysis.stepWeight, object.spec.analysis.stepWeights = nil, json.array({ 10, 30, 20 })
    assert.equal("spec.analysis.stepWeights[2]: expected a weight above 30, the one before, found 20", complaint())
    object.spec.analysis.stepWeights = json.array({ 10, 10 })
    assert.equal("spec.analysis.stepWeights[1]: expected a weight above 10, the one before, found 10", complaint())
    object.spec.analysis.stepWeights = json.array({ 0, 10 })
    assert.equal("spec.analysis.stepWeights[0]: expected an integer of 1 or more, found 0", complaint())
  end)

  it("takes a policy by its name, and no strategy beside it but for the default or the shadow", function()
    local analysis = object.spec.analysis
    analysis.stepWeight, analysis.policy = nil, { name = "steps" }
    assert.is_nil(complaint())
    analysis.policy = { name = "steps", mode = "shadow" }
    assert.truthy(complaint():find("^spec.analysis: expected one of stepWeight"))
    analysis.policy = { name = "flagger" }
    assert.truthy(complaint():find("^spec.analysis: expected one of stepWeight"))
  end)

  it("names what is wrong with a policy or a metric's onNoData", function()
    local analysis = object.spec.analysis
    for message, policy in pairs({
      ["spec.analysis.policy.name: expected a text, found nil"] = {},
      ["spec.analysis.policy: expected an object, found x"] = "x",
      ["spec.analysis.policy.mode: expected active or shadow, found off"] = { name = "steps", mode = "off" },
    }) do
      analysis.policy = policy
      assert.equal(message, complaint())
    end
    analysis.policy, analysis.metrics = nil, { { name = "a", onNoData = "ignore" } }
    assert.equal("spec.analysis.metrics[0].onNoData: expected fail, hold or pass, found ignore", complaint())
    analysis.metrics = { { name = "request-duration", minRequests = 0 } }
    assert.equal("spec.analysis.metrics[0].minRequests: expected an integer of 1 or more, found 0", complaint())
    analysis.metrics = { { name = "a", minRequests = 5 } }
    assert.equal("spec.analysis.metrics[0].minRequests: expected none beside a query of one's own, which can count "
      .. "for itself, found 5", complaint())
  end)

  it("asks for a strategy", function()
    object.spec.analysis.stepWeight = 0
    assert.equal("spec.analysis: expected one of stepWeight, stepWeights or iterations above 0, found none",
      complaint())
    object.spec.analysis.iterations = 1
    assert.is_nil(complaint())
  end)

  it("refuses garbage where a metric's threshold should be", function()
    local function metric(fields)
      object.spec.analysis.metrics = json.array({ fields })
      return complaint()
    end
    assert.equal("spec.analysis.metrics[0].threshold: expected a number, found lots",
      metric({ name = "a", threshold = "lots" }))
    assert.equal("spec.analysis.metrics[0].thresholdRange.min: expected a number, found a list or object",
      metric({ name = "a", thresholdRange = { min = {} } }))
    assert.equal("spec.analysis.metrics[0].thresholdRange.min: expected at most max, 1, found 2",
      metric({ name = "a", thresholdRange = { min = 2, max = 1 } }))
    assert.is_nil(metric({ name = "a", thresholdRange = { min = 1, max = 1 } }))
    assert.equal("spec.analysis.metrics[0].interval: expected a duration such as 30s, found soon",
      metric({ name = "a", interval = "soon" }))
    assert.equal("spec.analysis.metrics[0]: expected an object, found x", metric("x"))
  end)

  it("asks for a target, a service and a port", function()
    object.spec.service.port = 0
    assert.equal("spec.service.port: expected an integer from 1 to 65535, found 0", complaint())
    object.spec.service = nil
    assert.equal("spec.service.port: expected an integer from 1 to 65535, found nothing", complaint())
    object.spec.targetRef.name = ""
    assert.equal("spec.targetRef.name: expected a text, found ", complaint())
    object.spec = nil
    assert.equal("spec.targetRef: expected an object, found nothing", complaint())
  end)

  it("survives lists, objects and nulls in every place", function()
    for _, junk in ipairs({ json.null, "x", -1, 2.5, true, json.array({ 1 }), { a = 1 } }) do
      for _, key in ipairs({ "targetRef", "service", "analysis", "autoscalerRef" }) do
        local odd = { metadata = object.metadata, spec = setmetatable({ [key] = junk }, { __index = object.spec }) }
        assert.has_no.errors(function() schema.check(odd) end)
      end
      for _, key in ipairs({ "stepWeight", "stepWeights", "metrics", "webhooks", "threshold", "sessionAffinity",
        "match" }) do
        object.spec.analysis[key] = junk
        assert.has_no.errors(function() schema.check(object) end)
        object.spec.analysis[key] = nil
      end
    end
  end)

  it("keeps the two affinity cookies apart", function()
    object.spec.analysis.sessionAffinity = { cookieName = "a", primaryCookieName = "a" }
    assert.equal("spec.analysis.sessionAffinity.primaryCookieName: expected a name other than cookieName, found a",
      complaint())
  end)
end)
