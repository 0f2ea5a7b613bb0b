--- What goes over the wire, and the messages.

local json = require("json")
local registry = require("canary.registry")
local routing = require("spec.support.routing")
local smi = require("routers.smi")

local API = { linkerd = "v1alpha1", osm = "v1alpha2", ["smi:v1alpha1"] = "v1alpha1", ["smi:v1alpha2"] = "v1alpha2",
  ["smi:v1alpha3"] = "v1alpha3", ["smi:v1alpha2:anything"] = "v1alpha2" }

describe("routers.smi", function()
  local function stage(provider, service)
    local canary = routing.canary({ provider = provider, service = service })
    return canary, routing.apply({}, smi.prepare(canary, {}))
  end

  local function shift(canary, world, weight)
    return assert(smi.shift(canary, world, { primary = 100 - weight, canary = weight }))
  end

  it("serves each provider in its version", function()
    for provider, version in pairs(API) do
      assert.equal(smi, registry.router(routing.canary({ provider = provider })))
      local canary, world = stage(provider)
      assert.equal("split.smi-spec.io/" .. version, smi.reads(canary).route.apiVersion)
      assert.equal("split.smi-spec.io/" .. version, world.route.apiVersion)
    end
  end)

  it("serves no other version and no bare smi", function()
    for _, provider in ipairs({ "smi", "smi:v1alpha4", "smi:v1alpha11" }) do
      assert.is_nil((registry.router(routing.canary({ provider = provider }))))
    end
  end)

  it("names the apex or the first host, the canary before the primary, and no metadata", function()
    local _, world = stage("osm")
    assert.same({ service = "app",
      backends = { { service = "app-canary", weight = 0 }, { service = "app-primary", weight = 100 } },
    }, world.route.spec)
    assert.is_nil(world.route.metadata.annotations or world.route.metadata.labels)
    _, world = stage("osm", { hosts = { "web", "other" } })
    assert.equal("web", world.route.spec.service)
  end)

  it("sends only the backends", function()
    local canary, world = stage("smi:v1alpha3")
    assert.same({ { key = "route", merge = { spec = { backends = {
      { service = "app-canary", weight = 25 }, { service = "app-primary", weight = 75 },
    } } } } }, shift(canary, world, 25))
  end)

  it("writes quantities in v1alpha1", function()
    local canary, world = stage("linkerd")
    assert.equal("100", world.route.spec.backends[2].weight)
    assert.equal("25", shift(canary, world, 25)[1].merge.spec.backends[1].weight)
  end)

  it("writes hundredths of a percent where it is asked for them", function()
    for provider, kind in pairs({ linkerd = tostring, osm = math.tointeger }) do
      local canary, world = stage(provider)
      local patches = shift(canary, world, 12.5)
      assert.same({ kind(1250), kind(8750) }, { patches[1].merge.spec.backends[1].weight,
        patches[1].merge.spec.backends[2].weight })
      assert.same({ primary = 87.5, canary = 12.5, mirrored = false },
        smi.routes(canary, routing.apply(world, patches)))
    end
  end)

  it("stays with numbers in v1alpha1 where it finds them", function()
    local canary, world = stage("linkerd")
    for _, backend in ipairs(world.route.spec.backends) do backend.weight = math.tointeger(backend.weight) end
    assert.same({}, smi.prepare(canary, world))
    assert.equal(25, shift(canary, world, 25)[1].merge.spec.backends[1].weight)
  end)

  it("tells the gateways to Istio's adaptor alone", function()
    local key = "VirtualService.v1alpha3.networking.istio.io/spec.gateways"
    local _, world = stage("smi:v1alpha1:istio", { gateways = { "gw", "a/b" } })
    assert.same({ [key] = '["gw","a/b"]' }, world.route.metadata.annotations)
    for provider, gateways in pairs({ ["smi:v1alpha1:istio"] = {}, ["smi:v1alpha1:linkerd"] = { "gw" } }) do
      _, world = stage(provider, { gateways = gateways })
      assert.is_nil(world.route.metadata.annotations)
    end
  end)

  local function weights(canary_weight, primary_weight)
    local canary, world = stage("linkerd")
    world.route.spec.backends[1].weight, world.route.spec.backends[2].weight = canary_weight, primary_weight
    return smi.routes(canary, world)
  end

  it("reads quantities of any sum as shares", function()
    assert.same({ primary = 90, canary = 10, mirrored = false }, weights("100m", "900m"))
    assert.same({ primary = 75, canary = 25, mirrored = false }, weights("1", "3"))
    assert.same({ primary = 75, canary = 25, mirrored = false }, weights("500m", 1.5))
    assert.same({ primary = 0, canary = 100, mirrored = false }, weights("1k", nil))
  end)

  it("keeps weights of another sum in prepare", function()
    local canary, world = stage("osm")
    world.route.spec.backends[1].weight, world.route.spec.backends[2].weight = 1, 3
    world = routing.apply(world, smi.prepare(canary, world))
    assert.same({ primary = 75, canary = 25, mirrored = false }, smi.routes(canary, world))
  end)

  it("names a weight that is none", function()
    for shown, value in pairs({ all = "all", ["-1"] = -1, ["1Gi"] = "1Gi", [""] = "", ["1.2.3"] = "1.2.3" }) do
      assert.same({ nil, "TrafficSplit app.demo: spec.backends[1].weight is not a weight: " .. shown },
        { weights("1", value) })
    end
  end)

  it("says when neither arm gets anything", function()
    assert.same({ nil, "TrafficSplit app.demo does not contain routes for app-primary and app-canary" },
      { weights("0", "0") })
  end)

  it("names backends that are no list", function()
    local canary, world = stage("osm")
    world.route.spec.backends = "x"
    for _, f in ipairs({ smi.routes, smi.prepare }) do
      assert.same({ nil, "TrafficSplit app.demo: spec.backends is not a list" }, { f(canary, world) })
    end
    world.route.spec.backends = json.null
    assert.same({ nil, "TrafficSplit app.demo: spec.backends is missing" },
      { smi.shift(canary, world, { primary = 100, canary = 0 }) })
  end)

  it("says when the object is not there", function()
    local canary = stage("osm")
    assert.same({ nil, "TrafficSplit app.demo not found" }, { smi.routes(canary, {}) })
    assert.same({ nil, "TrafficSplit app.demo not found" }, { smi.shift(canary, {}, { primary = 1, canary = 0 }) })
  end)
end)
