--- What goes over the wire, and the messages.

local gloo = require("routers.gloo")
local json = require("json")
local object = require("util.object")
local routing = require("spec.support.routing")

describe("routers.gloo", function()
  local canary, world

  local function service(name, pods)
    return { kind = "Service", metadata = { name = name }, spec = { selector = { app = pods } } }
  end

  local function begin(parts, upstream)
    parts = parts or {}
    parts.provider = "gloo"
    canary = routing.canary(parts)
    local seen = { primary_service = service("app-primary", "app-primary"),
      canary_service = service("app-canary", "app"), upstream = upstream }
    world = routing.apply(seen, assert(gloo.prepare(canary, seen)))
  end

  before_each(function() begin() end)

  local function shift(weight)
    return gloo.shift(canary, world, { primary = 100 - weight, canary = weight })
  end

  local function apply(patches) world = routing.apply(world, assert(patches)) end

  local function destination(arm, weight)
    return { destination = { upstream = { name = ("demo-app-%supstream-80"):format(arm), namespace = "demo" } },
      weight = weight }
  end

  local function action(...)
    return { multi = { destinations = { ... } } }
  end

  it("waits while a Gloo rejects the RouteTable, as any version of it says so", function()
    local REJECTED = { false, "RouteTable app.demo is rejected: no such upstream" }
    assert.is_true(gloo.accepted(canary, world))
    for _, status in ipairs({ { state = 1 }, { state = "Warning" }, { statuses = { a = { state = "Accepted" } } } }) do
      world.route.status = status
      assert.is_true(gloo.accepted(canary, world))
    end
    local why = { state = "Rejected", reason = "no such upstream" }
    for _, status in ipairs({ why, { state = 2, reason = why.reason }, { statuses = { ["gloo-system"] = why } } }) do
      world.route.status = status
      assert.same(REJECTED, { gloo.accepted(canary, world) })
    end
  end)

  it("sends only the routes", function()
    assert.same({ { key = "route", merge = { spec = { routes = { {
      inheritablePathMatchers = true, routeAction = action(destination("primary", 75), destination("canary", 25)),
    } } } } } }, shift(25))
  end)

  it("writes no weight of zero, and leaves one that is there alone", function()
    assert.same(action(destination("primary", 100), destination("canary")), world.route.spec.routes[1].routeAction)
    world.route.spec.routes[1].routeAction.multi.destinations[2].weight = 0
    assert.same({}, (shift(0)))
    assert.same({}, (gloo.prepare(canary, world)))
    apply(shift(100))
    assert.same(action(destination("primary"), destination("canary", 100)), world.route.spec.routes[1].routeAction)
  end)

  it("makes an Upstream for each arm, before the route that names them", function()
    local patches = gloo.prepare(canary, { primary_service = world.primary_service,
      canary_service = world.canary_service })
    assert.same({ "primary_upstream", "canary_upstream", "route" },
      { patches[1].key, patches[2].key, patches[3].key })
    assert.same({ kube = { serviceName = "app-canary", serviceNamespace = "demo", servicePort = 80,
      selector = { app = "app" } } }, patches[2].create.spec)
    assert.equal("demo-app-canaryupstream-80", patches[2].create.metadata.name)
  end)

  it("follows the selectors of the Services", function()
    world.canary_service.spec.selector = { name = "app" }
    apply(gloo.prepare(canary, world))
    assert.same({ name = "app" }, world.canary_upstream.spec.kube.selector)
    world.canary_service.spec.selector = nil
    apply(gloo.prepare(canary, world))
    assert.is_nil(world.canary_upstream.spec.kube.selector)
  end)

  describe("with an Upstream that the Canary names", function()
    local REF = { upstreamRef = { kind = "Upstream", name = "base" } }

    it("takes its settings over and follows them", function()
      local base = { spec = { sslConfig = { sni = "a" }, httpProxyHostname = "h", kube = { serviceName = "x" },
        failover = {} } }
      begin({ spec = REF }, base)
      assert.same({ sslConfig = { sni = "a" }, httpProxyHostname = "h", kube = world.canary_upstream.spec.kube },
        world.canary_upstream.spec)
      assert.equal("app-canary", world.canary_upstream.spec.kube.serviceName)
      base.spec = { sslConfig = { alpnProtocols = json.array({ "h2" }) }, useHttp2 = true }
      apply(gloo.prepare(canary, world))
      local kube = world.primary_upstream.spec.kube
      assert.same({ sslConfig = { alpnProtocols = { "h2" } }, useHttp2 = true, kube = kube },
        world.primary_upstream.spec)
    end)

    it("looks for it beside the Canary where no namespace is given", function()
      begin({ spec = REF })
      assert.same({ apiVersion = "gloo.solo.io/v1", kind = "Upstream", name = "base", namespace = "demo",
        optional = false }, gloo.reads(canary).upstream)
      begin({ spec = { upstreamRef = { kind = "Upstream", name = "base", namespace = "gloo-system" } } })
      assert.equal("gloo-system", gloo.reads(canary).upstream.namespace)
    end)

    it("leaves what the user adds to ours alone without one", function()
      world.primary_upstream.spec.circuitBreakers = { maxRetries = 1 }
      assert.same({}, (gloo.prepare(canary, world)))
    end)
  end)

  it("keeps the weights when the port becomes another", function()
    apply(shift(30))
    local seen = { route = world.route, primary_service = world.primary_service, canary_service = world.canary_service }
    canary = routing.canary({ provider = "gloo", service = { port = 8080 } })
    assert.same({ primary = 70, canary = 30, mirrored = false }, gloo.routes(canary, seen))
    world = routing.apply(seen, assert(gloo.prepare(canary, seen)))
    assert.same({ primary = 70, canary = 30, mirrored = false }, gloo.routes(canary, world))
    assert.equal("demo-app-canaryupstream-8080",
      world.route.spec.routes[1].routeAction.multi.destinations[2].destination.upstream.name)
  end)

  describe("for A/B tests", function()
    it("has a matcher for each alternative, and a route for the rest", function()
      begin({ analysis = { iterations = 1, match = {
        { headers = { b = { regex = "2" }, a = { exact = "1" } }, method = { exact = "GET" } },
        { headers = { c = { exact = "3" } } },
      } } })
      apply(shift(100))
      assert.same({
        { inheritablePathMatchers = true, routeAction = action(destination("primary"), destination("canary", 100)),
          matchers = {
            { headers = { { name = "a", value = "1" }, { name = "b", value = "2", regex = true } },
              methods = { "GET" } },
            { headers = { { name = "c", value = "3" } } },
          } },
        { inheritablePathMatchers = true, routeAction = action(destination("primary", 100)) },
      }, world.route.spec.routes)
    end)

    it("refuses what Gloo cannot compare", function()
      begin()
      canary = routing.canary({ provider = "gloo", analysis = { iterations = 1,
        match = { { headers = { a = { prefix = "x" } } } } } })
      local message = "spec.analysis.match[0].headers.a: expected exact or regex, found prefix"
      for _, seen in ipairs({ world, {} }) do assert.same({ nil, message }, { gloo.prepare(canary, seen) }) end
      assert.same({ nil, message }, { shift(10) })
      canary.analysis.match[1].headers.a = { exact = "", regex = "" }
      assert.same({ nil, "spec.analysis.match[0].headers.a: expected exact or regex, found exact, regex" },
        { shift(10) })
    end)
  end)

  it("reads weights of any sum as shares", function()
    apply(shift(50))
    local destinations = world.route.spec.routes[1].routeAction.multi.destinations
    destinations[1].weight, destinations[2].weight = 3, 1
    assert.same({ primary = 75, canary = 25, mirrored = false }, gloo.routes(canary, world))
  end)

  local function refused(spec, message)
    world.route.spec = spec
    for _, f in ipairs({ gloo.routes, gloo.prepare }) do
      assert.same({ nil, message }, { f(canary, world) })
    end
  end

  it("names what is odd", function()
    refused({ routes = "x" }, "RouteTable app.demo: spec.routes is not a list")
    refused({ routes = json.array({ "x" }) }, "RouteTable app.demo: spec.routes[0] is not an object")
    local item = destination("canary", "all")
    refused({ routes = json.array({ {}, { routeAction = action("x", item) } }) },
      "RouteTable app.demo: spec.routes[1].routeAction.multi.destinations[1].weight is not a weight: all")
  end)

  it("begins again where neither arm is there", function()
    local stranger = { destination = { upstream = { name = "demo-app-canaryupstream-80x" } }, weight = 5 }
    for _, spec in ipairs({ {}, { routes = json.array() }, { routes = json.array({ { routeAction = "x" } }) },
      { routes = json.array({ { routeAction = action(stranger) } }) } }) do
      world.route.spec = spec
      assert.same({ nil, "RouteTable app.demo does not contain routes for app-primary and app-canary" },
        { gloo.routes(canary, world) })
      local after = object.apply(world, assert(gloo.prepare(canary, world)))
      assert.same({ primary = 100, canary = 0, mirrored = false }, gloo.routes(canary, after))
    end
  end)

  it("says when the RouteTable is not there", function()
    world.route = nil
    assert.same({ nil, "RouteTable app.demo not found" }, { gloo.routes(canary, world) })
    assert.same({ nil, "RouteTable app.demo not found" }, { shift(0) })
  end)
end)
