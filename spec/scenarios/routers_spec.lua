--- Whole releases through each router that works beside or below an object of the user's.

local begin = require("spec.support.begin")
local manifests = require("spec.support.manifests")

local ANALYSIS = "interval: 10s, threshold: 2, stepWeight: 20, maxWeight: 40, " ..
  "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"
local AB = "interval: 10s, threshold: 2, iterations: 2, match: [{headers: {x-canary: {exact: insider}}}]"
local MATCH = ", match: [{headers: {x-canary: {exact: insider}}}]"

local BESIDE_INGRESS = { objects = manifests.ingress("web", "app"),
  spec = "  ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: web}", users = { "Ingress", "web" } }

local BY_ACTION = { objects = manifests.ingress("web", "app"):gsub("number: 80", "name: use-annotation"),
  spec = BESIDE_INGRESS.spec, users = BESIDE_INGRESS.users, written = true }

local GATEWAY = "gatewayRefs: [{name: gw}]"

local SERVICE = "gatewayRefs: [{group: core, kind: Service, name: app, port: 80}]"

-- Name -> what the user has, and whether it can match headers; the provider where it is not the name.
local ROUTERS = {
  GRPCRoute = { of = { service = GATEWAY .. ", routeKind: GRPCRoute" }, matches = true, provider = "gatewayapi:v1" },
  TCPRoute = { of = { service = GATEWAY .. ", routeKind: TCPRoute" }, provider = "gatewayapi:v1" },
  linkerd = { of = { service = "routeKind: HTTPRoute" }, matches = true },
  ["linkerd by Gateway API"] = { of = { service = SERVICE }, matches = true, provider = "gatewayapi:v1" },
  alb = { of = BY_ACTION },
  gloo = { of = {}, matches = true },
  contour = { of = {}, matches = true },
  skipper = { of = BESIDE_INGRESS },
  kong = { of = { service = GATEWAY }, matches = true },
  nginx = { of = BESIDE_INGRESS, matches = true, weighs = false },
  haproxy = { of = BESIDE_INGRESS, matches = true, weighs = false },
  gatewayapi = { of = { service = GATEWAY }, matches = true, provider = "gatewayapi:v1" },
  istio = { of = {}, matches = true },
}

--- The shares of one request of a user with `headers`, by Service.
local function shares(run, headers)
  local out = {}
  for _, part in ipairs((run.world.traffic:shares("demo", "app", { path = "/", method = "GET", headers = headers }))) do
    out[part.service] = part.share
  end
  return out
end

local function change_of(provider, analysis, image)
  local of = ROUTERS[provider].of
  return { provider = ROUTERS[provider].provider or provider, analysis = analysis, spec = of.spec,
    objects = of.objects, service = of.service and "port: 80, targetPort: http, " .. of.service, image = image }
end

--- The user's object; where the router may write to it, without the marks of having done so.
local function users_own(run, provider)
  local of = ROUTERS[provider].of
  local object = of.users and run.world:get(of.users[1], "demo", of.users[2])
  if of.written then object.metadata.resourceVersion, object.metadata.managedFields = nil, nil end
  return object
end

for provider, router in pairs(ROUTERS) do
  describe("a release by " .. provider, function()
    it("goes through each weight and is promoted, and no request is lost", function()
      local run = begin.progressing(change_of(provider, ANALYSIS))
      local before = users_own(run, provider)
      run:wait(function() return run:status("demo", "app").canaryWeight == 20 end)
      assert.near(0.2, shares(run, {})["app-canary"], 1e-9)
      run:wait_for_phase("demo", "app", "Succeeded")
      assert.is_nil(shares(run, {})["app-canary"])
      assert.equal("podinfo:2", begin.image(run, "app-primary"))
      assert.equal(0, run.world.traffic.lost)
      assert.same(before, users_own(run, provider))
    end)

    it("of a revision with errors is rolled back", function()
      local run = begin.progressing(change_of(provider, ANALYSIS, "podinfo:2-err10"))
      run:wait_for_phase("demo", "app", "Failed")
      assert.is_nil(shares(run, {})["app-canary"])
      assert.equal("podinfo:1", begin.image(run, "app-primary"))
      assert.equal(0, run.world.traffic.lost)
    end)

    it("gives everything back when its Canary is deleted meanwhile", function()
      local change = change_of(provider, ANALYSIS)
      change.spec = (change.spec or "") .. "\n  revertOnDeletion: true"
      local run = begin.applied(change)
      local before = users_own(run, provider)
      run:wait_for_phase("demo", "app", "Initialized")
      run.world:set_image("demo", "app", "podinfo:2")
      run:wait(function() return run:status("demo", "app").canaryWeight == 20 end)
      run.world:delete("Canary", "demo", "app")
      run:wait(function() return run.world:get("Canary", "demo", "app") == nil end)
      assert.equal(0, run.world.traffic.lost)
      assert.same(before, users_own(run, provider))
    end)

    if router.matches and router.weighs ~= false then
      it("sends a share of who matches to the canary where weights rise, and nobody else", function()
        local run = begin.progressing(change_of(provider, ANALYSIS .. MATCH))
        run:wait(function() return run:status("demo", "app").canaryWeight == 20 end)
        assert.near(0.2, shares(run, { ["x-canary"] = "insider" })["app-canary"], 1e-9)
        assert.is_nil(shares(run, { ["x-canary"] = "other" })["app-canary"])
        assert.is_nil(shares(run, {})["app-canary"])
      end)
    elseif router.matches then
      it("refuses to weigh who matches", function()
        local run = begin.applied(change_of(provider, ANALYSIS .. MATCH))
        run:wait(function() return run:condition("demo", "app", "Stalled") ~= nil end)
        assert.truthy(run:condition("demo", "app", "Stalled").message:find("cannot weigh requests that match", 1, true))
      end)
    end

    if router.matches then
      it("sends who matches to the canary, and nobody else", function()
        local run = begin.progressing(change_of(provider, AB))
        run:wait(function() return run:status("demo", "app").iterations == 1 end)
        assert.same({ ["app-canary"] = 1.0 }, shares(run, { ["x-canary"] = "insider" }))
        assert.is_nil(shares(run, { ["x-canary"] = "other" })["app-canary"])
        assert.truthy(next(shares(run, {})))
        run:wait_for_phase("demo", "app", "Succeeded")
        assert.is_nil(shares(run, { ["x-canary"] = "insider" })["app-canary"])
      end)

      it("for A/B tests ends its promotion in steps", function()
        local run = begin.progressing(change_of(provider, AB .. ", stepWeightPromotion: 30"))
        run:wait_for_phase("demo", "app", "Succeeded")
        assert.equal(0, run.world.traffic.lost)
      end)
    end
  end)
end
