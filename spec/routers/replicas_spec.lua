--- How many pods a share takes, in which order it is reached, and the messages.

local json = require("json")
local object = require("util.object")
local replicas = require("routers.replicas")
local routing = require("spec.support.routing")

local fixture = dofile("spec/fixtures/routers/replicas.lua")
local NARROW, BOTH, CANARY = { app = "app-primary" }, { ["app.example.com/name"] = "shop-web" }, { app = "app" }

describe("routers.replicas", function()
  local canary, world

  before_each(function()
    canary, world = fixture.cases[1].canary(), fixture.cases[1].seen()
  end)

  --- The arms with `count` pods asked for and `ready` of them there.
  local function pods(name, count, ready)
    world[name].spec.replicas = count
    world[name].status = { observedGeneration = 1, replicas = ready, availableReplicas = ready }
  end

  local function patches(weight)
    local out = {}
    for _, patch in ipairs(assert(replicas.shift(canary, world, { primary = 100 - weight, canary = weight }))) do
      out[patch.key] = patch.merge
    end
    return out
  end

  --- As a cluster stores them, with no controller at work.
  local function shift(weight)
    world = routing.apply(world, assert(replicas.shift(canary, world, { primary = 100 - weight, canary = weight })))
  end

  local function look() world = routing.apply(world, assert(replicas.prepare(canary, world))) end

  it("gives the canary the pods of at most its share beside all of the primary's, and one at least", function()
    for weight, count in pairs({ [1] = 1, [9] = 1, [10] = 1, [16] = 1, [17] = 2, [20] = 2, [25] = 3, [33] = 4, [49] = 9,
      [50] = 10, [60] = 10, [99] = 10 }) do
      pods("canary", 30, 30)
      assert.equal(count, patches(weight).canary.spec.replicas, weight)
      if count > 1 then assert.is_true(100 * count <= weight * (10 + count), weight) end
    end
    pods("canary", 30, 30)
    assert.equal(10, patches(100).canary.spec.replicas)
  end)

  it("selects both arms only when the canary has no more pods than that", function()
    pods("canary", 10, 10)
    shift(20)
    assert.same({ NARROW, 2 }, { world.apex.spec.selector, world.canary.spec.replicas })
    pods("canary", 2, 3)
    look()
    assert.same(NARROW, world.apex.spec.selector)
    pods("canary", 2, 2)
    world.canary.metadata.generation = 2 -- its status is of before
    look()
    assert.same(NARROW, world.apex.spec.selector)
    world.canary.status.observedGeneration = 2
    look()
    assert.same(BOTH, world.apex.spec.selector)
    assert.same({}, replicas.prepare(canary, world))
  end)

  it("selects nobody of a canary without ready pods", function()
    pods("canary", 1, 0)
    shift(10)
    assert.same(NARROW, world.apex.spec.selector)
  end)

  it("selects the canary alone when it has all of the pods", function()
    pods("canary", 2, 2)
    shift(100)
    assert.same({ NARROW, 10 }, { world.apex.spec.selector, world.canary.spec.replicas })
    pods("canary", 10, 9)
    look()
    assert.same(NARROW, world.apex.spec.selector)
    pods("canary", 10, 10)
    look()
    assert.same(CANARY, world.apex.spec.selector)
  end)

  it("gives everything back to the primary by one write, whatever the canary is", function()
    pods("canary", 1, 1)
    shift(10)
    assert.same({ apex = { metadata = { annotations = { ["serin.dev/canary-weight"] = json.null } },
      spec = { selector = { app = "app-primary", ["app.example.com/name"] = json.null } } } }, patches(0))
    world.canary, canary.target.label, canary.target.label_value = nil, nil, nil
    shift(0)
    assert.same(NARROW, world.apex.spec.selector)
  end)

  it("does not start a canary that has no pods", function()
    pods("canary", 0, 0)
    assert.is_nil(patches(10).canary)
  end)

  it("tells what was asked for and what is reached", function()
    local function routes() return replicas.routes(canary, world) end
    assert.same({ primary = 100, canary = 0, mirrored = false, reached = 0 }, routes())
    pods("canary", 10, 10)
    shift(20)
    assert.same({ primary = 80, canary = 20, mirrored = false, reached = 0 }, routes())
    pods("canary", 2, 2)
    look()
    assert.same({ primary = 80, canary = 20, mirrored = false, reached = 17 }, routes())
    pods("primary", 10, 2)
    assert.equal(50, routes().reached)
    pods("canary", 2, 0)
    assert.equal(0, routes().reached)
  end)

  it("is waited for until it is so", function()
    local function accepted() return replicas.accepted(canary, world) end
    assert.is_true(accepted())
    pods("canary", 10, 10)
    shift(20)
    assert.same({ false, "Service app.demo selects the pods of primary, not yet of both; the canary has 10 pods, " ..
      "of 2 for 20%" }, { accepted() })
    pods("canary", 2, 2)
    look()
    assert.is_true(accepted())
    pods("primary", 20, 20)
    assert.is_false((accepted()))
  end)

  it("keeps what is its own of the Service the lifecycle repairs, and nothing without a weight", function()
    local want = { metadata = { annotations = { a = "b" } }, spec = { selector = NARROW, type = "ClusterIP" } }
    assert.equal(want, replicas.apex(canary, world.apex, want))
    pods("canary", 1, 1)
    shift(10)
    assert.same({ metadata = { annotations = { a = "b", ["serin.dev/canary-weight"] = "10" } },
      spec = { selector = BOTH, type = "ClusterIP" } }, replicas.apex(canary, world.apex, want))
    world.apex.spec.selector = { app = "elsewhere" }
    assert.same(NARROW, replicas.apex(canary, world.apex, want).spec.selector)
    world.apex.metadata.annotations["serin.dev/canary-weight"] = "much"
    assert.equal(want, replicas.apex(canary, world.apex, want))
  end)

  it("says whose pods are without the labels, and gives them nothing", function()
    local message = "Deployment %s.demo: spec.template.metadata.labels is without app.example.com/name=shop-web " ..
      "beside app, which spec.service.selector expects in both arms"
    pods("canary", 1, 1)
    shift(10)
    for _, name in ipairs({ "canary", "primary" }) do
      local whole = world
      world = object.copy(world)
      world[name].spec.template.metadata.labels["app.example.com/name"] = nil
      local told = message:format(world[name].metadata.name)
      assert.same({ nil, told }, { replicas.shift(canary, world, { primary = 80, canary = 20 }) })
      assert.same({ false, told }, { replicas.accepted(canary, world) })
      look()
      assert.same(NARROW, world.apex.spec.selector)
      world = whole
    end
  end)

  it("says what is missing", function()
    world.primary = nil
    assert.same({ nil, "Deployment app-primary.demo not found" }, { replicas.prepare(canary, world) })
  end)

  it("refuses kinds without a count, scalers, places, and arms without labels in common", function()
    local function refused(message, f)
      local other = object.copy(canary)
      f(other)
      assert.equal(message, replicas.unfit(other))
    end
    assert.is_nil(replicas.unfit(canary))
    refused("spec.targetRef.kind: expected Deployment with provider replicas, found DaemonSet",
      function(other) other.target.kind = "DaemonSet" end)
    refused("spec.autoscalerRef: expected none with provider replicas, since both would count the canary's pods, " ..
      "found ScaledObject app", function(other) other.scaler = { kind = "ScaledObject", name = "app" } end)
    refused("spec.service.trafficDistribution: expected none with provider replicas, since it prefers pods by their " ..
      "place, found PreferClose", function(other) other.service.traffic_distribution = "PreferClose" end)
    refused("spec.service.selector: expected labels that the pods of both arms have and no others, found none",
      function(other) other.service.selector = {} end)
  end)
end)
