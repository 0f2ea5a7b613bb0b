--- What goes over the wire, and the messages.

local kong = require("routers.kong")
local object = require("util.object")
local routing = require("spec.support.routing")

local REFS = { { name = "kong", namespace = "kong" } }
local AB = { iterations = 2, match = { { headers = { ["x-user"] = { exact = "insider" } } } } }

local function canary_with(service, analysis)
  return routing.canary({ provider = "kong", analysis = analysis,
    service = object.merged({ gatewayRefs = REFS }, service or {}) })
end

describe("routers.kong", function()
  it("reads an HTTPRoute of the version that KIC serves", function()
    assert.same({ route = { apiVersion = "gateway.networking.k8s.io/v1", kind = "HTTPRoute", name = "app",
      namespace = "demo", optional = true } }, kong.reads(canary_with()))
  end)

  it("sends the weights of the backends", function()
    local canary = canary_with()
    local world = routing.apply({}, assert(kong.prepare(canary, {})))
    local patches = assert(kong.shift(canary, world, { primary = 75, canary = 25, mirrored = false }))
    assert.equal(1, #patches)
    local refs = patches[1].merge.spec.rules[1].backendRefs
    assert.same({ "app-primary", 75, "app-canary", 25 }, { refs[1].name, refs[1].weight, refs[2].name, refs[2].weight })
  end)

  it("puts the rule of those who match first: the metrics go by its place", function()
    local world = routing.apply({}, assert(kong.prepare(canary_with({}, AB), {})))
    local rules = world.route.spec.rules
    assert.equal("x-user", rules[1].matches[1].headers[1].name)
    assert.equal(1, #rules[2].backendRefs)
  end)

  for field, service in pairs({
    ["spec.service.mirror"] = { mirror = { { backendRef = { name = "audit", port = 80 } } } },
    ["spec.service.corsPolicy"] = { corsPolicy = { allowOrigin = { "https://example.com" } } },
    ["spec.service.timeout"] = { timeout = "5s" },
  }) do
    it("refuses " .. field, function()
      local patches, message = kong.prepare(canary_with(service), {})
      assert.is_nil(patches)
      local said = field .. ": expected none with provider kong, whose controller does not obey it"
      assert.equal(1, (message:find(said, 1, true)), message)
    end)
  end

  it("refuses session affinity", function()
    assert.same({ nil,
      "spec.analysis.sessionAffinity: expected none with provider kong, whose controller does not obey it" },
      { kong.prepare(canary_with({}, { sessionAffinity = { cookieName = "x" } }), {}) })
  end)

  it("waits for KIC to take the newest route", function()
    local parents = { { parentRef = { name = "kong", namespace = "kong" }, conditions = {
      { type = "Accepted", status = "True", observedGeneration = 1 } } } }
    local route = { apiVersion = "gateway.networking.k8s.io/v1", kind = "HTTPRoute",
      metadata = { name = "app", namespace = "demo", generation = 2 },
      spec = { parentRefs = { { name = "kong", namespace = "kong" } } }, status = { parents = parents } }
    local accepted, why = kong.accepted(canary_with(), { route = route })
    assert.is_false(accepted)
    assert.truthy(why:find("parent kong is not ready", 1, true))
    parents[1].conditions[1].observedGeneration = 2
    assert.is_true(kong.accepted(canary_with(), { route = route }))
  end)
end)
