--- What goes over the wire, and the messages.

local json = require("json")
local object = require("util.object")
local routing = require("spec.support.routing")
local skipper = require("routers.skipper")

local PREDICATE, WEIGHTS = "zalando.org/skipper-predicate", "zalando.org/backend-weights"

local function path(at, name)
  return { path = at, pathType = "Prefix", backend = { service = { name = name, port = { number = 80 } } } }
end

local function main(annotations)
  return {
    apiVersion = "networking.k8s.io/v1", kind = "Ingress",
    metadata = { name = "web", namespace = "demo", annotations = annotations },
    spec = { rules = json.array({
      { http = { paths = json.array({ path("/", "app"), path("/other", "other"), path("/v2", "app") }) } },
    }) },
  }
end

describe("routers.skipper", function()
  local canary, world

  local function begin(annotations)
    world = { main = main(annotations) }
    world = routing.apply(world, assert(skipper.prepare(canary, world)))
  end

  before_each(function()
    canary = routing.canary({ provider = "skipper", spec = { ingressRef = { kind = "Ingress", name = "web" } } })
    begin()
  end)

  local function apply(patches) world = routing.apply(world, assert(patches)) end

  local function shift(weight)
    apply(skipper.shift(canary, world, { primary = 100 - weight, canary = weight }))
    return world.route.metadata.annotations
  end

  it("is made switched off", function()
    local annotations = world.route.metadata.annotations
    assert.equal("False()", annotations[PREDICATE])
    assert.equal('{"app-canary":0,"app-primary":100}', annotations[WEIGHTS])
  end)

  it("is switched on by the first weight, and off by the last", function()
    assert.equal("Weight(100)", shift(1)[PREDICATE])
    assert.equal('{"app-canary":1,"app-primary":99}', world.route.metadata.annotations[WEIGHTS])
    assert.equal("Weight(100)", shift(100)[PREDICATE])
    assert.equal("False()", shift(0)[PREDICATE])
  end)

  it("sends only the annotations", function()
    assert.same({ { key = "route", merge = { metadata = { annotations = {
      [PREDICATE] = "Weight(100)", [WEIGHTS] = '{"app-canary":25,"app-primary":75}',
    } } } } }, skipper.shift(canary, world, { primary = 75, canary = 25 }))
  end)

  it("leads each path of the apex to both arms", function()
    assert.same({ path("/", "app-primary"), path("/other", "other"), path("/v2", "app-primary"),
      path("/", "app-canary"), path("/v2", "app-canary") }, world.route.spec.rules[1].http.paths)
  end)

  describe("the user's predicates", function()
    local function made(text)
      begin({ [PREDICATE] = text })
      return shift(10)[PREDICATE]
    end

    it("come after ours", function()
      assert.equal('Weight(100) && Method("GET") && True()', made(' Method("GET")&&True() '))
    end)

    it("lose those that are ours", function()
      assert.equal("Weight(100) && True()", made("Weight(100) && True() && False() &&"))
    end)

    it("keep what is in strings and patterns", function()
      for _, text in ipairs({ 'Header("A", "a&&b")', "Header(`A`, `a\\`)", 'Header("A", "\\"&&\\"")',
        "PathRegexp(/a&&b/)", "PathRegexp(/\\/&&b/)" }) do
        assert.equal("Weight(100) && " .. text .. " && True()", made(text .. "&&True()"))
      end
    end)
  end)

  it("keeps the user's weights of other backends", function()
    begin({ [WEIGHTS] = '{"other": 3, "app-canary": 50}' })
    assert.equal('{"app-canary":10,"app-primary":90,"other":3}', shift(10)[WEIGHTS])
    for _, text in ipairs({ "broken", "[1]", "3" }) do
      begin({ [WEIGHTS] = text })
      assert.equal('{"app-canary":10,"app-primary":90}', shift(10)[WEIGHTS])
    end
  end)

  it("follows the user's Ingress", function()
    shift(30)
    world.main = main({ ["zalando.org/skipper-filter"] = "x()", [PREDICATE] = "True()" })
    apply(skipper.prepare(canary, world))
    assert.equal("x()", world.route.metadata.annotations["zalando.org/skipper-filter"])
    assert.equal("Weight(100) && True()", world.route.metadata.annotations[PREDICATE])
    world.main = main()
    apply(skipper.prepare(canary, world))
    assert.is_nil(world.route.metadata.annotations["zalando.org/skipper-filter"])
    assert.same({ primary = 70, canary = 30, mirrored = false }, skipper.routes(canary, world))
  end)

  it("is switched off while a deleted Canary's Ingress is still there", function()
    shift(60)
    apply(skipper.restore(canary, world))
    assert.equal("False()", world.route.metadata.annotations[PREDICATE])
  end)

  it("reads weights of any sum as shares, an absent one as none", function()
    world.route.metadata.annotations[WEIGHTS] = '{"app-canary": 1, "app-primary": 3}'
    assert.same({ primary = 75, canary = 25, mirrored = false }, skipper.routes(canary, world))
    world.route.metadata.annotations[WEIGHTS] = '{"app-canary": 1}'
    assert.same({ primary = 0, canary = 100, mirrored = false }, skipper.routes(canary, world))
  end)

  it("names weights that are odd", function()
    local function refused(text, message)
      world.route.metadata.annotations[WEIGHTS] = text
      for _, f in ipairs({ skipper.routes, skipper.prepare }) do
        assert.same({ nil, "Ingress web-canary.demo: metadata.annotations[" .. WEIGHTS .. "]" .. message },
          { f(canary, world) })
      end
    end
    refused("broken", " is not an object")
    refused("[]", " is not an object")
    refused("3", " is not an object")
    refused('{"app-primary": "all"}', ".app-primary is not a weight: all")
    refused('{"app-primary": 1, "app-canary": -1}', ".app-canary is not a weight: -1")
  end)

  it("begins again where there are no weights", function()
    local annotations = shift(40)
    for _, text in ipairs({ false, "{}", '{"app-primary":0}' }) do
      annotations[WEIGHTS] = text or nil
      assert.is_nil((skipper.routes(canary, world)))
      local after = object.apply(world, assert(skipper.prepare(canary, world)))
      assert.same({ primary = 100, canary = 0, mirrored = false }, skipper.routes(canary, after))
    end
    annotations[WEIGHTS] = nil
    assert.same({ nil, "Ingress web-canary.demo: metadata.annotations[" .. WEIGHTS .. "] is missing" },
      { skipper.routes(canary, world) })
  end)

  it("says when the user's Ingress does not lead to the apex", function()
    local seen = { main = main() }
    seen.main.spec = { defaultBackend = { service = { name = "app" } } }
    assert.same({ nil, "backend app not found in ingress web" }, { skipper.prepare(canary, seen) })
  end)

  it("says when the Canary names no Ingress", function()
    canary = routing.canary({ provider = "skipper" })
    assert.same({}, skipper.reads(canary))
    for _, f in ipairs({ skipper.prepare, skipper.routes, skipper.shift }) do
      assert.same({ nil, "ingress selector is empty" }, { f(canary, {}, { primary = 100, canary = 0 }) })
    end
  end)

  it("says when the second Ingress is not there", function()
    world.route = nil
    assert.same({ nil, "Ingress web-canary.demo not found" }, { skipper.routes(canary, world) })
    assert.same({ nil, "Ingress web-canary.demo not found" },
      { skipper.shift(canary, world, { primary = 100, canary = 0 }) })
  end)

  it("writes to no Ingress but the second", function()
    local patches = skipper.shift(canary, world, { primary = 50, canary = 50 })
    for _, made in ipairs({ patches, skipper.prepare(canary, { main = main() }), skipper.restore(canary, world) }) do
      for _, patch in ipairs(made) do assert.equal("route", patch.key) end
    end
  end)
end)
