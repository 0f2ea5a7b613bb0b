--- Steps of less than a percent, where the route can carry them.

local begin = require("spec.support.begin")
local manifests = require("spec.support.manifests")

local ANALYSIS = "interval: 10s, threshold: 2, stepWeightPromotion: 20, " ..
  "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}], " ..
  "policy: {name: steps, params: {steps: [{weight: %s}, {weight: 2.25}, {weight: 30.5}]}}"

local INGRESS = { objects = manifests.ingress("web", "app"),
  spec = "  ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: web}" }

-- Name -> what its Canary needs
local FINE = {
  ["gatewayapi:v1"] = { service = "gatewayRefs: [{name: gw}]" }, linkerd = { service = "routeKind: HTTPRoute" },
  ["a TrafficSplit of linkerd"] = { provider = "linkerd" }, traefik = {}, contour = {}, istio = {}, gloo = {},
  kuma = {}, osm = {}, ["smi:v1alpha3"] = {}, nginx = { beside = INGRESS }, haproxy = { beside = INGRESS },
  skipper = { beside = INGRESS },
}
local WHOLE = { "kubernetes", "appmesh", "kong" }

local function change_of(name, weight)
  local of = FINE[name] or {}
  return { provider = of.provider or name, analysis = ANALYSIS:format(weight), spec = (of.beside or {}).spec,
    objects = (of.beside or {}).objects, service = "port: 80, targetPort: http, " .. (of.service or "portName: http") }
end

local function share(run)
  local parts = run.world.traffic:shares("demo", "app", { path = "/", method = "GET", headers = {} })
  for _, part in ipairs(parts) do
    if part.service == "app-canary" then return part.share end
  end
  return 0
end

describe("steps of less than a percent", function()
  for provider in pairs(FINE) do
    it("are what users get, by " .. provider, function()
      local run = begin.progressing(change_of(provider, "0.1"))
      for _, weight in ipairs({ 0.1, 2.25, 30.5 }) do
        run:wait(function() return run:status("demo", "app").canaryWeight == weight end)
        assert.near(weight / 100, share(run), 1e-9)
        assert.equal(1, begin.told(run, ("Advance app.demo canary weight %g"):format(weight)))
      end
      run:wait(function() return run:status("demo", "app").canaryWeight == 10.5 end)
      assert.near(0.105, share(run), 1e-9)
      run:wait_for_phase("demo", "app", "Succeeded")
      assert.equal(0, share(run))
      assert.equal("podinfo:2", begin.image(run, "app-primary"))
      assert.same({}, run.driver.errors)
      assert.equal(0, run.world.traffic.lost)
    end)

    it("are rolled back as any other, by " .. provider, function()
      local change = change_of(provider, "0.5")
      change.image = "podinfo:2-err10"
      local run = begin.progressing(change)
      run:wait_for_phase("demo", "app", "Failed")
      assert.equal(0, share(run))
      assert.equal(0, run.world.traffic.lost)
    end)
  end

  for _, provider in ipairs(WHOLE) do
    it("are refused in words by " .. provider, function()
      local run = begin.applied(change_of(provider, "0.5"))
      run:wait(function() return run:condition("demo", "app", "Stalled") ~= nil end)
      assert.equal("spec.analysis.policy.params.steps[0].weight: expected a whole number with provider " .. provider ..
        ", whose route carries no fraction, found 0.5", run:condition("demo", "app", "Stalled").message)
    end)
  end

  it("have two decimals at most", function()
    local run = begin.applied(change_of("traefik", "0.125"))
    run:wait(function() return run:condition("demo", "app", "Stalled") ~= nil end)
    assert.equal("spec.analysis.policy.params.steps[0].weight: expected at most two decimals, found 0.125",
      run:condition("demo", "app", "Stalled").message)
  end)

  it("decided by a policy of one's own hold where the route cannot carry them", function()
    package.loaded["policies.mine"] = { name = "mine", api = 1, own_weights = true, params = {},
      decide = function() return { action = "shift", weight = 0.5, reason = "half" } end }
    finally(function() package.loaded["policies.mine"] = nil end)
    local change = change_of("kong", "1")
    change.analysis = "interval: 10s, threshold: 2, policy: {name: mine}"
    change.service = change.service .. ", gatewayRefs: [{name: gw}]"
    local run = begin.progressing(change)
    run:wait(function() return run:condition("demo", "app", "Stalled") ~= nil end)
    assert.equal("policy mine: weight: expected a whole number from 0 to 100, found 0.5",
      run:condition("demo", "app", "Stalled").message)
    assert.equal(0, share(run))
  end)
end)
