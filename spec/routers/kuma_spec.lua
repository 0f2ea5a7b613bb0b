--- What goes over the wire, and the messages.

local json = require("json")
local kuma = require("routers.kuma")
local routing = require("spec.support.routing")

local TAG = "kuma.io/service"

describe("routers.kuma", function()
  local canary, world

  local function stage(parts, seen)
    parts = parts or {}
    parts.provider = "kuma"
    canary = routing.canary(parts)
    world = routing.apply(seen or {}, assert(kuma.prepare(canary, seen or {})))
  end

  before_each(function() stage() end)

  local function shift(weight)
    return kuma.shift(canary, world, { primary = 100 - weight, canary = weight })
  end

  local function entry(name, weight)
    return { weight = weight, destination = { [TAG] = name .. "_demo_svc_80" } }
  end

  local function another(namespace)
    return { apiVersion = "kuma.io/v1alpha1", kind = "TrafficRoute", metadata = { name = "app" }, mesh = "default",
      spec = {
        destinations = json.array({ { match = { [TAG] = ("app_%s_svc_80"):format(namespace) } } }),
        conf = { split = json.array({ entry("app-primary", 100) }) },
      } }
  end

  it("creates a route of the whole cluster that names the mesh's services", function()
    assert.same({
      apiVersion = "kuma.io/v1alpha1",
      kind = "TrafficRoute",
      mesh = "default",
      metadata = { name = "app", annotations = {
        ["serin.dev/canary"] = "demo/app",
        ["kustomize.toolkit.fluxcd.io/reconcile"] = "disabled",
        ["helm.toolkit.fluxcd.io/driftDetection"] = "disabled",
      } },
      spec = {
        sources = { { match = { [TAG] = "*" } } },
        destinations = { { match = { [TAG] = "app_demo_svc_80" } } },
        conf = { split = { entry("app-primary", 100), entry("app-canary", 0) } },
      },
    }, world.route)
  end)

  it("takes the mesh from the Canary's annotation", function()
    stage({ annotations = { ["kuma.io/mesh"] = "blue" } })
    assert.equal("blue", world.route.mesh)
  end)

  it("sends only the split", function()
    assert.same({ { key = "route", merge = { spec = { conf = { split = {
      entry("app-primary", 75), entry("app-canary", 25),
    } } } } } }, shift(25))
  end)

  it("keeps the weights when the port changes", function()
    world = routing.apply(world, shift(25))
    canary = routing.canary({ provider = "kuma", service = { port = 81 } })
    world = routing.apply(world, kuma.prepare(canary, world))
    assert.equal("app-canary_demo_svc_81", world.route.spec.conf.split[2].destination[TAG])
    assert.same({ primary = 75, canary = 25, mirrored = false }, kuma.routes(canary, world))
  end)

  it("leaves the namesake of another namespace alone and takes a name of its own (gaps 3.6)", function()
    local other = another("demo2")
    stage({}, { route = other })
    assert.equal("app.demo", world.spaced.metadata.name)
    world = routing.apply(world, shift(40))
    assert.same(other, world.route)
    assert.same({ primary = 60, canary = 40, mirrored = false }, kuma.routes(canary, world))
    assert.same({ { key = "spaced", delete = true } }, kuma.restore(canary, world))
  end)

  it("stays with its own name when the other one becomes free or serves it too", function()
    stage({}, { route = another("demo2") })
    for _, route in ipairs({ false, another("demo") }) do
      world.route = route or nil
      assert.equal("spaced", shift(40)[1].key)
      assert.same({}, kuma.prepare(canary, world))
    end
  end)

  it("takes over the route that serves its apex", function()
    stage({}, { route = another("demo") })
    assert.is_nil(world.spaced)
    assert.equal(2, #world.route.spec.conf.split)
    assert.is_nil(world.route.metadata.annotations["serin.dev/canary"])
  end)

  it("says when both names are taken", function()
    local taken = another("demo2")
    taken.metadata.name = "app.demo"
    assert.same({ nil, "TrafficRoute app.demo: expected to be free or to serve app_demo_svc_80, " ..
      "found it to serve something else" }, { kuma.prepare(canary, { route = another("demo2"), spaced = taken }) })
  end)

  it("deletes what it created, and nothing of the user's (gaps 3.6)", function()
    assert.same({ { key = "route", delete = true } }, kuma.restore(canary, world))
    world.route.metadata.annotations["serin.dev/canary"] = "demo2/app"
    for _, patch in ipairs(kuma.restore(canary, world)) do assert.is_nil(patch.delete) end
  end)

  it("takes no object of a namespace for one that it may delete", function()
    world.route.metadata.namespace = "demo"
    for _, patch in ipairs(kuma.restore(canary, world)) do assert.is_nil(patch.delete) end
  end)

  it("takes an absent weight for none", function()
    world.route.spec.conf.split[2].weight = nil
    assert.same({ primary = 100, canary = 0, mirrored = false }, kuma.routes(canary, world))
  end)

  it("names odd shapes", function()
    local odd = {
      ["spec.conf.split is not a list"] = "x",
      ["spec.conf.split[0] is not an object"] = json.array({ 1 }),
      ["spec.conf.split[1].weight is not a weight: all"] =
        json.array({ { destination = "x" }, entry("app-primary", "all") }),
    }
    for message, value in pairs(odd) do
      world.route.spec.conf.split = value
      for _, f in ipairs({ kuma.routes, kuma.prepare }) do
        assert.same({ nil, "TrafficRoute app: " .. message }, { f(canary, world) })
      end
    end
  end)

  it("says when neither arm gets anything, and lets prepare mend it", function()
    world.route.spec.conf = { destination = { [TAG] = "*" } }
    assert.same({ nil, "TrafficRoute app does not contain routes for app-primary and app-canary" },
      { kuma.routes(canary, world) })
    world = routing.apply(world, kuma.prepare(canary, world))
    assert.same({ primary = 100, canary = 0, mirrored = false }, kuma.routes(canary, world))
    assert.is_nil(world.route.spec.conf.destination)
  end)

  it("says when the object is not there", function()
    assert.same({ nil, "TrafficRoute app.demo not found" }, { kuma.routes(canary, {}) })
    assert.same({ nil, "TrafficRoute app.demo not found" }, { kuma.shift(canary, {}, { primary = 100, canary = 0 }) })
    assert.same({}, kuma.restore(canary, {}))
  end)
end)
