--- What goes over the wire, and the messages.

local json = require("json")
local nginx = require("routers.nginx")
local object = require("util.object")
local routing = require("spec.support.routing")

local OWN = "nginx.ingress.kubernetes.io/"
local ONE = "spec.analysis.match: expected one %s, all that Ingress NGINX can compare, found %s"

local function main(annotations)
  return {
    apiVersion = "networking.k8s.io/v1", kind = "Ingress",
    metadata = { name = "web", namespace = "demo", annotations = annotations },
    spec = { rules = json.array({ { http = { paths = json.array({
      { path = "/", pathType = "Prefix", backend = { service = { name = "app", port = { number = 80 } } } },
    }) } } }) },
  }
end

local function view(parts)
  parts = parts or {}
  parts.provider, parts.spec = "nginx", parts.spec or { ingressRef = { kind = "Ingress", name = "web" } }
  return routing.canary(parts)
end

describe("routers.nginx", function()
  local canary, world

  before_each(function()
    canary = view()
    world = { main = main() }
    world = routing.apply(world, assert(nginx.prepare(canary, world)))
  end)

  local function apply(patches) world = routing.apply(world, assert(patches)) end

  local function shift(weight)
    apply(nginx.shift(canary, world, { primary = 100 - weight, canary = weight }))
    return world.route.metadata.annotations
  end

  local function canary_annotations()
    local out = {}
    for key, value in pairs(world.route.metadata.annotations) do
      local name = key:match("^nginx%.ingress%.kubernetes%.io/(canary.*)$")
      if name then out[name] = value end
    end
    return out
  end

  it("begins with the canary at weight zero", function()
    assert.same({ canary = "true", ["canary-weight"] = "0" }, canary_annotations())
  end)

  it("names the total where the weight has decimals, and only then", function()
    assert.same({ "5", "10000" }, { shift(0.05)[OWN .. "canary-weight"], world.route.metadata.annotations[OWN ..
      "canary-weight-total"] })
    assert.same({ primary = 99.95, canary = 0.05, mirrored = false }, nginx.routes(canary, world))
    assert.same({}, nginx.prepare(canary, world))
    shift(10)
    assert.same({ canary = "true", ["canary-weight"] = "10" }, canary_annotations())
  end)

  it("sends one annotation for one weight", function()
    assert.same({ { key = "route", merge = { metadata = { annotations = { [OWN .. "canary-weight"] = "25" } } } } },
      nginx.shift(canary, world, { primary = 75, canary = 25 }))
  end)

  it("has the canary's Service where the user's Ingress has the apex", function()
    assert.equal("app-canary", world.route.spec.rules[1].http.paths[1].backend.service.name)
    assert.equal("app", world.main.spec.rules[1].http.paths[1].backend.service.name)
  end)

  it("takes over the user's annotations but for kubectl's and those of a canary", function()
    world = { main = main({ [OWN .. "canary-weight"] = "5", [OWN .. "canary-new"] = "",
      [OWN .. "rewrite-target"] = "/",
      ["kubectl.kubernetes.io/last-applied-configuration"] = "{}" }) }
    apply(nginx.prepare(canary, world))
    assert.same({
      [OWN .. "canary"] = "true", [OWN .. "canary-weight"] = "0", [OWN .. "rewrite-target"] = "/",
      ["helm.toolkit.fluxcd.io/driftDetection"] = "disabled", ["kustomize.toolkit.fluxcd.io/reconcile"] = "disabled",
    }, world.route.metadata.annotations)
  end)

  it("follows the user's Ingress", function()
    shift(30)
    world.main = main({ [OWN .. "proxy-body-size"] = "1m", ["kubernetes.io/ingress.class"] = "nginx" })
    world.main.metadata.labels = { team = "b" }
    world.main.spec.ingressClassName = "nginx"
    apply(nginx.prepare(canary, world))
    assert.equal("1m", world.route.metadata.annotations[OWN .. "proxy-body-size"])
    assert.same({ team = "b" }, world.route.metadata.labels)
    assert.equal("nginx", world.route.spec.ingressClassName)
    world.main = main()
    apply(nginx.prepare(canary, world))
    assert.is_nil(world.route.metadata.annotations[OWN .. "proxy-body-size"])
    assert.is_nil(world.route.metadata.annotations["kubernetes.io/ingress.class"])
    assert.is_nil(world.route.spec.ingressClassName)
    assert.same({ primary = 70, canary = 30, mirrored = false }, nginx.routes(canary, world))
  end)

  it("reads a weight of another total as a share, and writes shares of a hundred", function()
    local annotations = shift(0)
    annotations[OWN .. "canary-weight"], annotations[OWN .. "canary-weight-total"] = "250", "1000"
    assert.same({ primary = 75, canary = 25, mirrored = false }, nginx.routes(canary, world))
    apply(nginx.prepare(canary, world))
    assert.same({ canary = "true", ["canary-weight"] = "25" }, canary_annotations())
  end)

  it("takes a weight above the total for all, an absent one for none, a total of zero for a hundred", function()
    local annotations = shift(0)
    annotations[OWN .. "canary-weight"] = "101"
    assert.same({ primary = 0, canary = 100, mirrored = false }, nginx.routes(canary, world))
    annotations[OWN .. "canary-weight"], annotations[OWN .. "canary-weight-total"] = "40", "0"
    assert.same({ primary = 60, canary = 40, mirrored = false }, nginx.routes(canary, world))
    annotations[OWN .. "canary-weight"] = nil
    assert.same({ primary = 100, canary = 0, mirrored = false }, nginx.routes(canary, world))
  end)

  it("names a weight that is none", function()
    for _, text in ipairs({ "all", "", "-1", "1.5", "0x10" }) do
      world.route.metadata.annotations[OWN .. "canary-weight"] = text
      for _, f in ipairs({ nginx.routes, nginx.prepare }) do
        assert.same({ nil, "Ingress web-canary.demo: metadata.annotations[" .. OWN .. "canary-weight] is not a weight: "
          .. text }, { f(canary, world) })
      end
    end
  end)

  it("sends nothing to the canary while a deleted Canary's Ingress is still there", function()
    shift(60)
    apply(nginx.restore(canary, world))
    assert.same({ canary = "true", ["canary-weight"] = "0" }, canary_annotations())
  end)

  it("ends a match that is asked for no more", function()
    shift(20)
    world.route.metadata.annotations[OWN .. "canary-by-header"] = "x"
    apply(nginx.prepare(canary, world))
    assert.same({ canary = "true", ["canary-weight"] = "20" }, canary_annotations())
  end)

  describe("for A/B tests", function()
    local function matching(...)
      canary = view({ analysis = { iterations = 2, match = json.array({ ... }) } })
      return canary
    end

    local function header(name, matcher) return { headers = { [name] = matcher } } end

    local function refused(message, ...)
      matching(...)
      assert.same({ nil, message }, { nginx.prepare(canary, { main = main() }) })
    end

    it("writes the header's value, and the cookie's name", function()
      matching(header("x-user", { exact = "insider" }), header("cookie", { exact = "beta" }))
      shift(100)
      assert.same({ canary = "true", ["canary-weight"] = "0", ["canary-by-header"] = "x-user",
        ["canary-by-header-value"] = "insider", ["canary-by-cookie"] = "beta" }, canary_annotations())
    end)

    it("writes a pattern", function()
      matching(header("x-user", { regex = "in.*" }))
      shift(100)
      assert.same({ canary = "true", ["canary-weight"] = "0", ["canary-by-header"] = "x-user",
        ["canary-by-header-pattern"] = "in.*" }, canary_annotations())
    end)

    it("has no match without a share, nor with one that is not whole", function()
      matching(header("x-user", { exact = "insider" }))
      shift(100)
      assert.same({ canary = "true", ["canary-weight"] = "0" }, (shift(99) and canary_annotations()))
    end)

    it("follows a match that is edited meanwhile", function()
      matching(header("x-user", { exact = "insider" }))
      shift(100)
      matching(header("x-group", { regex = "b" }))
      apply(nginx.prepare(canary, world))
      assert.same({ canary = "true", ["canary-weight"] = "0", ["canary-by-header"] = "x-group",
        ["canary-by-header-pattern"] = "b" }, canary_annotations())
    end)

    it("keeps a weight that is live until the next step", function()
      shift(40)
      matching(header("x-user", { exact = "insider" }))
      assert.same({}, nginx.prepare(canary, world))
      assert.same({ primary = 60, canary = 40, mirrored = false }, nginx.routes(canary, world))
    end)

    it("refuses what the annotations cannot say", function()
      refused(ONE:format("header in each entry", "a and b"),
        { headers = { a = { exact = "1" }, b = { exact = "2" } } })
      refused(ONE:format("header beside the cookie", "two"),
        header("a", { exact = "1" }), header("b", { exact = "2" }))
      refused(ONE:format("cookie", "two"),
        header("cookie", { exact = "1" }), header("Cookie", { exact = "2" }))
      refused(ONE:format("cookie's exact name", "regex"),
        header("cookie", { regex = "a" }))
      refused("spec.analysis.match[0].headers.a: expected exact or regex, found prefix", header("a", { prefix = "x" }))
      refused("spec.analysis.match[0].headers.a: expected exact or regex, found none", header("a", {}))
      refused("spec.analysis.match[0].headers: expected a header, found none", { uri = { exact = "/" } })
    end)

    it("refuses to weigh requests that match", function()
      canary = view({ analysis = { match = { header("a", { exact = "1" }) } } })
      assert.same({ nil, "spec.analysis.iterations: expected 1 or more beside spec.analysis.match, " ..
        "since Ingress NGINX cannot weigh requests that match, found 0" }, { nginx.prepare(canary, world) })
    end)
  end)

  it("says when the Canary names no Ingress", function()
    canary = view({ spec = {} })
    assert.same({}, nginx.reads(canary))
    for _, f in ipairs({ nginx.prepare, nginx.routes, nginx.shift }) do
      assert.same({ nil, "ingress selector is empty" }, { f(canary, {}, { primary = 100, canary = 0 }) })
    end
  end)

  it("says when the user's Ingress does not lead to the apex", function()
    for _, spec in ipairs({ {}, { rules = json.array({ { host = "x" } }) },
      { defaultBackend = { service = { name = "other" } } },
      { rules = json.array({ { http = { paths = json.array({ { backend = { resource = { name = "app" } } } }) } } }) },
    }) do
      local seen = { main = main() }
      seen.main.spec = spec
      assert.same({ nil, "backend app not found in ingress web" }, { nginx.prepare(canary, seen) })
    end
  end)

  it("says when the second Ingress is not there", function()
    world.route = nil
    assert.same({ nil, "Ingress web-canary.demo not found" }, { nginx.routes(canary, world) })
    assert.same({ nil, "Ingress web-canary.demo not found" },
      { nginx.shift(canary, world, { primary = 100, canary = 0 }) })
  end)

  it("writes to no Ingress but the second", function()
    local patches = nginx.shift(canary, world, { primary = 50, canary = 50 })
    for _, made in ipairs({ patches, nginx.prepare(canary, { main = main() }), nginx.restore(canary, world) }) do
      for _, patch in ipairs(made) do assert.equal("route", patch.key) end
    end
    assert.same(main(), object.apply(world, patches).main)
  end)
end)
