--- Routes in a cluster of their own (-kubeconfig-service-mesh): no Canary can own them, so it deletes what it made.

local begin = require("spec.support.begin")
local recorded = require("spec.support.recorded")

local SETTINGS = { "-metrics-server=http://prometheus:9090", "-kubeconfig-service-mesh=/mesh" }
local ROUTES = { istio = { "VirtualService/app", "DestinationRule/app-primary", "DestinationRule/app-canary" },
  ["gatewayapi:v1"] = { "HTTPRoute/app" }, traefik = { "TraefikService/app" }, contour = { "HTTPProxy/app" },
  linkerd = { "TrafficSplit/app" } }
local LINKERD = "port: 80, routeKind: HTTPRoute"

local function get(run, id) return run.world:get(id:match("^(.*)/"), "demo", id:match("/(.*)$")) end

local function gone(run)
  run.world:delete("Canary", "demo", "app")
  run:wait(function() return run.world:get("Canary", "demo", "app") == nil end, 120)
  run:pass(30)
end

local function initialised(provider, spec)
  local service = provider == "gatewayapi:v1" and "port: 80, gatewayRefs: [{name: gw}]" or nil
  return begin.initialised({ provider = provider, spec = spec, settings = SETTINGS, check = false, service = service })
end

describe("a Canary whose routes are in a cluster of their own", function()
  for provider, list in pairs(ROUTES) do
    it(("of %s marks them, and deletes them when it goes"):format(provider), function()
      local run = initialised(provider)
      for _, id in ipairs(list) do
        local route = assert(get(run, id), id)
        assert.is_nil(route.metadata.ownerReferences, id)
        assert.equal("demo/app", route.metadata.annotations["serin.dev/canary"], id)
      end
      assert.equal("finalizer.flagger.app", run.world:get("Canary", "demo", "app").metadata.finalizers[1])
      gone(run)
      for _, id in ipairs(list) do assert.is_nil(get(run, id), id) end
    end)
  end

  it("of linkerd with a route of Gateway API marks and deletes that", function()
    local run = begin.initialised({ provider = "linkerd", settings = SETTINGS, check = false, service = LINKERD })
    assert.equal("demo/app", get(run, "HTTPRoute/app").metadata.annotations["serin.dev/canary"])
    gone(run)
    assert.is_nil(get(run, "HTTPRoute/app"))
  end)

  it("promotes as any other, and writes nothing more once it is idle", function()
    local run = initialised("istio")
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Succeeded", 900)
    run:pass(60)
    local before = get(run, "VirtualService/app").metadata.resourceVersion
    run:pass(600)
    assert.equal(before, get(run, "VirtualService/app").metadata.resourceVersion)
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
  end)

  it("gives the rest back with revertOnDeletion", function()
    local run = initialised("istio", "  revertOnDeletion: true")
    gone(run)
    for _, id in ipairs(ROUTES.istio) do assert.is_nil(get(run, id), id) end
    assert.equal(2, begin.replicas(run, "app"))
  end)

  it("gives back a route that was its user's", function()
    local run = begin.applied({ provider = "istio", settings = SETTINGS, check = false,
      spec = "  revertOnDeletion: true", objects = [[
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: app, namespace: demo, labels: {team: a}}
spec: {hosts: [app.example.com], http: [{route: [{destination: {host: app}}]}]}
]] })
    local before = get(run, "VirtualService/app")
    run:wait_for_phase("demo", "app", "Initialized")
    gone(run)
    local after = get(run, "VirtualService/app")
    for _, object in ipairs({ before, after }) do
      object.metadata.resourceVersion, object.metadata.generation = nil, nil
    end
    assert.same({}, recorded.compare(before, after))
  end)

  it("needs no finalizer where its routes are beside it", function()
    local run = initialised("kubernetes")
    assert.is_nil(run.world:get("Canary", "demo", "app").metadata.finalizers)
  end)

  it("trusts no mark on an object beside it", function()
    local run = begin.applied({ provider = "istio", check = false, objects = [[
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: app, namespace: demo, annotations: {serin.dev/canary: demo/app}}
spec: {hosts: [app.example.com], http: [{route: [{destination: {host: app}}]}]}
]], spec = "  revertOnDeletion: true" })
    run:wait_for_phase("demo", "app", "Initialized")
    gone(run)
    assert.same({ "app.example.com" }, { get(run, "VirtualService/app").spec.hosts[1] })
  end)
end)
