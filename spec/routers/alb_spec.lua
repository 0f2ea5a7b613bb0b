--- What goes over the wire, and the messages.

local alb = require("routers.alb")
local json = require("json")
local object = require("util.object")
local routing = require("spec.support.routing")

local ACTION, BEFORE = "alb.ingress.kubernetes.io/actions.app", "serin.dev/original-action"

local function main(action)
  local backend = { service = { name = "app", port = { name = "use-annotation" } } }
  return {
    apiVersion = "networking.k8s.io/v1", kind = "Ingress",
    metadata = { name = "web", namespace = "demo", annotations = { [ACTION] = action } },
    spec = { rules = json.array({ { http = { paths = json.array({ { backend = backend } }) } } }) },
  }
end

describe("routers.alb", function()
  local canary, world

  local function begin(action)
    world = { main = main(action) }
    world = routing.apply(world, assert(alb.prepare(canary, world)))
  end

  before_each(function()
    canary = routing.canary({ provider = "alb", spec = { ingressRef = { kind = "Ingress", name = "web" } } })
    begin()
  end)

  local function apply(patches) world = routing.apply(world, assert(patches)) end

  local function shift(weight)
    apply(alb.shift(canary, world, { primary = 100 - weight, canary = weight }))
    return json.decode(world.main.metadata.annotations[ACTION])
  end

  local function group(name, weight)
    return { serviceName = name, servicePort = 80, weight = weight }
  end

  it("forwards to both arms, also to one without requests", function()
    assert.same({ type = "forward", forwardConfig = { targetGroups = {
      group("app-primary", 100), group("app-canary", 0),
    } } }, json.decode(world.main.metadata.annotations[ACTION]))
  end)

  it("writes one annotation of the user's Ingress for one weight, and nothing else", function()
    local patches = alb.shift(canary, world, { primary = 75, canary = 25 })
    assert.equal(1, #patches)
    assert.equal("main", patches[1].key)
    local text = patches[1].merge.metadata.annotations[ACTION]
    assert.same({ metadata = { annotations = { [ACTION] = text } } }, patches[1].merge)
    assert.same({ group("app-primary", 75), group("app-canary", 25) }, json.decode(text).forwardConfig.targetGroups)
  end)

  it("notes what the action was, once", function()
    begin('{"type":"redirect"}')
    shift(10)
    assert.equal('{"type":"redirect"}', world.main.metadata.annotations[BEFORE])
    apply(alb.restore(canary, world))
    assert.same(main('{"type":"redirect"}'), world.main)
  end)

  it("leaves no action behind where there was none", function()
    shift(10)
    world.main.metadata.annotations.mine = "x"
    apply(alb.restore(canary, world))
    assert.same({ mine = "x" }, world.main.metadata.annotations)
  end)

  it("keeps the stickiness and the order of the user's forward action, and none of another kind", function()
    begin('{"type":"forward","order":2,"targetGroupARN":"arn","forwardConfig":{"targetGroupStickinessConfig":{}}}')
    local action = shift(10)
    assert.same({ 2, {} }, { action.order, action.forwardConfig.targetGroupStickinessConfig })
    assert.is_nil(action.targetGroupARN)
    begin('{"type":"redirect","redirectConfig":{}}')
    assert.is_nil(shift(10).redirectConfig)
  end)

  it("leaves an action alone that says the same in other words", function()
    local annotations = world.main.metadata.annotations
    annotations[ACTION] = annotations[ACTION]:gsub(",", " , ")
    assert.same({}, (alb.prepare(canary, world)))
  end)

  it("reads weights of any sum as shares", function()
    local annotations = world.main.metadata.annotations
    annotations[ACTION] = annotations[ACTION]:gsub('"weight":0', '"weight":300'):gsub('"weight":100', '"weight":900')
    assert.same({ primary = 75, canary = 25, mirrored = false }, alb.routes(canary, world))
  end)

  it("names an action that is odd", function()
    local function refused(text, message)
      world.main.metadata.annotations[ACTION] = text
      for _, f in ipairs({ alb.routes, alb.prepare }) do
        assert.same({ nil, "Ingress web.demo: metadata.annotations[" .. ACTION .. "]" .. message },
          { f(canary, world) })
      end
    end
    local function groups(text) return '{"type":"forward","forwardConfig":{"targetGroups":' .. text .. "}}" end
    refused("broken", " is not an object")
    refused("[]", " is not an object")
    refused(groups("3"), ".forwardConfig.targetGroups is not a list")
    refused(groups("{}"), ".forwardConfig.targetGroups is not a list")
    refused(groups('["x",{"serviceName":"app-canary","weight":"all"}]'),
      ".forwardConfig.targetGroups[1].weight is not a weight: all")
    refused(groups('[{"serviceName":"app-primary","weight":-1}]'),
      ".forwardConfig.targetGroups[0].weight is not a weight: -1")
    refused(groups('[{"serviceName":"app-primary"}]'), ".forwardConfig.targetGroups[0].weight is not a weight: nil")
  end)

  it("says when the action does not lead to either arm", function()
    world = { main = main('{"type":"redirect"}') }
    assert.same({ nil, "Ingress web.demo does not contain routes for app-primary and app-canary" },
      { alb.routes(canary, world) })
  end)

  it("takes a default backend too", function()
    local seen = { main = main() }
    seen.main.spec = { defaultBackend = seen.main.spec.rules[1].http.paths[1].backend }
    assert.equal(1, #assert(alb.prepare(canary, seen)))
  end)

  it("says when the Ingress does not ask for the action", function()
    for _, spec in ipairs({ {}, { rules = json.array({ { host = "x" } }) }, { rules = json.array({ { http = {
      paths = json.array({ { backend = { service = { name = "app", port = { number = 80 } } } } }) } } }) } }) do
      local seen = { main = main() }
      seen.main.spec = spec
      assert.same({ nil, "backend app with port name use-annotation not found in ingress web" },
        { alb.prepare(canary, seen) })
    end
  end)

  it("says when the Canary names no Ingress", function()
    canary = routing.canary({ provider = "alb" })
    assert.same({}, alb.reads(canary))
    for _, f in ipairs({ alb.prepare, alb.routes, alb.shift }) do
      assert.same({ nil, "ingress selector is empty" }, { f(canary, {}, { primary = 100, canary = 0 }) })
    end
    assert.same({}, object.apply({}, alb.restore(canary, {})))
  end)
end)
