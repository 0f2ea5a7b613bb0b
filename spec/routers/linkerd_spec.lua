--- Which route Linkerd gets, what goes over the wire, and the messages.

local gatewayapi = require("routers.gatewayapi")
local json = require("json")
local linkerd = require("routers.linkerd")
local observer = require("metrics.observer")
local registry = require("canary.registry")
local routing = require("spec.support.routing")
local smi = require("routers.smi")

local CORE = { group = "core", kind = "Service", name = "app", port = 80 }

describe("routers.linkerd", function()
  local function view(service, analysis, provider)
    return routing.canary({ provider = provider or "linkerd", service = service, analysis = analysis })
  end

  local function prepared(service)
    local canary = view(service)
    return canary, routing.apply({}, assert(linkerd.prepare(canary, {})))
  end

  local function refused(message, service, analysis)
    assert.equal(message, linkerd.unfit(view(service, analysis)))
  end

  it("leaves a Canary that asks for nothing else its TrafficSplit, as Flagger does", function()
    assert.equal(smi, registry.router(view({})))
    assert.equal(smi, registry.router(view({ gatewayRefs = { { name = "gw" } } })))
    assert.equal(smi, registry.router(view({ routeKind = "TrafficSplit", gatewayRefs = { CORE } })))
  end)

  it("makes a route of Gateway API where its kind or its parents are given", function()
    assert.equal(linkerd, registry.router(view({ routeKind = "HTTPRoute" })))
    assert.equal(linkerd, registry.router(view({ routeKind = "GRPCRoute" })))
    assert.equal(linkerd, registry.router(view({ gatewayRefs = { CORE } })))
  end)

  it("leaves other providers their routers", function()
    assert.equal(smi, registry.router(view({ routeKind = "TrafficSplit" }, nil, "osm")))
    assert.equal(gatewayapi, registry.router(view({ gatewayRefs = { CORE } }, nil, "gatewayapi:v1")))
  end)

  it("divides what is sent to the apex Service", function()
    local canary, world = prepared({ routeKind = "HTTPRoute", name = "web", port = 8080 })
    assert.same({ apiVersion = "gateway.networking.k8s.io/v1", kind = "HTTPRoute", name = "web", namespace = "demo",
      optional = true }, linkerd.reads(canary).route)
    assert.same({ { group = "core", kind = "Service", name = "web", port = 8080 } }, world.route.spec.parentRefs)
    assert.same({ { matches = { { path = { type = "PathPrefix", value = "/" } } }, backendRefs = {
      { group = "", kind = "Service", name = "web-primary", port = 8080, weight = 100 },
      { group = "", kind = "Service", name = "web-canary", port = 8080, weight = 0 },
    } } }, world.route.spec.rules)
  end)

  it("writes the parents that are given as they are given", function()
    local refs = { { group = "", kind = "Service", name = "app" }, { name = "gw", sectionName = "https" } }
    local _, world = prepared({ gatewayRefs = refs })
    assert.same({ { group = "", kind = "Service", name = "app" },
      { group = "gateway.networking.k8s.io", kind = "Gateway", name = "gw", sectionName = "https" } },
      world.route.spec.parentRefs)
  end)

  it("is accepted when Linkerd says so, although it names no generation", function()
    local canary, world = prepared({ routeKind = "HTTPRoute" })
    world.route.metadata.generation = 3
    local parent = { group = "core", kind = "Service", name = "app", namespace = "demo", port = 80 }
    local condition = { type = "Accepted", status = "True" }
    world.route.status = { parents = json.array({ { parentRef = parent, conditions = json.array({ condition }) } }) }
    assert.is_true(linkerd.accepted(canary, world))
    condition.status = "False"
    assert.same({ false, "HTTPRoute app.demo parent app is not ready (status: False, observed generation: 0, " ..
      "current generation: 3)" }, { linkerd.accepted(canary, world) })
    condition.status, condition.observedGeneration = "True", 2
    assert.is_false((linkerd.accepted(canary, world)))
  end)

  it("is judged by Linkerd's queries; by those of the pods with gatewayapi, but where the mesh is said to be Linkerd",
    function()
      local queries = require("metrics.queries.linkerd")
      assert.equal(queries, (observer.of(view({ routeKind = "HTTPRoute" }), {})))
      assert.equal(queries, (observer.of(view({ routeKind = "GRPCRoute" }), {})))
      local other = view({ gatewayRefs = { CORE } }, nil, "gatewayapi:v1")
      assert.equal(require("metrics.queries.http"), (observer.of(other, { mesh_provider = "istio" })))
      assert.equal(queries, (observer.of(other, { mesh_provider = "linkerd" })))
    end)

  it("refuses what Linkerd's proxies do not do", function()
    local field = "%s: expected none for a route of Linkerd, which has no place for it"
    refused(field:format("spec.service.rewrite"), { routeKind = "HTTPRoute", rewrite = { uri = "/" } })
    refused(field:format("spec.service.corsPolicy"), { routeKind = "HTTPRoute", corsPolicy = { maxAge = "1h" } })
    refused(field:format("spec.service.mirror"),
      { routeKind = "HTTPRoute", mirror = { { backendRef = { name = "x", port = 80 } } } })
    refused(field:format("spec.analysis.sessionAffinity"), { routeKind = "HTTPRoute" },
      { sessionAffinity = { cookieName = "c" } })
  end)

  it("refuses parents that are no Service", function()
    refused("spec.service.gatewayRefs: expected one of kind Service with provider linkerd, found Gateway alone",
      { routeKind = "HTTPRoute", gatewayRefs = { { name = "app" } } })
  end)

  it("refuses a Service whose group was forgotten, in words of the field", function()
    local message = "spec.service.gatewayRefs[1].group: expected core beside kind Service, found " ..
      "gateway.networking.k8s.io"
    local refs = { { name = "gw" }, { kind = "Service", name = "app" } }
    refused(message, { gatewayRefs = refs })
    assert.equal(message, gatewayapi.unfit(view({ gatewayRefs = refs }, nil, "gatewayapi:v1")))
  end)
end)
