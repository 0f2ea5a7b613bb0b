--- What goes over the wire, and the messages.

local json = require("json")
local object = require("util.object")
local routing = require("spec.support.routing")
local traefik = require("routers.traefik")

describe("routers.traefik", function()
  local canary, world

  before_each(function()
    canary = routing.canary({ provider = "traefik" })
    world = routing.apply({}, traefik.prepare(canary, {}))
  end)

  local function shift(weight)
    return traefik.shift(canary, world, { primary = 100 - weight, canary = weight })
  end

  local function services(weight)
    return routing.apply(world, shift(weight)).route.spec.weighted.services
  end

  it("has no entry for the canary at weight zero", function()
    assert.same({ { name = "app-primary", namespace = "demo", port = 80, weight = 100 } },
      world.route.spec.weighted.services)
  end)

  it("writes the primary's weight zero", function()
    assert.equal(0, services(100)[1].weight)
  end)

  it("sends only the services", function()
    assert.same({ { key = "route", merge = { spec = { weighted = { services = {
      { name = "app-primary", namespace = "demo", port = 80, weight = 75 },
      { name = "app-canary", namespace = "demo", port = 80, weight = 25 },
    } } } } } }, shift(25))
  end)

  it("gives the canary's entry the primary's other fields", function()
    world.route.spec.weighted.services[1].scheme = "https"
    assert.equal("https", services(10)[2].scheme)
  end)

  it("lets the canary's entry keep fields of its own", function()
    world = routing.apply(world, shift(10))
    world.route.spec.weighted.services[2].scheme = "h2c"
    assert.equal("h2c", services(20)[2].scheme)
  end)

  it("takes an absent weight for one", function()
    world = routing.apply(world, shift(50))
    for _, entry in ipairs(world.route.spec.weighted.services) do entry.weight = nil end
    assert.same({ primary = 50, canary = 50, mirrored = false }, traefik.routes(canary, world))
  end)

  it("reads weights of any sum as shares", function()
    world = routing.apply(world, shift(50))
    world.route.spec.weighted.services[1].weight = 3
    world.route.spec.weighted.services[2].weight = 1
    assert.same({ primary = 75, canary = 25, mirrored = false }, traefik.routes(canary, world))
  end)

  local function refused(spec, message)
    world.route.spec = spec
    for _, f in ipairs({ traefik.routes, traefik.prepare }) do
      assert.same({ nil, message }, { f(canary, world) })
    end
  end

  it("names a spec without weighted services", function()
    refused({}, "TraefikService app.demo: spec.weighted.services is missing")
    refused({ mirroring = {} }, "TraefikService app.demo: spec.weighted.services is missing")
  end)

  it("names services that are no list", function()
    refused({ weighted = { services = "x" } }, "TraefikService app.demo: spec.weighted.services is not a list")
    refused({ weighted = { services = { a = 1 } } }, "TraefikService app.demo: spec.weighted.services is not a list")
  end)

  it("names an entry that is no object", function()
    refused({ weighted = { services = json.array({ "x" }) } },
      "TraefikService app.demo: spec.weighted.services[0] is not an object")
  end)

  it("names a weight that is no number", function()
    refused({ weighted = { services = json.array({ { name = "x" }, { name = "app-primary", weight = "all" } }) } },
      "TraefikService app.demo: spec.weighted.services[1].weight is not a weight: all")
  end)

  it("refuses fractional and negative weights", function()
    refused({ weighted = { services = json.array({ { name = "app-primary", weight = 0.5 } }) } },
      "TraefikService app.demo: spec.weighted.services[0].weight is not a weight: 0.5")
    refused({ weighted = { services = json.array({ { name = "app-primary", weight = -1 } }) } },
      "TraefikService app.demo: spec.weighted.services[0].weight is not a weight: -1")
  end)

  it("says when neither arm is there", function()
    world.route.spec.weighted.services = json.array()
    assert.same({ nil, "TraefikService app.demo does not contain routes for app-primary and app-canary" },
      { traefik.routes(canary, world) })
  end)

  it("says when the object is not there", function()
    assert.same({ nil, "TraefikService app.demo not found" }, { traefik.routes(canary, {}) })
    assert.same({ nil, "TraefikService app.demo not found" },
      { traefik.shift(canary, {}, { primary = 100, canary = 0 }) })
  end)

  it("leaves an empty list of services as it is until the next prepare", function()
    world.route.spec.weighted.services = json.array()
    local after = object.apply(world, assert(traefik.prepare(canary, world)))
    assert.same({ primary = 100, canary = 0, mirrored = false }, traefik.routes(canary, after))
  end)
end)
