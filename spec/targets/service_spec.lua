local json = require("json")
local merge = require("util.merge")
local service = require("targets.service")

local function object(spec, metadata)
  local out = {
    apiVersion = "v1", kind = "Service",
    metadata = { name = "app", namespace = "demo", labels = { team = "a" }, annotations = { note = "x" } },
    spec = { type = "ClusterIP", clusterIP = "10.0.0.1", clusterIPs = { "10.0.0.1" }, ipFamilies = { "IPv4" },
      ipFamilyPolicy = "SingleStack", selector = { app = "app" }, internalTrafficPolicy = "Cluster",
      ports = { { name = "http", port = 80, targetPort = 9898, protocol = "TCP" } } },
  }
  for key, value in pairs(spec or {}) do out.spec[key] = value ~= json.null and value or nil end
  for key, value in pairs(metadata or {}) do out.metadata[key] = value end
  return out
end

local OUTSIDE = { type = "LoadBalancer", externalTrafficPolicy = "Local", healthCheckNodePort = 31000,
  loadBalancerIP = "1.2.3.4", loadBalancerClass = "x", loadBalancerSourceRanges = { "10.0.0.0/8" },
  allocateLoadBalancerNodePorts = true, externalIPs = { "1.2.3.4" },
  ports = { { name = "http", port = 80, targetPort = 9898, protocol = "TCP", nodePort = 30080 } } }
local INSIDE = { type = "ClusterIP", selector = { app = "app" }, internalTrafficPolicy = "Cluster",
  ports = { { name = "http", port = 80, targetPort = 9898, protocol = "TCP" } } }
local EXTERNAL = { type = "ExternalName", externalName = "a.example.com", clusterIP = json.null,
  clusterIPs = json.null, ipFamilies = json.null, ipFamilyPolicy = json.null, internalTrafficPolicy = json.null,
  selector = json.null, ports = json.null }

--- A copy as the API server keeps it.
local function stored(copy)
  local out = merge.copy(copy)
  if out.spec.type == "ExternalName" then return out end
  out.spec.clusterIP = out.spec.clusterIP or "10.0.0.9"
  out.spec.clusterIPs = { out.spec.clusterIP }
  out.spec.ipFamilies, out.spec.ipFamilyPolicy = { "IPv4" }, "SingleStack"
  return out
end

describe("targets.service", function()
  it("copies what is said about the inside of the cluster, and nothing else", function()
    for _, copy in ipairs({ service.primary(object(OUTSIDE), {}), service.canary(object(OUTSIDE), {}) }) do
      assert.same(INSIDE, copy.spec)
    end
    assert.same(INSIDE, service.primary(object(), {}).spec)
  end)

  it("has one revision for one place to lead to, however that is reached from outside", function()
    local before = service.revision(object())
    assert.equal(before, service.revision(object(OUTSIDE)))
    assert.equal(before, service.revision(object({ clusterIP = "10.0.0.2" })))
    assert.not_equal(before, service.revision(object({ selector = { app = "two" } })))
    assert.not_equal(before, service.revision(object({ clusterIP = "None" })))
    assert.not_equal(before, service.revision(object({ ports = { { name = "http", port = 81 } } })))
  end)

  it("names copies after the target", function()
    assert.same({ apex = "web", primary = "app-primary", canary = "app-canary" },
      service.names({ names = { apex = "web" }, target = { name = "app" } }))
    assert.equal("app-primary", service.primary(object(), {}).metadata.name)
    assert.equal("app-canary", service.canary(object(), {}).metadata.name)
  end)

  it("copies labels and annotations but those of kubectl and Flux", function()
    local copy = service.primary(object(nil, {
      labels = { team = "a", ["kustomize.toolkit.fluxcd.io/name"] = "f" },
      annotations = { note = "x", ["kubectl.kubernetes.io/last-applied-configuration"] = "{}" } }), {})
    assert.same({ { team = "a" }, { note = "x" } }, { copy.metadata.labels, copy.metadata.annotations })
  end)

  it("takes the distribution of traffic from the Canary, else from the target", function()
    local near = object({ trafficDistribution = "PreferClose" })
    assert.equal("PreferClose", service.primary(near, {}).spec.trafficDistribution)
    assert.equal("PreferSameNode", service.primary(near, { distribution = "PreferSameNode" }).spec.trafficDistribution)
  end)

  it("keeps an address, and a headless Service without one", function()
    local live = stored(service.primary(object(), {}))
    assert.is_nil(service.promotion(object(), live, {}))
    assert.same({ spec = { selector = { app = "two" } } },
      service.promotion(object({ selector = { app = "two" } }), live, {}))
    local headless = object({ clusterIP = "None" })
    local copy = service.primary(headless, {})
    assert.equal("None", copy.spec.clusterIP)
    assert.is_nil(service.promotion(headless, stored(copy), {}))
  end)

  it("gives up its address where only a name is left, and gets one back", function()
    local live = stored(service.primary(object(), {}))
    local patch = service.promotion(object(EXTERNAL), live, {}).spec
    for _, key in ipairs({ "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "selector", "ports" }) do
      assert.equal(json.null, patch[key], key)
    end
    local back = service.promotion(object(), stored(service.primary(object(EXTERNAL), {})), {}).spec
    assert.same({ "ClusterIP", json.null }, { back.type, back.externalName })
    assert.is_nil(back.clusterIP)
    local name_only = stored(service.primary(object(EXTERNAL), {}))
    local headless = service.promotion(object({ clusterIP = "None" }), name_only, {})
    assert.equal("None", headless.spec.clusterIP)
  end)

  it("takes node ports and load balancers from copies that another controller made", function()
    local live = stored(service.primary(object(), {}))
    for key, value in pairs(OUTSIDE) do live.spec[key] = value end
    local patch = service.promotion(object(OUTSIDE), live, {}).spec
    assert.same({ "ClusterIP", json.null }, { patch.type, patch.externalTrafficPolicy })
    assert.same(INSIDE.ports, patch.ports)
    assert.is_nil(patch.clusterIP)
  end)

  it("says when a target got or lost its address, which no copy can follow", function()
    local primary = stored(service.primary(object(), {}))
    assert.is_nil(service.check(object()))
    assert.is_nil(service.check(object(), primary))
    assert.is_nil(service.check(object(EXTERNAL), primary))
    assert.equal("service app.demo: spec.clusterIP: expected an address as app-primary has it, which cannot be " ..
      "changed, found None: delete app-primary and app-canary, and they are made again",
      service.check(object({ clusterIP = "None" }), primary))
  end)
end)
