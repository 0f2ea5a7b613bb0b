--- What goes over the wire, and the messages.

local gatewayapi = require("routers.gatewayapi")
local json = require("json")
local object = require("util.object")
local routing = require("spec.support.routing")

local REFS = { { name = "gw" } }

describe("routers.gatewayapi", function()
  local function view(parts)
    parts.provider = parts.provider or "gatewayapi:v1"
    parts.service = parts.service or {}
    parts.service.gatewayRefs = parts.service.gatewayRefs or REFS
    return routing.canary(parts)
  end

  local function prepared(parts)
    local canary = view(parts)
    return canary, routing.apply({}, assert(gatewayapi.prepare(canary, {})))
  end

  local function rules(parts, weight, mirrored)
    local canary, world = prepared(parts)
    local routes = { primary = 100 - (weight or 0), canary = weight or 0, mirrored = mirrored or false }
    return routing.apply(world, assert(gatewayapi.shift(canary, world, routes))).route.spec.rules
  end

  local function matches(service) return rules({ service = service })[1].matches end
  local function filters(service, provider) return rules({ service = service, provider = provider })[1].filters end

  local function refused(parts, message)
    assert.same({ nil, message }, { gatewayapi.prepare(view(parts), {}) })
  end

  it("uses the version that the provider names", function()
    assert.equal("gateway.networking.k8s.io/v1", gatewayapi.reads(view({})).route.apiVersion)
    assert.equal("gateway.networking.k8s.io/v1beta1",
      gatewayapi.reads(view({ provider = "gatewayapi:v1beta1" })).route.apiVersion)
  end)

  it("needs gateways", function()
    refused({ service = { gatewayRefs = json.array() } },
      "GatewayRefs must be specified when using Gateway API as a provider.")
  end)

  it("writes the defaults of parents and backends itself", function()
    local _, world = prepared({})
    assert.same({ { group = "gateway.networking.k8s.io", kind = "Gateway", name = "gw" } }, world.route.spec.parentRefs)
    assert.same({ group = "", kind = "Service", name = "app-canary", port = 80, weight = 0 },
      world.route.spec.rules[1].backendRefs[2])
  end)

  it("has no host names where none are given", function()
    local _, world = prepared({})
    assert.is_nil(world.route.spec.hostnames)
  end)

  describe("matches", function()
    local ANY = { type = "PathPrefix", value = "/" }

    it("are any path where the service has none", function()
      assert.same({ { path = ANY } }, matches({}))
    end)

    it("map paths, the regular expression first", function()
      assert.same({ { path = { type = "RegularExpression", value = "/r" } } },
        matches({ match = { { uri = { regex = "/r", exact = "/e", prefix = "/p" } } } }))
      assert.same({ { path = { type = "Exact", value = "/e" } } },
        matches({ match = { { uri = { exact = "/e", prefix = "/p" } } } }))
    end)

    it("sort headers and parameters by name", function()
      local both = { b = { exact = "1" }, a = { regex = "2" }, c = { exact = "3" } }
      local sorted = {
        { name = "a", type = "RegularExpression", value = "2" },
        { name = "b", type = "Exact", value = "1" },
        { name = "c", type = "Exact", value = "3" },
      }
      assert.same({ { path = ANY, headers = sorted, queryParams = sorted } },
        matches({ match = { { headers = both, queryParams = both } } }))
    end)

    it("map exact methods", function()
      assert.same({ { path = ANY, method = "GET" } }, matches({ match = { { method = { exact = "GET" } } } }))
    end)

    it("drop entries of which nothing can be mapped", function()
      assert.same({ { path = ANY, method = "GET" } },
        matches({ match = { { sourceLabels = { a = "b" } }, { method = { exact = "GET" } } } }))
    end)

    it("name what cannot be mapped", function()
      refused({ service = { match = { { headers = { a = { prefix = "x" } } } } } },
        "Gateway API doesn't support the specified header matching selector: a")
      refused({ service = { match = { { queryParams = { q = { prefix = "x" } } } } } },
        "Gateway API doesn't support the specified query matching selector: q")
      refused({ service = { match = { { uri = { suffix = "x" } } } } },
        "Gateway API doesn't support the specified path matching selector")
      refused({ service = { match = { { method = { prefix = "x" } } } } },
        "Gateway API doesn't support the specified method matching selector")
    end)
  end)

  describe("filters", function()
    it("modify headers, sorted by name", function()
      local given = { add = { b = "2", a = "1" }, set = { d = "4", c = "3" }, remove = { "z", "y" } }
      local body = {
        add = { { name = "a", value = "1" }, { name = "b", value = "2" } },
        set = { { name = "c", value = "3" }, { name = "d", value = "4" } },
        remove = { "z", "y" },
      }
      assert.same({
        { type = "RequestHeaderModifier", requestHeaderModifier = body },
        { type = "ResponseHeaderModifier", responseHeaderModifier = body },
      }, filters({ headers = { request = given, response = given } }))
    end)

    it("rewrite the whole path, or its prefix on request", function()
      assert.same({ { type = "URLRewrite", urlRewrite = {
        hostname = "h", path = { type = "ReplaceFullPath", replaceFullPath = "/" },
      } } }, filters({ rewrite = { uri = "/", authority = "h" } }))
      assert.same({ { type = "URLRewrite", urlRewrite = {
        path = { type = "ReplacePrefixMatch", replacePrefixMatch = "/" },
      } } }, filters({ rewrite = { uri = "/", type = "ReplacePrefixMatch" } }))
    end)

    it("mirror where the service says", function()
      assert.same({ { type = "RequestMirror", requestMirror = {
        backendRef = { group = "", kind = "Service", name = "audit", port = 80 },
      } } }, filters({ mirror = { { backendRef = { name = "audit", port = 80 } } } }))
    end)

    it("map CORS with its age in seconds", function()
      assert.same({ { type = "CORS", cors = { allowOrigins = { "https://a" }, allowMethods = { "GET" },
        allowHeaders = { "h" }, exposeHeaders = { "e" }, allowCredentials = true, maxAge = 86400 } } },
        filters({ corsPolicy = { allowOrigin = { "https://a" }, allowMethods = { "GET" }, allowHeaders = { "h" },
          exposeHeaders = { "e" }, allowCredentials = true, maxAge = "24h" } }))
    end)

    it("write the default age of CORS where there is no usable one", function()
      for _, age in ipairs({ "soon", "10ms", "0s" }) do
        assert.same({ maxAge = 5 }, filters({ corsPolicy = { maxAge = age, allowCredentials = false } })[1].cors)
      end
    end)

    it("have no CORS in v1beta1", function()
      assert.is_nil(filters({ corsPolicy = { maxAge = "1h" } }, "gatewayapi:v1beta1"))
    end)
  end)

  it("sets timeouts in v1 only", function()
    local service = { timeout = "5s", backendTimeout = "2s" }
    assert.same({ request = "5s", backendRequest = "2s" }, rules({ service = service })[1].timeouts)
    assert.is_nil(rules({ service = service, provider = "gatewayapi:v1beta1" })[1].timeouts)
  end)

  describe("mirroring", function()
    it("copies to the canary's Service after the other filters, in any strategy", function()
      local service = { headers = { request = { remove = { "a" } } } }
      assert.same({ type = "RequestMirror", requestMirror = {
        backendRef = { group = "", kind = "Service", name = "app-canary", port = 80 },
      } }, rules({ service = service, analysis = { mirror = true } }, 0, true)[1].filters[2])
    end)

    it("is not taken from what the service mirrors to the canary itself", function()
      local canary, world = prepared({ service = { mirror = { { backendRef = { name = "app-canary", port = 80 } } } } })
      assert.is_false(gatewayapi.routes(canary, world).mirrored)
      world = routing.apply(world, gatewayapi.shift(canary, world, { primary = 100, canary = 0, mirrored = true }))
      assert.is_true(gatewayapi.routes(canary, world).mirrored)
    end)
  end)

  describe("A/B tests", function()
    local function test(match, service)
      return { service = service, analysis = { iterations = 2, match = match } }
    end

    it("send the rest to the primary with weight 100", function()
      local all = rules(test({ { headers = { a = { exact = "1" } } } }), 100)
      local primary = { group = "", kind = "Service", name = "app-primary", port = 80, weight = 100 }
      assert.same({ primary }, all[2].backendRefs)
      assert.same({ { path = { type = "PathPrefix", value = "/" } } }, all[2].matches)
    end)

    it("multiply matches, replacing headers and keeping paths", function()
      local match = { { uri = { exact = "/a" }, headers = { z = { exact = "0" } } }, { uri = { exact = "/b" } } }
      local all = rules(test({ { headers = { a = { exact = "1" } } } }, { match = match }), 100)
      local headers = { { name = "a", type = "Exact", value = "1" } }
      assert.same({
        { path = { type = "Exact", value = "/a" }, headers = headers },
        { path = { type = "Exact", value = "/b" }, headers = headers },
      }, all[1].matches)
    end)

    it("refuse a match that would let everybody in", function()
      refused(test({ { sourceLabels = { a = "b" } } }),
        "spec.analysis.match has an entry without headers and queryParams, which would match all requests")
    end)

    it("name what cannot be mapped", function()
      refused(test({ { headers = { a = { suffix = "x" } } } }),
        "Gateway API doesn't support the specified header matching selector: a")
    end)
  end)

  describe("session affinity", function()
    local SETTINGS = { sessionAffinity = { cookieName = "c", primaryCookieName = "p", maxAge = 60 } }
    local STATUS = { sessionAffinityCookie = "c=abc", primarySessionAffinityCookie = "p=xyz" }

    local function sticky(weight, status, service)
      return rules({ service = service, analysis = SETTINGS, status = status or STATUS }, weight)
    end

    local function weights(rule) return { rule.backendRefs[1].weight, rule.backendRefs[2].weight } end

    it("keeps a session on its arm and splits the rest", function()
      local all = sticky(30)
      assert.same({ { 0, 100 }, { 100, 0 }, { 70, 30 } }, { weights(all[1]), weights(all[2]), weights(all[3]) })
    end)

    it("knows a session by its cookie, among sorted headers", function()
      local service = { match = { { headers = { z = { exact = "1" }, A = { exact = "2" } } } } }
      assert.same({ { path = { type = "PathPrefix", value = "/" }, headers = {
        { name = "A", type = "Exact", value = "2" },
        { name = "Cookie", type = "RegularExpression", value = ".*c.*abc.*" },
        { name = "z", type = "Exact", value = "1" },
      } } }, sticky(30, nil, service)[1].matches)
    end)

    it("sets cookies at the backends of the weighted rule only", function()
      local all = sticky(30)
      local function text(ref) return ref.filters[1].responseHeaderModifier.add[1].value end
      assert.equal("p=xyz; Max-Age=30", text(all[3].backendRefs[1]))
      assert.equal("c=abc; Max-Age=60", text(all[3].backendRefs[2]))
      assert.is_nil(all[1].backendRefs[2].filters)
    end)

    it("has one header modifier in the rule that makes browsers forget", function()
      local service = { headers = { response = { add = { a = "b" } } } }
      local all = sticky(0, { previousSessionAffinityCookie = "c=old" }, service)
      assert.same({ { type = "ResponseHeaderModifier", responseHeaderModifier = { add = {
        { name = "a", value = "b" }, { name = "Set-Cookie", value = "c=old; Max-Age=-1" },
      } } } }, all[1].filters)
      assert.same({ { name = "a", value = "b" } }, all[2].filters[1].responseHeaderModifier.add)
    end)
  end)

  describe("waiting for the gateways", function()
    local canary, world

    before_each(function()
      canary, world = prepared({})
      world.route.metadata.generation = 3
    end)

    local function report(status, observed, ref)
      world.route.status = { parents = json.array({ {
        parentRef = ref or { group = "gateway.networking.k8s.io", kind = "Gateway", name = "gw" },
        conditions = json.array({ { type = "ResolvedRefs", status = "False", observedGeneration = 1 },
          { type = "Accepted", status = status, observedGeneration = observed } }),
      } }) }
    end

    local function waits(told)
      assert.same({ false, "HTTPRoute app.demo parent gw is not ready (" .. told .. ", current generation: 3)" },
        { gatewayapi.accepted(canary, world) })
    end

    local function add(condition)
      local items = world.route.status.parents[1].conditions
      items[#items + 1] = condition
    end

    it("does not begin before one reports", function()
      assert.is_true(gatewayapi.accepted(canary, world))
      world.route.status = { parents = json.array() }
      assert.is_true(gatewayapi.accepted(canary, world))
    end)

    it("ends with the newest generation accepted", function()
      report("True", 3)
      assert.is_true(gatewayapi.accepted(canary, world))
    end)

    it("goes on while an older generation is accepted, and the weights are read all the same", function()
      report("True", 2)
      waits("status: True, observed generation: 2")
      assert.same({ primary = 100, canary = 0, mirrored = false }, gatewayapi.routes(canary, world))
    end)

    it("goes on while the newest generation is refused", function()
      report("False", 3)
      waits("status: False, observed generation: 3")
    end)

    it("goes on while a gateway that tells of it has not programmed it", function()
      report("True", 3)
      add({ type = "Programmed", status = "Unknown", observedGeneration = 3 })
      waits("Programmed: Unknown, observed generation: 3")
    end)

    it("goes on while a Service of the newest generation is not found", function()
      report("True", 3)
      world.route.status.parents[1].conditions[1].observedGeneration = 3
      waits("ResolvedRefs: False, observed generation: 3")
    end)

    it("knows the gateway with and without defaults, and by either name of the core group", function()
      report("True", 2, { name = "gw" })
      waits("status: True, observed generation: 2")
      report("True", 2, { name = "gw", namespace = "demo" })
      waits("status: True, observed generation: 2")
      world.route.spec.parentRefs = json.array({ { group = "core", kind = "Service", name = "gw" } })
      report("True", 2, { group = "", kind = "Service", name = "gw" })
      waits("status: True, observed generation: 2")
    end)

    it("does not concern other parents", function()
      report("False", 1, { name = "gw", sectionName = "other" })
      assert.is_true(gatewayapi.accepted(canary, world))
    end)

    it("takes a status of any shape", function()
      for _, status in ipairs({ { parents = 3 }, { parents = json.array({ 3 }) },
        { parents = json.array({ { parentRef = { name = "gw" }, conditions = 3 } }) },
        { parents = json.array({ { parentRef = { name = "gw" }, conditions = json.array({ "x", {} }) } }) } }) do
        world.route.status = status
        assert.is_true(gatewayapi.accepted(canary, world))
      end
    end)

    it("does not keep prepare from repairing, at the live weights", function()
      world = routing.apply(world, gatewayapi.shift(canary, world, { primary = 60, canary = 40 }))
      report("True", 2)
      world.route.spec.hostnames = json.array({ "elsewhere" })
      local patches = assert(gatewayapi.prepare(canary, world))
      assert.same({ { key = "route", merge = { spec = { hostnames = json.null } } } }, patches)
    end)

    it("is not done in v1beta1", function()
      canary = view({ provider = "gatewayapi:v1beta1" })
      report("False", 1)
      assert.is_true(gatewayapi.accepted(canary, world))
    end)
  end)

  it("names the field of an odd weight", function()
    local canary, world = prepared({})
    world.route.spec.rules[1].backendRefs[2].weight = 1.5
    assert.same({ nil, "HTTPRoute app.demo: spec.rules[0].backendRefs[1].weight is not a weight: 1.5" },
      { gatewayapi.routes(canary, world) })
  end)

  it("says when no rule is for the canary, and prepare starts over", function()
    local canary, world = prepared({})
    world.route.spec.rules = json.array()
    assert.same({ nil, "HTTPRoute app.demo does not contain routes for app-primary and app-canary" },
      { gatewayapi.routes(canary, world) })
    world = routing.apply(world, assert(gatewayapi.prepare(canary, world)))
    assert.same({ primary = 100, canary = 0, mirrored = false }, gatewayapi.routes(canary, world))
  end)

  describe("of calls", function()
    local function grpc(service, more)
      service.routeKind = "GRPCRoute"
      return object.merged({ service = service }, more or {})
    end

    it("is a GRPCRoute", function()
      assert.same({ apiVersion = "gateway.networking.k8s.io/v1", kind = "GRPCRoute", name = "app", namespace = "demo",
        optional = true }, gatewayapi.reads(view(grpc({}))).route)
      local _, world = prepared(grpc({ hosts = { "app.example.com" } }))
      assert.equal("GRPCRoute", world.route.kind)
      assert.same({ "app.example.com" }, world.route.spec.hostnames)
    end)

    it("takes any call where the service has no match", function()
      assert.same({ { backendRefs = {
        { group = "", kind = "Service", name = "app-primary", port = 80, weight = 70 },
        { group = "", kind = "Service", name = "app-canary", port = 80, weight = 30 },
      } } }, rules(grpc({}), 30))
      assert.is_nil(rules(grpc({ match = { { uri = { prefix = "/" } } } }))[1].matches)
    end)

    it("reads service and method from the path, beside headers sorted by name", function()
      assert.same({
        { method = { type = "Exact", service = "a.v1.B", method = "C" } },
        { method = { type = "Exact", service = "a.v1.B" } },
        { headers = { { name = "x", type = "Exact", value = "1" },
          { name = "y", type = "RegularExpression", value = "2" } } },
      }, rules(grpc({ match = { { uri = { exact = "/a.v1.B/C" } }, { uri = { prefix = "/a.v1.B/" } },
        { headers = { y = { regex = "2" }, x = { exact = "1" } } } } }))[1].matches)
    end)

    it("has the calls that match within those of the service, and a rule for the rest", function()
      local made = rules(grpc({ match = { { uri = { prefix = "/a.B/" } } } }, { analysis = { iterations = 2,
        match = { { headers = { x = { exact = "1" } } } } } }), 100)
      local method = { type = "Exact", service = "a.B" }
      assert.same({ { method = method, headers = { { name = "x", type = "Exact", value = "1" } } } }, made[1].matches)
      assert.same({ { method = method } }, made[2].matches)
      assert.equal("app-primary", made[2].backendRefs[1].name)
      assert.is_nil(made[2].backendRefs[2])
    end)

    it("changes headers and mirrors, as HTTP does", function()
      assert.same({ { type = "RequestHeaderModifier", requestHeaderModifier = { remove = { "x" } } } },
        rules(grpc({ headers = { request = { remove = { "x" } } } }))[1].filters)
      assert.equal("RequestMirror", rules(grpc({}), 0, true)[1].filters[1].type)
    end)

    it("refuses paths that no call has", function()
      local URI = "spec.service.match[0].uri: expected exact /<service>/<method>, or prefix / or /<service>/, all " ..
        "that a GRPCRoute can compare, found "
      for found, uri in pairs({
        ["regex /a.B/.*"] = { regex = "/a.B/.*" }, ["prefix /a.B"] = { prefix = "/a.B" },
        ["exact /a.B"] = { exact = "/a.B" }, ["prefix /a..B/"] = { prefix = "/a..B/" },
        ["exact /a-b/C"] = { exact = "/a-b/C" }, ["exact /a.B/C/d"] = { exact = "/a.B/C/d" }, ["nothing"] = {},
      }) do
        refused(grpc({ match = { { uri = uri } } }), URI .. found)
      end
    end)

    it("refuses methods and parameters", function()
      refused(grpc({ match = { { method = { exact = "GET" } } } }), "spec.service.match[0].method: expected none " ..
        "for a GRPCRoute, since the uri names the method, found exact GET")
      refused(grpc({}, { analysis = { iterations = 1, match = { { queryParams = { a = { exact = "1" } } } } } }),
        "spec.analysis.match[0].queryParams: expected none for a GRPCRoute, found some")
    end)

    it("refuses what it has no place for", function()
      for field, value in pairs({ timeout = "5s", backendTimeout = "5s", rewrite = { uri = "/" },
        corsPolicy = { allowOrigin = { "x" } } }) do
        refused(grpc({ [field] = value }), ("spec.service.%s: expected none for a GRPCRoute, which has no place for it")
          :format(field))
      end
      refused(grpc({}, { analysis = { sessionAffinity = { cookieName = "a" } } }),
        "spec.analysis.sessionAffinity: expected none for a GRPCRoute, which has no place for it")
    end)

    it("is not in v1beta1", function()
      refused(grpc({}, { provider = "gatewayapi:v1beta1" }),
        "spec.service.routeKind: expected HTTPRoute with provider gatewayapi:v1beta1, found GRPCRoute")
    end)
  end)

  describe("of connections", function()
    local function tcp(service, analysis)
      service.routeKind = "TCPRoute"
      return { service = service, analysis = analysis }
    end

    it("is a TCPRoute of shares, and nothing else", function()
      assert.equal("gateway.networking.k8s.io/v1", gatewayapi.reads(view(tcp({}))).route.apiVersion)
      local _, world = prepared(tcp({}))
      assert.equal("TCPRoute", world.route.kind)
      assert.same({ parentRefs = { { group = "gateway.networking.k8s.io", kind = "Gateway", name = "gw" } },
        rules = { { backendRefs = {
          { group = "", kind = "Service", name = "app-primary", port = 80, weight = 100 },
          { group = "", kind = "Service", name = "app-canary", port = 80, weight = 0 },
        } } } }, world.route.spec)
    end)

    it("is of an older version where the provider says so, which makes nothing else", function()
      local parts = tcp({})
      parts.provider = "gatewayapi:v1alpha2"
      assert.same({ "gateway.networking.k8s.io/v1alpha2", "TCPRoute" },
        { gatewayapi.reads(view(parts)).route.apiVersion, select(2, prepared(parts)).route.kind })
      refused({ provider = "gatewayapi:v1alpha2", service = {} },
        "spec.service.routeKind: expected TCPRoute with provider gatewayapi:v1alpha2, found none")
    end)

    it("refuses what only requests have", function()
      local service = { hosts = { "a" }, match = { { uri = { prefix = "/" } } },
        headers = { request = { add = { a = "b" } } }, mirror = { { backendRef = { name = "a" } } } }
      for field, value in pairs(service) do
        refused(tcp({ [field] = value }), ("spec.service.%s: expected none for a TCPRoute, which has no place for it")
          :format(field))
      end
      refused(tcp({}, { mirror = true }),
        "spec.analysis.mirror: expected none for a TCPRoute, which has no place for it")
      refused(tcp({}, { iterations = 1, match = { { headers = { a = { exact = "b" } } } } }),
        "spec.analysis.match: expected none for a TCPRoute, which has no place for it")
    end)
  end)

  it("has the Service of the apex for a parent, as a mesh wants it", function()
    local ref = { name = "app", namespace = "demo", group = "core", kind = "Service", port = 80 }
    local _, world = prepared({ service = { gatewayRefs = { ref } } })
    assert.same({ ref }, world.route.spec.parentRefs)
  end)
end)
