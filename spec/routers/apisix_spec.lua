--- What goes over the wire, and the messages.

local apisix = require("routers.apisix")
local json = require("json")
local routing = require("spec.support.routing")

local SPEC = { routeRef = { name = "web" } }

describe("routers.apisix", function()
  local canary, world

  local function rule(backends, more)
    local out = { name = "main", match = { paths = json.array({ "/*" }) }, backends = json.array(backends) }
    for key, value in pairs(more or {}) do out[key] = value end
    return out
  end

  local function source(rules)
    return { apiVersion = "apisix.apache.org/v2", kind = "ApisixRoute", metadata = { name = "web", namespace = "demo" },
      spec = { http = json.array(rules) } }
  end

  local function stage(route)
    canary = routing.canary({ provider = "apisix", spec = SPEC })
    world = { source = route or source({ rule({ { serviceName = "app", servicePort = 80 } }) }) }
    world = routing.apply(world, assert(apisix.prepare(canary, world)))
  end

  before_each(function() stage() end)

  local function shift(weight)
    return apisix.shift(canary, world, { primary = 100 - weight, canary = weight })
  end

  local function refused(route, message)
    assert.same({ nil, message }, { apisix.prepare(canary, { source = route }) })
    assert.same({ nil, message }, { apisix.prepare(canary, { source = route, route = world.route }) })
  end

  it("creates a route that takes precedence", function()
    assert.equal("web-app-canary", world.route.metadata.name)
    assert.same({ http = { rule({
      { serviceName = "app-primary", servicePort = 80, weight = 100 },
      { serviceName = "app-canary", servicePort = 80, weight = 0 },
    }, { priority = 10000 }) } }, world.route.spec)
  end)

  it("takes precedence over any priority of the user's", function()
    for given, priority in pairs({ [9999] = 10000, [10000] = 10001, [20000] = 20001, [-5] = 10000 }) do
      stage(source({ rule({ { serviceName = "app", servicePort = 80 } }, { priority = given }) }))
      assert.equal(priority, world.route.spec.http[1].priority)
    end
  end)

  it("gives both backends all that the user's has, known or not (gaps 3.23)", function()
    stage(source({ rule({ { serviceName = "app", servicePort = "http", subset = "v1", weight = 7, new = { 1 } } }) }))
    for index, name in ipairs({ "app-primary", "app-canary" }) do
      assert.same({ serviceName = name, servicePort = "http", subset = "v1", weight = index == 1 and 100 or 0,
        new = { 1 } }, world.route.spec.http[1].backends[index])
    end
  end)

  it("takes the rule for the apex, and neither the others nor the streams", function()
    local route = source({ rule({ { serviceName = "x" }, { serviceName = "y" } }), { name = "plain" },
      rule({ { serviceName = "app", servicePort = 80 } }, { name = "mine" }) })
    route.spec.stream, route.spec.ingressClassName = json.array({ { name = "tcp" } }), "apisix"
    stage(route)
    assert.equal("mine", world.route.spec.http[1].name)
    assert.equal(1, #world.route.spec.http)
    assert.is_nil(world.route.spec.stream)
    assert.equal("apisix", world.route.spec.ingressClassName)
  end)

  it("copies labels and annotations but kubectl's", function()
    local route = source({ rule({ { serviceName = "app", servicePort = 80 } }) })
    route.metadata.labels = { team = "a" }
    route.metadata.annotations = { a = "b", ["kubectl.kubernetes.io/last-applied-configuration"] = "{}" }
    stage(route)
    assert.same({ team = "a" }, world.route.metadata.labels)
    assert.same({ a = "b" }, world.route.metadata.annotations)
  end)

  it("follows the user's route and keeps the weights", function()
    world = routing.apply(world, shift(40))
    world.source.spec.http[1].timeout = { read = "5s" }
    world.source.spec.http[1].backends[1].servicePort = 81
    world.source.metadata.labels = { team = "b" }
    world = routing.apply(world, apisix.prepare(canary, world))
    local copied = world.route.spec.http[1]
    assert.same({ read = "5s" }, copied.timeout)
    assert.same({ 81, 81, 60, 40, "b" }, { copied.backends[1].servicePort, copied.backends[2].servicePort,
      copied.backends[1].weight, copied.backends[2].weight, world.route.metadata.labels.team })
    world.source.spec.http[1].timeout = nil
    world = routing.apply(world, apisix.prepare(canary, world))
    assert.is_nil(world.route.spec.http[1].timeout)
  end)

  it("never writes to the user's route", function()
    for _, patches in ipairs({ apisix.prepare(canary, { source = world.source }), shift(10), shift(100) }) do
      for _, patch in ipairs(patches) do assert.equal("route", patch.key) end
    end
    assert.same({}, apisix.restore(canary, world))
  end)

  it("takes an absent weight for the controller's default (gaps 2.3)", function()
    world.route.spec.http[1].backends[1].weight, world.route.spec.http[1].backends[2].weight = nil, 25
    assert.same({ primary = 80, canary = 20, mirrored = false }, apisix.routes(canary, world))
  end)

  it("reads weights of any sum as shares", function()
    world.route.spec.http[1].backends[1].weight, world.route.spec.http[1].backends[2].weight = 3, 1
    assert.same({ primary = 75, canary = 25, mirrored = false }, apisix.routes(canary, world))
  end)

  it("asks for a route", function()
    for _, spec in ipairs({ {}, { routeRef = { kind = "ApisixRoute" } }, { routeRef = { name = "" } } }) do
      local nameless = routing.canary({ provider = "apisix", spec = spec })
      assert.same({}, apisix.reads(nameless))
      for _, f in ipairs({ apisix.prepare, apisix.routes, apisix.shift }) do
        assert.same({ nil, "apisix route selector is empty" }, { f(nameless, {}, { primary = 100, canary = 0 }) })
      end
      assert.same({}, apisix.restore(nameless, {}))
    end
  end)

  it("says when the user's route does not lead to the apex", function()
    local message = "Can not find app backend on apisix route web.demo"
    refused(source({ rule({ { serviceName = "other" } }) }), message)
    refused(source({ { name = "plain" } }), message)
    refused(source({}), message)
  end)

  it("says when the rule for the apex has further backends", function()
    refused(source({ { name = "plain" }, rule({ { serviceName = "x" }, { serviceName = "app" } }) }),
      "ApisixRoute web.demo: spec.http[1].backends expected one backend, found 2")
  end)

  it("names odd shapes of the user's route", function()
    local odd = source({})
    odd.spec.http = "x"
    refused(odd, "ApisixRoute web.demo: spec.http is not a list")
    refused(source({ { backends = "x" } }), "ApisixRoute web.demo: spec.http[0].backends is not a list")
    refused(source({ { backends = json.array({ 1 }) } }),
      "ApisixRoute web.demo: spec.http[0].backends[0] is not an object")
  end)

  it("names odd shapes of its own route", function()
    local function odd(message)
      for _, f in ipairs({ apisix.routes, apisix.prepare }) do
        assert.same({ nil, "ApisixRoute web-app-canary.demo: " .. message }, { f(canary, world) })
      end
    end
    world.route.spec.http[1].backends[2].weight = "all"
    odd("spec.http[0].backends[1].weight is not a weight: all")
    world.route.spec.http[1].backends = "x"
    odd("spec.http[0].backends is not a list")
  end)

  it("says when neither arm is there, and lets prepare mend it", function()
    world.route.spec.http = json.array()
    assert.same({ nil, "ApisixRoute web-app-canary.demo does not contain routes for app-primary and app-canary" },
      { apisix.routes(canary, world) })
    world = routing.apply(world, apisix.prepare(canary, world))
    assert.same({ primary = 100, canary = 0, mirrored = false }, apisix.routes(canary, world))
  end)

  it("says which object is not there", function()
    world.route = nil
    local message = "ApisixRoute web-app-canary.demo not found"
    assert.same({ nil, message }, { apisix.routes(canary, world) })
    assert.same({ nil, message }, { apisix.shift(canary, world, { primary = 100, canary = 0 }) })
    stage()
    world.source = nil
    for _, f in ipairs({ apisix.prepare, apisix.shift }) do
      assert.same({ nil, "ApisixRoute web.demo not found" }, { f(canary, world, { primary = 100, canary = 0 }) })
    end
  end)
end)
