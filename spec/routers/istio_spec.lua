--- What goes over the wire, and the messages.

local istio = require("routers.istio")
local json = require("json")
local routing = require("spec.support.routing")

local ORIGINAL = "flagger.kubernetes.io/original-configuration"
local METADATA = "serin.dev/original-metadata"

describe("routers.istio", function()
  local function prepared(parts, seen)
    parts.provider = "istio"
    local canary = routing.canary(parts)
    return canary, routing.apply(seen or {}, assert(istio.prepare(canary, seen or {})))
  end

  local function shifted(canary, world, weight, mirrored)
    local routes = { primary = 100 - weight, canary = weight, mirrored = mirrored or false }
    return routing.apply(world, assert(istio.shift(canary, world, routes))).route.spec
  end

  describe("hosts and gateways", function()
    local function spec(service)
      local _, world = prepared({ service = service })
      return world.route.spec
    end

    it("adds the apex to the hosts", function()
      assert.same({ "a.example.com", "app" }, spec({ hosts = { "a.example.com" } }).hosts)
    end)

    it("adds nothing where the apex or every host is listed", function()
      assert.same({ "*" }, spec({ hosts = { "*" } }).hosts)
      assert.same({ "app", "b" }, spec({ hosts = { "app", "b" } }).hosts)
    end)

    it("uses the mesh where no gateway is given, and only there", function()
      assert.same({ "mesh" }, spec({}).gateways)
      assert.same({ "gw" }, spec({ gateways = { "gw" } }).gateways)
    end)

    it("has neither when delegated", function()
      assert.is_nil(spec({ delegation = true }).hosts)
      assert.is_nil(spec({ delegation = true }).gateways)
    end)

    it("refuses both with delegation", function()
      local canary = routing.canary({ provider = "istio", service = { delegation = true, hosts = { "a" } } })
      assert.same({ nil, "VirtualService app.demo cannot have hosts and gateways when delegation enabled" },
        { istio.prepare(canary, {}) })
    end)
  end)

  describe("ports of destinations", function()
    local function port(service)
      local _, world = prepared({ service = service })
      return world.route.spec.http[1].route[1].destination.port
    end

    it("are named for a gateway with port discovery", function()
      assert.same({ number = 80 }, port({ portDiscovery = true, gateways = { "gw", "mesh" } }))
    end)

    it("are named for a delegate with port discovery", function()
      assert.same({ number = 80 }, port({ portDiscovery = true, delegation = true }))
    end)

    it("are not named when the mesh comes first, none is given, or ports are not discovered", function()
      assert.is_nil(port({ portDiscovery = true, gateways = { "mesh", "gw" } }))
      assert.is_nil(port({ portDiscovery = true }))
      assert.is_nil(port({ gateways = { "gw" } }))
    end)
  end)

  describe("mirroring", function()
    it("copies to the canary's Service with the given share", function()
      local canary, world = prepared({ analysis = { mirror = true, mirrorWeight = 20 } })
      local rule = shifted(canary, world, 0, true).http[1]
      assert.same({ host = "app-canary" }, rule.mirror)
      assert.same({ value = 20 }, rule.mirrorPercentage)
    end)

    it("leaves the share to the mesh where none is given", function()
      local canary, world = prepared({ analysis = { mirror = true } })
      assert.is_nil(shifted(canary, world, 0, true).http[1].mirrorPercentage)
    end)

    it("is refused for tcp", function()
      local analysis = { mirror = true }
      local canary = routing.canary({ provider = "istio", service = { appProtocol = "tcp" }, analysis = analysis })
      assert.same({ nil, "VirtualService app.demo cannot mirror tcp traffic" }, { istio.prepare(canary, {}) })
    end)

    it("is refused by shift for tcp", function()
      local canary, world = prepared({ service = { appProtocol = "tcp" } })
      assert.same({ nil, "VirtualService app.demo cannot mirror tcp traffic" },
        { istio.shift(canary, world, { primary = 100, canary = 0, mirrored = true }) })
    end)
  end)

  describe("tcp", function()
    it("has the ports of the service's matches and no http", function()
      local canary, world = prepared({ service = { appProtocol = "TCP", match = { { port = 6379 } } } })
      local spec = shifted(canary, world, 10)
      assert.is_nil(spec.http)
      assert.same({ { match = { { port = 6379 } }, route = {
        { destination = { host = "app-primary" }, weight = 90 },
        { destination = { host = "app-canary" }, weight = 10 },
      } } }, spec.tcp)
    end)

    it("refuses header matches", function()
      local analysis = { iterations = 2, match = { { headers = { a = { exact = "b" } } } } }
      local canary = routing.canary({ provider = "istio", service = { appProtocol = "tcp" }, analysis = analysis })
      assert.same({ nil, "VirtualService app.demo cannot match headers of tcp traffic" }, { istio.prepare(canary, {}) })
    end)
  end)

  describe("A/B tests", function()
    local MATCH = {
      { headers = { a = { exact = "1" } } },
      { queryParams = { q = { exact = "2" } }, sourceLabels = { app = "x" } },
    }

    local function spec(service)
      local canary, world = prepared({ service = service, analysis = { iterations = 2, match = MATCH } })
      return shifted(canary, world, 100)
    end

    it("take the analysis' matches as they are where the service has none", function()
      assert.same(MATCH, spec({}).http[1].match)
    end)

    it("multiply them with the service's, replacing headers and keeping the rest", function()
      local match = { { uri = { prefix = "/a" }, headers = { z = { exact = "0" } } }, { uri = { exact = "/b" } } }
      assert.same({
        { uri = { prefix = "/a" }, headers = { a = { exact = "1" } } },
        { uri = { exact = "/b" }, headers = { a = { exact = "1" } } },
        { uri = { prefix = "/a" }, headers = { z = { exact = "0" } }, queryParams = { q = { exact = "2" } },
          sourceLabels = { app = "x" } },
        { uri = { exact = "/b" }, queryParams = { q = { exact = "2" } }, sourceLabels = { app = "x" } },
      }, spec({ match = match }).http[1].match)
    end)

    it("send the rest to the primary under the service's own matches and settings", function()
      local rest = spec({ match = { { uri = { prefix = "/a" } } }, timeout = "1s" }).http[2]
      assert.same({ { uri = { prefix = "/a" } } }, rest.match)
      assert.equal("1s", rest.timeout)
      assert.same({ { destination = { host = "app-primary" }, weight = 0 } }, rest.route)
    end)
  end)

  describe("session affinity", function()
    local SETTINGS = { sessionAffinity = { cookieName = "c", primaryCookieName = "p", maxAge = 60, path = "/" } }
    local STATUS = { sessionAffinityCookie = "c=abc", primarySessionAffinityCookie = "p=xyz" }

    local function rules(weight, parts)
      parts = parts or {}
      local canary, world = prepared({ service = parts.service, analysis = parts.analysis or SETTINGS,
        status = parts.status or STATUS })
      return shifted(canary, world, weight).http
    end

    local function weights(rule) return { rule.route[1].weight, rule.route[2].weight } end

    it("keeps a session on its arm and splits the rest", function()
      local all = rules(30)
      assert.same({ { 0, 100 }, { 100, 0 }, { 70, 30 } }, { weights(all[1]), weights(all[2]), weights(all[3]) })
    end)

    it("knows a session by its cookie", function()
      local all = rules(30)
      assert.same({ { headers = { Cookie = { regex = ".*c.*abc.*" } } } }, all[1].match)
      assert.same({ { headers = { Cookie = { regex = ".*p.*xyz.*" } } } }, all[2].match)
      assert.is_nil(all[3].match)
    end)

    it("narrows the service's matches instead of replacing them", function()
      local service = { match = { { uri = { prefix = "/a" }, headers = { h = { exact = "1" } } } } }
      assert.same({ { uri = { prefix = "/a" }, headers = { h = { exact = "1" }, Cookie = { regex = ".*c.*abc.*" } } } },
        rules(30, { service = service })[1].match)
    end)

    it("sets cookies on the weighted rule, the primary's for one interval", function()
      local route = rules(30)[3].route
      assert.equal("p=xyz; Max-Age=30; Path=/", route[1].headers.response.add["Set-Cookie"])
      assert.equal("c=abc; Max-Age=60; Path=/", route[2].headers.response.add["Set-Cookie"])
    end)

    it("does not let a cookie leak into the service's headers", function()
      local service = { headers = { response = { add = { a = "b" } } } }
      local status = { previousSessionAffinityCookie = "c=old" }
      local all = rules(0, { service = service, status = status })
      assert.same({ a = "b", ["Set-Cookie"] = "c=old; Max-Age=-1" }, all[1].headers.response.add)
      assert.same({ a = "b" }, all[2].headers.response.add)
    end)

    it("has no rule for a primary cookie that is not configured", function()
      local analysis = { sessionAffinity = { cookieName = "c" } }
      local all = rules(30, { analysis = analysis })
      assert.equal(2, #all)
      assert.is_nil(all[2].route[1].headers)
    end)

    it("makes browsers forget the cookie of the last run at weight zero", function()
      local all = rules(0, { status = { previousSessionAffinityCookie = "c=old" } })
      assert.same({ { headers = { Cookie = { regex = ".*c.*old.*" } } } }, all[1].match)
      assert.same({ 100, 0 }, weights(all[1]))
      assert.equal(2, #all)
    end)

    it("is one weighted rule at weight zero before the first run", function()
      assert.equal(1, #rules(0, { status = {} }))
    end)

    it("splits a cookie at its last equals sign and takes its name literally", function()
      local status = { sessionAffinityCookie = "a=b.c=abc" }
      assert.equal([[.*a\=b\.c.*abc.*]], rules(30, { status = status })[1].match[1].headers.Cookie.regex)
    end)
  end)

  describe("somebody's own VirtualService", function()
    local function own()
      return { route = {
        apiVersion = "networking.istio.io/v1beta1", kind = "VirtualService",
        metadata = { name = "app", namespace = "demo" },
        spec = { hosts = json.array({ "app" }), http = json.array({ { route = json.array({ { weight = 1 } }) } }) },
      } }
    end

    it("is taken over without an owner", function()
      local _, world = prepared({}, own())
      assert.is_nil(world.route.metadata.ownerReferences)
    end)

    it("is kept in an annotation that later drift leaves alone", function()
      local canary, world = prepared({}, own())
      local kept = world.route.metadata.annotations[ORIGINAL]
      assert.same(own().route.spec, json.decode(kept))
      world.route.spec.hosts = json.array({ "elsewhere" })
      world = routing.apply(world, assert(istio.prepare(canary, world)))
      assert.equal(kept, world.route.metadata.annotations[ORIGINAL])
    end)

    it("is restored from what kubectl applied last", function()
      local seen = own()
      local applied = json.encode({ spec = { hosts = json.array({ "newer" }) } })
      seen.route.metadata.annotations = { ["kubectl.kubernetes.io/last-applied-configuration"] = applied }
      local canary, world = prepared({}, seen)
      assert.is_nil(world.route.metadata.annotations[ORIGINAL])
      world = routing.apply(world, istio.restore(canary, world))
      assert.same({ hosts = { "newer" } }, world.route.spec)
    end)

    it("taken over by Flagger before is restored from Flagger's annotation", function()
      local canary, world = prepared({}, own())
      world.route.metadata.annotations[METADATA] = nil
      world = routing.apply(world, istio.restore(canary, world))
      assert.same(own().route.spec, world.route.spec)
      assert.is_nil(world.route.metadata.annotations[ORIGINAL])
    end)

    it("is left as it is where its record is damaged", function()
      local canary, world = prepared({}, own())
      world.route.metadata.annotations[ORIGINAL] = "{"
      local after = routing.apply(world, istio.restore(canary, world))
      assert.same(world.route.spec, after.route.spec)
    end)
  end)

  it("has no record for an object that goes with the canary", function()
    local canary, world = prepared({})
    world.route.spec.hosts = json.array({ "elsewhere" })
    world = routing.apply(world, assert(istio.prepare(canary, world)))
    assert.is_nil(world.route.metadata.annotations[ORIGINAL])
    assert.same({}, istio.restore(canary, world))
  end)

  it("sends only the http rules when shifting", function()
    local canary, world = prepared({})
    local patches = assert(istio.shift(canary, world, { primary = 90, canary = 10 }))
    assert.same({ { key = "route", merge = { spec = { http = { { route = {
      { destination = { host = "app-primary" }, weight = 90 },
      { destination = { host = "app-canary" }, weight = 10 },
    } } } } } } }, patches)
  end)

  it("names the field of an odd weight", function()
    local canary, world = prepared({})
    world.route.spec.http[1].route[2].weight = "x"
    assert.same({ nil, "VirtualService app.demo: spec.http[0].route[1].weight is not a weight: x" },
      { istio.routes(canary, world) })
  end)

  it("names rules that are no list", function()
    local canary, world = prepared({})
    world.route.spec.http = "x"
    assert.same({ nil, "VirtualService app.demo: spec.http is not a list" }, { istio.prepare(canary, world) })
  end)

  it("says when no rule is for the canary, and prepare starts over", function()
    local canary, world = prepared({})
    world.route.spec.http = json.array({ { route = json.array({ { destination = { host = "x" } } }) } })
    assert.same({ nil, "VirtualService app.demo does not contain routes for app-primary and app-canary" },
      { istio.routes(canary, world) })
    world = routing.apply(world, assert(istio.prepare(canary, world)))
    assert.same({ primary = 100, canary = 0, mirrored = false }, istio.routes(canary, world))
  end)
end)
