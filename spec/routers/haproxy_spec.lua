--- What HAProxy's controller is given, the order in which it gets it, and the messages.

local haproxy = require("routers.haproxy")
local ingress = require("routing.ingress")
local object = require("util.object")
local routing = require("spec.support.routing")

local fixture = dofile("spec/fixtures/routers/haproxy.lua")

local REF = { ingressRef = { apiVersion = "networking.k8s.io/v1", kind = "Ingress", name = "web" } }
local ACL = "haproxy.org/route-acl"

local function canary_with(analysis)
  return routing.canary({ provider = "haproxy", spec = REF, analysis = analysis })
end

local function by(header)
  return { iterations = 2, match = { { headers = header } } }
end

local function seen(change)
  local out = object.copy(fixture.cases[1].seen())
  if change then change(out.main.spec, out) end
  return out
end

local function prepared(canary, world)
  return routing.apply(world, assert(haproxy.prepare(canary, world)))
end

local function acl(world) return world.service.metadata.annotations[ACL] end

describe("routers.haproxy", function()
  it("writes the condition before the Ingress without which it is not used, and takes it away after that", function()
    local canary = canary_with()
    local patches = haproxy.prepare(canary, seen())
    assert.same({ "service", "route" }, { patches[1].key, patches[2].key })
    local world = routing.apply(seen(), patches)
    patches = haproxy.restore(canary, world)
    assert.same({ "route", true, "service" }, { patches[1].key, patches[1].delete, patches[2].key })
  end)

  it("sends nobody to the canary at first, then a share, then all", function()
    local canary = canary_with()
    local world = prepared(canary, seen())
    assert.equal("rand(100) lt 0", acl(world))
    for weight, text in pairs({ [0.05] = "rand(10000) lt 5", [25] = "rand(100) lt 25", [100] = "rand(100) lt 100" }) do
      local routes = { primary = 100 - weight, canary = weight, mirrored = false }
      assert.equal(text, acl(routing.apply(world, assert(haproxy.shift(canary, world, routes)))))
    end
  end)

  it("leads the paths of the apex, and no others, to the canary", function()
    local world = prepared(canary_with(), seen())
    assert.same({ "web-canary", "haproxy", 1 },
      { world.route.metadata.name, world.route.spec.ingressClassName, #world.route.spec.rules })
    local paths = world.route.spec.rules[1].http.paths
    assert.same({ 1, "/api", "app-canary" }, { #paths, paths[1].path, paths[1].backend.service.name })
    assert.is_nil(world.route.metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"])
  end)

  it("draws once for each request: a path within another has no rule of its own", function()
    local world = prepared(canary_with(), fixture.cases[5].seen())
    local out = {}
    for _, rule in ipairs(world.route.spec.rules) do
      for _, path in ipairs(rule.http.paths) do out[#out + 1] = rule.host .. path.path end
    end
    assert.same({ "app.example.com/", "b.example.com/" }, out)
  end)

  for text, header in pairs({
    ["req.fhdr(x-user) -m str -- insider"] = { ["x-user"] = { exact = "insider" } },
    ["req.fhdr(x-user) -m beg -- in"] = { ["x-user"] = { prefix = "in" } },
    ["req.fhdr(x-user) -m end -- er"] = { ["x-user"] = { suffix = "er" } },
    ["req.fhdr(x-user) -m reg -- ^in(sider)?$"] = { ["x-user"] = { regex = "^in(sider)?$" } },
  }) do
    it("compares: " .. text, function()
      local canary = canary_with(by(header))
      local world = prepared(canary, seen())
      assert.equal("rand(100) lt 0", acl(world))
      local all = { primary = 0, canary = 100, mirrored = false }
      world = routing.apply(world, assert(haproxy.shift(canary, world, all)))
      assert.equal(text, acl(world))
      assert.same(all, haproxy.routes(canary, world))
    end)
  end

  local function refused(canary, world, message)
    local patches, said = haproxy.prepare(canary, world)
    assert.is_nil(patches)
    assert.equal(message, said)
  end

  it("refuses what would end the word in HAProxy's configuration", function()
    for value, found in pairs({ ["a b"] = "a b", ["a}"] = "a}", ["a\nb"] = "a\nb", ["a'b"] = "a'b", ["#a"] = "#a" }) do
      refused(canary_with(by({ ["x-user"] = { exact = value } })), seen(),
        "spec.analysis.match[0].headers.x-user: expected a text without blanks, quotes, backslashes, # and braces, " ..
        "which mean something in HAProxy's configuration, found " .. found)
    end
  end)

  it("refuses more than one comparison", function()
    refused(canary_with(by({ a = { exact = "1" }, b = { exact = "2" } })), seen(),
      "spec.analysis.match: expected one entry with one header, all that HAProxy's controller can compare, found " ..
      "a and b")
  end)

  it("refuses Ingresses of which no share can be taken, by field", function()
    local canary = canary_with()
    refused(canary, seen(function(spec) spec.defaultBackend = spec.rules[1].http.paths[1].backend end),
      "Ingress web.demo: spec.defaultBackend leads to app: expected paths that do, since HAProxy's controller gives " ..
      "a share of nothing else")
    refused(canary, seen(function(spec) spec.rules[1].host = "*.example.com" end),
      "Ingress web.demo: spec.rules[0].host: expected one that is written out, since a share is taken from all " ..
      "hosts that fit, found *.example.com")
    refused(canary, seen(function(spec) spec.rules[1].http.paths[2].path = "/api/other" end),
      "Ingress web.demo: spec.rules[0].http.paths[1].path: expected none below /api of app, whose share HAProxy's " ..
      "controller takes from all that begins with it, found /api/other")
    refused(canary, seen(function(spec) spec.rules[1].http.paths[1].backend.service.name = "x" end),
      "backend app not found in ingress web")
    refused(canary, seen(function(_, world) world.service = nil end), "Service app-canary.demo not found")
    refused(routing.canary({ provider = "haproxy" }), {}, ingress.NO_REFERENCE)
  end)

  it("does not take a condition of somebody else's for a share", function()
    local canary = canary_with()
    local world = prepared(canary, seen())
    world.service.metadata.annotations[ACL] = "rand(100) lt 300"
    local routes, message = haproxy.routes(canary, world)
    assert.is_nil(routes)
    assert.truthy(message:find("is not a share: rand(100) lt 300", 1, true), message)
    assert.equal("rand(100) lt 0", acl(prepared(canary, world)))
  end)
end)
