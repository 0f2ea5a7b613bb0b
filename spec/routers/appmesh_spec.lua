--- What goes over the wire, and the messages.

local appmesh = require("routers.appmesh")
local json = require("json")
local registry = require("util.registry")
local routing = require("spec.support.routing")

local FLUX = { ["kustomize.toolkit.fluxcd.io/reconcile"] = "disabled",
  ["helm.toolkit.fluxcd.io/driftDetection"] = "disabled" }
local OLD, NEW = "appmesh", "appmesh:v1beta2"
local HTTP = { appmesh = "http", ["appmesh:v1beta2"] = "httpRoute" }

describe("routers.appmesh", function()
  local canary, world

  local function stage(provider, service, analysis, annotations)
    service = service or {}
    service.meshName = service.meshName or "global"
    canary = routing.canary({ provider = provider, service = service, analysis = analysis, annotations = annotations })
    world = routing.apply({}, assert(appmesh.prepare(canary, {})))
  end

  local function shift(weight)
    return assert(appmesh.shift(canary, world, { primary = 100 - weight, canary = weight }))
  end

  local function names()
    local out = {}
    for _, patch in ipairs(appmesh.prepare(canary, {})) do
      out[#out + 1] = patch.create.kind .. " " .. patch.create.metadata.name
      assert.equal("appmesh.k8s.aws/" .. (canary.provider == OLD and "v1beta1" or "v1beta2"), patch.create.apiVersion)
    end
    return out
  end

  local function http(key, index)
    return world[key or "route"].spec.routes[index or 1][HTTP[canary.provider]]
  end

  it("serves both versions and no other", function()
    for _, provider in ipairs({ OLD, NEW, NEW .. ":mesh" }) do
      assert.equal(appmesh, registry.find("routers", provider))
    end
    assert.is_nil((registry.find("routers", "appmesh:v1beta1")))
  end)

  it("makes the objects of v1beta1, what is referred to first", function()
    stage(OLD)
    assert.same({ "VirtualNode app", "VirtualNode app-primary", "VirtualNode app-canary",
      "VirtualService app-canary.demo", "VirtualService app.demo" }, names())
    assert.same({
      meshName = "global",
      listeners = { { portMapping = { port = 80, protocol = "http" } } },
      serviceDiscovery = { dns = { hostName = "app-primary.demo" } },
    }, world.apex_node.spec)
    assert.equal("app-canary.demo", world.canary_node.spec.serviceDiscovery.dns.hostName)
    assert.same(FLUX, world.canary_node.metadata.annotations)
    assert.same({
      meshName = "global",
      virtualRouter = { name = "app", listeners = { { portMapping = { port = 80, protocol = "http" } } } },
      routes = { { name = "app", http = { match = { prefix = "/" }, action = { weightedTargets = {
        { virtualNodeName = "app-canary", weight = 0 }, { virtualNodeName = "app-primary", weight = 100 },
      } } } } },
    }, world.route.spec)
    assert.is_nil(world.route.metadata.annotations)
    assert.equal("app-canary", world.canary_route.spec.virtualRouter.name)
    assert.equal(100, http("canary_route").action.weightedTargets[1].weight)
  end)

  it("makes the objects of v1beta2, what is referred to first", function()
    stage(NEW, { targetPort = 9898, timeout = "1m5s" })
    assert.same({ "VirtualNode app-primary", "VirtualNode app-canary", "VirtualRouter app-canary",
      "VirtualRouter app", "VirtualService app-canary", "VirtualService app" }, names())
    local listener = { portMapping = { port = 9898, protocol = "http" } }
    local timeout = { perRequest = { unit = "ms", value = 65000 } }
    assert.same({ listeners = { listener }, routes = { { name = "app", httpRoute = {
      match = { prefix = "/" }, timeout = timeout,
      action = { weightedTargets = {
        { virtualNodeRef = { name = "app-canary" }, weight = 0 },
        { virtualNodeRef = { name = "app-primary" }, weight = 100 },
      } },
    } } } }, world.route.spec)
    listener.timeout = { http = timeout }
    assert.same({
      listeners = { listener },
      serviceDiscovery = { dns = { hostname = "app-primary.demo.svc.cluster.local." } },
      podSelector = { matchLabels = { app = "app-primary" } },
    }, world.primary_node.spec)
    assert.same({ matchLabels = { app = "app" } }, world.canary_node.spec.podSelector)
    assert.same({ provider = { virtualRouter = { virtualRouterRef = { name = "app" } } } }, world.service.spec)
    assert.equal("app-canary", world.canary_service.spec.provider.virtualRouter.virtualRouterRef.name)
  end)

  it("tells the pods by the label's value, not by the target's name", function()
    stage(NEW)
    canary.target.label_value = "web"
    world = routing.apply(world, appmesh.prepare(canary, world))
    assert.same({ app = "web-primary" }, world.primary_node.spec.podSelector.matchLabels)
    assert.same({ app = "web" }, world.canary_node.spec.podSelector.matchLabels)
  end)

  it("sends a VirtualService that led to a node by the router", function()
    stage(NEW)
    world.service.spec.provider = { virtualNode = { virtualNodeRef = { name = "app" } } }
    world = routing.apply(world, appmesh.prepare(canary, world))
    assert.same({ provider = { virtualRouter = { virtualRouterRef = { name = "app" } } } }, world.service.spec)
  end)

  it("makes a VirtualService whose creation failed again (gaps 3.6)", function()
    stage(NEW)
    local service = world.service
    world.service = nil
    local patches = appmesh.prepare(canary, world)
    assert.equal(1, #patches)
    assert.same({ "service", service.spec }, { patches[1].key, patches[1].create.spec })
  end)

  it("sends only the routes", function()
    stage(OLD)
    assert.same({ { key = "route", merge = { spec = { routes = { { name = "app", http = { match = { prefix = "/" },
      action = { weightedTargets = {
        { virtualNodeName = "app-canary", weight = 25 }, { virtualNodeName = "app-primary", weight = 75 },
      } } } } } } } } }, shift(25))
  end)

  it("has retries with defaults, and the first prefix", function()
    local given = { attempts = 3, perTryTimeout = "1.5s", retryOn = "server-error, client-error" }
    stage(OLD, { retries = given, match = { { uri = { prefix = "/api" } } } })
    assert.same({ perRetryTimeoutMillis = 1500, maxRetries = 3, httpRetryEvents = { "server-error", "client-error" } },
      http().retryPolicy)
    assert.equal("/api", http().match.prefix)
    stage(NEW, { retries = given })
    assert.same({ perRetryTimeout = { unit = "ms", value = 1500 }, maxRetries = 3,
      httpRetryEvents = { "server-error", "client-error" } }, http().retryPolicy)
    stage(OLD, { retries = { perTryTimeout = "soon" }, match = { { uri = { regex = ".*" } } } })
    assert.same({ perRetryTimeoutMillis = 250, maxRetries = 1, httpRetryEvents = { "gateway-error" } },
      http().retryPolicy)
    assert.equal("/", http().match.prefix)
  end)

  it("tells the gateway about the hosts at the apex alone", function()
    local service = { hosts = { "a.example", "b.example" }, timeout = "15s", retries = { attempts = 2 } }
    for provider, key in pairs({ [OLD] = "route", [NEW] = "service" }) do
      stage(provider, service)
      assert.same({
        ["gateway.appmesh.k8s.aws/expose"] = "true", ["gateway.appmesh.k8s.aws/domain"] = "a.example,b.example,",
        ["gateway.appmesh.k8s.aws/timeout"] = "15s", ["gateway.appmesh.k8s.aws/retries"] = "2",
      }, world[key].metadata.annotations)
      assert.is_nil((world.canary_service or world.canary_route).metadata.annotations)
    end
  end)

  it("writes the backends of either version, and takes them away again", function()
    local arn = "arn:aws:appmesh:eu:1:mesh/m/virtualService/x"
    stage(OLD, { backends = { "db.demo" } })
    assert.same({ { virtualService = { virtualServiceName = "db.demo" } } }, world.primary_node.spec.backends)
    stage(NEW, { backends = { "db", arn } })
    assert.same({ { virtualService = { virtualServiceRef = { name = "db" } } },
      { virtualService = { virtualServiceARN = arn } } }, world.primary_node.spec.backends)
    world.primary_node.spec.backends[2].virtualService.clientPolicy = { tls = {} }
    assert.same({}, appmesh.prepare(canary, world))
    canary.service.backends = nil
    world = routing.apply(world, appmesh.prepare(canary, world))
    assert.is_nil(world.primary_node.spec.backends)
  end)

  it("switches the access log by the Canary's annotation, and leaves its user's", function()
    stage(NEW, {}, {}, { ["appmesh.flagger.app/accesslog"] = "enabled" })
    assert.same({ accessLog = { file = { path = "/dev/stdout" } } }, world.canary_node.spec.logging)
    world.primary_node.spec.logging.accessLog.file.path = "/var/log/x"
    canary.own_annotations = {}
    world = routing.apply(world, appmesh.prepare(canary, world))
    assert.is_nil(world.canary_node.spec.logging)
    assert.equal("/var/log/x", world.primary_node.spec.logging.accessLog.file.path)
  end)

  it("listens at the Service's port where the target's is named", function()
    stage(NEW, { targetPort = "http" })
    assert.equal(80, world.canary_node.spec.listeners[1].portMapping.port)
  end)

  it("speaks grpc where the port is named so", function()
    stage(NEW, { portName = "grpc-web" })
    assert.equal("grpc", world.route.spec.listeners[1].portMapping.protocol)
    assert.equal("grpc", world.canary_node.spec.listeners[1].portMapping.protocol)
  end)

  it("has a route for what matches, its headers sorted, and one for the rest", function()
    for _, provider in ipairs({ OLD, NEW }) do
      stage(provider, {}, { iterations = 2, match = {
        { headers = { b = { exact = "1", regex = "" }, a = { regex = "2" }, c = { prefix = "3", suffix = "4" } } } } })
      local routes = world.route.spec.routes
      assert.same({ "app-a", 10, "app-b", 20 }, { routes[1].name, routes[1].priority, routes[2].name,
        routes[2].priority })
      assert.same({ { name = "a", match = { regex = "2" } }, { name = "b", match = { exact = "1" } },
        { name = "c", match = { prefix = "3", suffix = "4" } } }, http().match.headers)
      assert.is_nil(http("route", 2).match.headers)
      world = routing.apply(world, shift(100))
      assert.equal(100, http().action.weightedTargets[1].weight)
      assert.equal(1, #http("route", 2).action.weightedTargets)
      assert.equal(100, http("route", 2).action.weightedTargets[1].weight)
    end
  end)

  it("lets in who fits any match, not only who fits all of them", function()
    local many = {}
    for index = 1, 12 do many[index] = { headers = { a = { exact = tostring(index) } } } end
    stage(NEW, {}, { iterations = 2, match = many })
    local routes = world.route.spec.routes
    assert.same({ "app-a", 10, "app-a-2", 11, "app-a-12", 21, "app-b", 22 }, { routes[1].name, routes[1].priority,
      routes[2].name, routes[2].priority, routes[12].name, routes[12].priority, routes[13].name, routes[13].priority })
    world = routing.apply(world, shift(40))
    assert.equal(40, http("route", 12).action.weightedTargets[1].weight)
  end)

  it("refuses a match that everybody would fit", function()
    for message, match in pairs({
      ["spec.analysis.match[1].headers: expected a header to match with App Mesh, found none"] =
        { { headers = { a = { exact = "1" } } }, { uri = { prefix = "/" } } },
      ["spec.analysis.match[0].headers: expected a header to match with App Mesh, found none"] = { { headers = {} } },
      ["spec.analysis.match[0].headers.a: expected exact, prefix, regex or suffix, found none of them"] =
        { { headers = { a = {} } } },
    }) do
      local odd = routing.canary({ provider = NEW, analysis = { iterations = 2, match = match } })
      assert.same({ nil, message }, { appmesh.prepare(odd, {}) })
    end
  end)

  it("keeps the split when the strategy changes", function()
    stage(NEW)
    world = routing.apply(world, shift(30))
    canary.analysis.match = { { headers = { a = { exact = "1" } } } }
    world = routing.apply(world, appmesh.prepare(canary, world))
    assert.equal("app-a", world.route.spec.routes[1].name)
    assert.same({ primary = 70, canary = 30, mirrored = false }, appmesh.routes(canary, world))
  end)

  it("asks for a mesh in v1beta1", function()
    local nameless = routing.canary({ provider = OLD })
    assert.same({ nil, "mesh name cannot be empty" }, { appmesh.prepare(nameless, {}) })
  end)

  it("names odd shapes", function()
    local odd = {
      ["spec.routes is not a list"] = "x",
      ["spec.routes[0] is not an object"] = json.array({ 1 }),
      ["spec.routes[0].httpRoute.action.weightedTargets is not a list"] =
        json.array({ { httpRoute = { action = { weightedTargets = "x" } } } }),
      ["spec.routes[0].httpRoute.action.weightedTargets[0].weight is not a weight: all"] =
        json.array({ { httpRoute = { action = { weightedTargets = json.array({
          { virtualNodeRef = { name = "app-primary" }, weight = "all" } }) } } } }),
    }
    stage(NEW)
    for message, value in pairs(odd) do
      world.route.spec.routes = value
      for _, f in ipairs({ appmesh.routes, appmesh.prepare }) do
        assert.same({ nil, "VirtualRouter app.demo: " .. message }, { f(canary, world) })
      end
    end
    stage(NEW)
    world.canary_route.spec.routes = "x"
    assert.same({ nil, "VirtualRouter app-canary.demo: spec.routes is not a list" }, { appmesh.prepare(canary, world) })
    stage(NEW)
    world.canary_node.spec.listeners = "x"
    assert.same({ nil, "VirtualNode app-canary.demo: spec.listeners is not a list" },
      { appmesh.prepare(canary, world) })
  end)

  it("says when neither arm is there (gaps 2.3), and lets prepare mend it", function()
    stage(OLD)
    world.route.spec.routes = json.array({ { name = "app" } })
    assert.same({ nil, "VirtualService app.demo.demo does not contain routes for app-primary and app-canary" },
      { appmesh.routes(canary, world) })
    world = routing.apply(world, appmesh.prepare(canary, world))
    assert.same({ primary = 100, canary = 0, mirrored = false }, appmesh.routes(canary, world))
  end)

  it("says when the object is not there", function()
    for provider, message in pairs({ [OLD] = "VirtualService app.demo.demo not found",
      [NEW] = "VirtualRouter app.demo not found" }) do
      stage(provider)
      assert.same({ nil, message }, { appmesh.routes(canary, {}) })
      assert.same({ nil, message }, { appmesh.shift(canary, {}, { primary = 100, canary = 0 }) })
      assert.same({}, appmesh.restore(canary, {}))
    end
  end)
end)
