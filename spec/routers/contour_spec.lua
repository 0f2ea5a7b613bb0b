--- What goes over the wire, and the messages.

local contour = require("routers.contour")
local json = require("json")
local object = require("util.object")
local routing = require("spec.support.routing")

describe("routers.contour", function()
  local canary, world

  local function begin(parts)
    parts = parts or {}
    parts.provider = "contour"
    canary = routing.canary(parts)
    world = routing.apply({}, assert(contour.prepare(canary, {})))
    return world.route.spec
  end

  before_each(function() begin() end)

  local function shift(weight)
    return contour.shift(canary, world, { primary = 100 - weight, canary = weight })
  end

  local function service(name, weight)
    return { name = name, port = 80, weight = weight, requestHeadersPolicy = { set = {
      { name = "l5d-dst-override", value = name .. ".demo.svc.cluster.local:80" },
    } } }
  end

  it("waits until Contour found the newest generation valid", function()
    assert.is_true(contour.accepted(canary, world))
    local valid = { type = "Valid", status = "True", observedGeneration = 1 }
    world.route.metadata.generation = 1
    world.route.status = { description = "Valid HTTPProxy", conditions = json.array({ valid }) }
    assert.is_true(contour.accepted(canary, world))
    world.route.metadata.generation = 2
    assert.same({ false, "HTTPProxy app.demo is not ready (Valid: True, observed generation: 1, current generation: 2)"
      .. ": Valid HTTPProxy" }, { contour.accepted(canary, world) })
    valid.status, valid.observedGeneration, world.route.status.description = "False", 2, "no such Secret"
    assert.same({ false, "HTTPProxy app.demo is not ready (Valid: False, observed generation: 2, current generation: 2)"
      .. ": no such Secret" }, { contour.accepted(canary, world) })
    world.route.status.currentStatus = "orphaned"
    assert.is_true(contour.accepted(canary, world))
    world.route.status = { conditions = "odd" }
    assert.is_true(contour.accepted(canary, {}))
    assert.is_true(contour.accepted(canary, world))
  end)

  it("sends only the routes", function()
    assert.same({ { key = "route", merge = { spec = { routes = { {
      conditions = { { prefix = "/" } },
      services = { service("app-primary", 75), service("app-canary", 25) },
    } } } } } }, shift(25))
  end)

  it("writes no weight of zero, and leaves one that is there alone", function()
    assert.same({ service("app-primary", 100), service("app-canary") }, world.route.spec.routes[1].services)
    world.route.spec.routes[1].services[2].weight = 0
    assert.same({}, (shift(0)))
    assert.same({}, (contour.prepare(canary, world)))
    local services = routing.apply(world, shift(100)).route.spec.routes[1].services
    assert.same({ service("app-primary"), service("app-canary", 100) }, services)
  end)

  it("matches the prefix of the service's first match", function()
    assert.same({ { prefix = "/api" } },
      begin({ service = { match = { { uri = { prefix = "/api" } }, { uri = { prefix = "/b" } } } } })
        .routes[1].conditions)
    assert.same({ { prefix = "/" } }, begin({ service = { match = { { uri = { exact = "/x" } } } } })
      .routes[1].conditions)
  end)

  it("sets timeouts only where there is one", function()
    assert.same({ response = "5s", idle = "5m" }, begin({ service = { timeout = "5s" } }).routes[1].timeoutPolicy)
    assert.is_nil(begin({ service = { timeout = "" } }).routes[1].timeoutPolicy)
  end)

  it("sets retries, each condition by itself", function()
    local function policy(retries) return begin({ service = { retries = retries } }).routes[1].retryPolicy end
    assert.same({ count = 2, perTryTimeout = "1s", retryOn = { "5xx", "reset" } },
      policy({ attempts = 2, perTryTimeout = "1s", retryOn = "5xx, reset," }))
    assert.same({ count = 1 }, policy({ attempts = 0, perTryTimeout = "", retryOn = "" }))
    assert.same({ count = 1 }, policy({}))
  end)

  it("has the class of the process' flag, if any", function()
    assert.equal("internal", begin({ settings = { ingress_class = "internal" } }).ingressClassName)
    assert.is_nil(begin({ settings = { ingress_class = "" } }).ingressClassName)
  end)

  it("leaves a class alone that the flag does not name", function()
    world.route.spec.ingressClassName = "mine"
    assert.same({}, (contour.prepare(canary, world)))
  end)

  it("has no virtual host", function()
    assert.is_nil(world.route.spec.virtualhost)
  end)

  describe("for A/B tests", function()
    local function conditions(...)
      local out = {}
      local spec = begin({ service = { match = { { uri = { prefix = "/api" } } } },
        analysis = { iterations = 2, match = json.array({ ... }) } })
      for index, route in ipairs(spec.routes) do out[index] = route.conditions end
      return out
    end

    it("has a route for each alternative, and one for the rest", function()
      assert.same({
        { { prefix = "/api", header = { name = "a", exact = "1" } }, { header = { name = "b", regex = "2" } } },
        { { prefix = "/api", header = { name = "c", contains = "3" } } },
        { { prefix = "/api", header = { name = "d", contains = "4" } } },
        { { prefix = "/api" } },
      }, conditions({ headers = { b = { regex = "2" }, a = { exact = "1" } } }, { headers = { c = { prefix = "3" } } },
        { headers = { d = { suffix = "4" } } }))
    end)

    it("sends all of the rest to the primary", function()
      conditions({ headers = { a = { exact = "1" } } }, { headers = { b = { exact = "1" } } })
      local routes = routing.apply(world, shift(100)).route.spec.routes
      for _, route in ipairs({ routes[1], routes[2] }) do
        assert.same({ service("app-primary"), service("app-canary", 100) }, route.services)
      end
      assert.same({ service("app-primary", 100), service("app-canary") }, routes[3].services)
    end)

    it("keeps what each route has of the user's", function()
      conditions({ headers = { a = { exact = "1" } } }, { headers = { b = { exact = "1" } } })
      for index, route in ipairs(world.route.spec.routes) do route.note = index end
      for index, route in ipairs(routing.apply(world, shift(100)).route.spec.routes) do
        assert.equal(index, route.note)
      end
    end)

    it("refuses what Contour cannot compare", function()
      canary = routing.canary({ provider = "contour", analysis = { iterations = 1, match = { { headers = {} } } } })
      assert.same({ nil, "spec.analysis.match[0].headers: expected a header, found none" },
        { contour.prepare(canary, {}) })
      assert.same({ nil, "spec.analysis.match[0].headers: expected a header, found none" },
        { shift(100) })
    end)
  end)

  it("reads weights of any sum as shares", function()
    world = routing.apply(world, shift(50))
    world.route.spec.routes[1].services[1].weight, world.route.spec.routes[1].services[2].weight = 3, 1
    assert.same({ primary = 75, canary = 25, mirrored = false }, contour.routes(canary, world))
  end)

  local function refused(spec, message)
    world.route.spec = spec
    for _, f in ipairs({ contour.routes, contour.prepare }) do
      assert.same({ nil, message }, { f(canary, world) })
    end
  end

  it("names what is odd", function()
    refused({ routes = "x" }, "HTTPProxy app.demo: spec.routes is not a list")
    refused({ routes = json.array({ "x" }) }, "HTTPProxy app.demo: spec.routes[0] is not an object")
    local services = json.array({ "x", { name = "app-canary", weight = "all" } })
    refused({ routes = json.array({ {}, { services = services } }) },
      "HTTPProxy app.demo: spec.routes[1].services[1].weight is not a weight: all")
    refused({ routes = json.array({ { services = json.array({ { name = "app-canary", weight = 0.5 } }) } }) },
      "HTTPProxy app.demo: spec.routes[0].services[0].weight is not a weight: 0.5")
  end)

  it("begins again where neither arm is there", function()
    for _, spec in ipairs({ {}, { routes = json.array() }, { routes = json.array({ { services = "x" } }) } }) do
      world.route.spec = spec
      assert.same({ nil, "HTTPProxy app.demo does not contain routes for app-primary and app-canary" },
        { contour.routes(canary, world) })
      local after = object.apply(world, assert(contour.prepare(canary, world)))
      assert.same({ primary = 100, canary = 0, mirrored = false }, contour.routes(canary, after))
    end
  end)

  it("says when the object is not there", function()
    world = {}
    assert.same({ nil, "HTTPProxy app.demo not found" }, { contour.routes(canary, world) })
    assert.same({ nil, "HTTPProxy app.demo not found" }, { shift(0) })
  end)
end)
