--- What a Canary makes of its target's ports and configuration, and what happens when it is edited
--- (state-machine §10, §13, §16).

local begin = require("spec.support.begin")
local manifests = require("spec.support.manifests")
local scenario = require("spec.support.scenario")

local WEIGHTED = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25"

local function edit(run, spec)
  run.world:patch("Canary", "demo", "app", { spec = spec })
end

describe("editing a Canary", function()
  it("changes the interval from the next step on", function()
    local run = begin.progressing({ analysis = WEIGHTED })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    edit(run, { analysis = { interval = "40s" } })
    local at = run.world.now
    run:wait(function() return run:status("demo", "app").canaryWeight == 50 end)
    assert.is_true(run.world.now - at >= 35, run.world.now - at)
  end)

  it("changes threshold and checks from the next step on", function()
    local run = begin.progressing({ analysis = WEIGHTED })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    edit(run, { analysis = { threshold = 1,
      metrics = { { name = "request-success-rate", interval = "30s", thresholdRange = { min = 101 } } } } })
    run:wait_for_phase("demo", "app", "Failed", 30)
  end)

  it("makes new objects under a new service name and leaves the old ones", function()
    local run = begin.initialised({ analysis = WEIGHTED, check = false })
    edit(run, { service = { name = "web" } })
    run:wait(function() return run.world:get("Service", "demo", "web-primary") ~= nil end, 30)
    run:pass(5)
    assert.is_table(run.world:get("TraefikService", "demo", "web"))
    assert.is_table(run.world:get("Service", "demo", "app-primary"))
  end)

  it("makes a new primary for a new target and leaves the old one", function()
    local run = begin.initialised({ analysis = WEIGHTED, check = false })
    run.world:apply(manifests.deployment("other"))
    edit(run, { targetRef = { name = "other" } })
    run:wait(function() return run.world:get("Deployment", "demo", "other-primary") ~= nil end, 30)
    assert.is_table(run.world:get("Deployment", "demo", "app-primary"))
  end)

  it("to another provider begins there with all traffic on the primary", function()
    local run = begin.initialised({ analysis = WEIGHTED })
    edit(run, { provider = "istio" })
    run:wait(function() return run.world:get("VirtualService", "demo", "app") ~= nil end, 30)
    local route = run.world:get("VirtualService", "demo", "app").spec.http[1].route
    assert.same({ "app-primary", 100 }, { route[1].destination.host, route[1].weight })
    assert.is_table(run.world:get("TraefikService", "demo", "app"))
  end)

  it("into something that cannot be run stops its own run with words, and back lets it go on", function()
    local run = begin.progressing({ analysis = WEIGHTED })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    edit(run, { analysis = { stepWeight = 2.5 } })
    run:pass(30)
    assert.equal(25, run:status("demo", "app").canaryWeight)
    assert.equal("InvalidSpec", run:condition("demo", "app", "Stalled").reason)
    edit(run, { analysis = { stepWeight = 25 } })
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.is_nil(run:condition("demo", "app", "Stalled"))
  end)
end)

describe("the Services of a Canary", function()
  it("have the ports, kinds and marks that it asks for", function()
    local run = begin.initialised({ service = "port: 80, targetPort: http, portName: web, portDiscovery: true, " ..
      "headless: true, appProtocol: http, apex: {labels: {tier: a}, annotations: {note: x}}",
      deployment = { ports = "[{name: http, containerPort: 9898}, {name: grpc, containerPort: 9999}, " ..
        "{containerPort: 7000}]" } })
    for name, pods in pairs({ app = "app-primary", ["app-primary"] = "app-primary", ["app-canary"] = "app" }) do
      local service = run.world:get("Service", "demo", name)
      local ports = {}
      for index, port in ipairs(service.spec.ports) do ports[index] = ("%s %d"):format(port.name, port.port) end
      assert.same({ "web 80", "grpc 9999", "tcp-app-2 7000" }, ports)
      assert.same({ "None", "http", { app = pods } },
        { service.spec.clusterIP, service.spec.ports[1].appProtocol, service.spec.selector })
      assert.equal(name, service.metadata.labels.app)
      assert.equal("disabled", service.metadata.annotations["kustomize.toolkit.fluxcd.io/reconcile"])
    end
    local apex = run.world:get("Service", "demo", "app").metadata
    assert.same({ "a", "x" }, { apex.labels.tier, apex.annotations.note })
  end)

  it("get back what somebody changed, but for what is not managed", function()
    local run = begin.initialised({ service = "port: 80, unmanagedMetadata: {labels: [mine], annotations: [own]}" })
    run.world:patch("Service", "demo", "app-canary", { metadata = { labels = { mine = "1", stray = "2" },
      annotations = { own = "1" } }, spec = { selector = { app = "app", stray = "x" } } })
    run:pass(5)
    local service = run.world:get("Service", "demo", "app-canary")
    assert.same({ app = "app" }, service.spec.selector)
    assert.same({ "1", nil, "1" }, { service.metadata.labels.mine, service.metadata.labels.stray,
      service.metadata.annotations.own })
  end)
end)

describe("the configuration of a Canary", function()
  local CONFIGS = [[
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: used, namespace: demo}, data: {a: b}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: out, namespace: demo, annotations: {flagger.app/config-tracking: disabled}}
data: {a: b}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: demo}
type: kubernetes.io/service-account-token
data: {}
]]

  local function configured(name, from)
    return (manifests.deployment(name):gsub("name: app, image", "envFrom: [" .. from .. "], name: app, image"))
  end

  local ALL = "{configMapRef: {name: used}}, {configMapRef: {name: out}}, {secretRef: {name: key}}, " ..
    "{configMapRef: {name: maybe, optional: true}}"

  local function started(settings)
    local run = scenario.new({ settings = settings })
    run.world:apply(CONFIGS .. configured("app", ALL) .. manifests.canary("app", { analysis = WEIGHTED }))
    run:wait_for_phase("demo", "app", "Initialized")
    return run
  end

  it("is copied and followed, but for what opts out, is no user's Secret, or may be missing", function()
    local run = started()
    local names = {}
    for name in pairs(run:status("demo", "app").trackedConfigs) do names[#names + 1] = name end
    assert.same({ "configmap/used" }, names)
    local from = run.world:get("Deployment", "demo", "app-primary").spec.template.spec.containers[1].envFrom
    assert.same({ "used-primary", "out", "key", "maybe" }, { from[1].configMapRef.name, from[2].configMapRef.name,
      from[3].secretRef.name, from[4].configMapRef.name })
    run.world:patch("ConfigMap", "demo", "out", { data = { a = "c" } })
    run:pass(30)
    assert.equal("Initialized", run:status("demo", "app").phase)
  end)

  it("is neither copied nor followed without -enable-config-tracking", function()
    local run = started({ "-metrics-server=http://prometheus:9090", "-enable-config-tracking=false" })
    assert.is_nil(next(run:status("demo", "app").trackedConfigs or {}))
    assert.is_nil(run.world:get("ConfigMap", "demo", "used-primary"))
  end)

  it("that two Canaries share has one copy with two owners", function()
    local run = started()
    run.world:apply(configured("second", "{configMapRef: {name: used}}") ..
      manifests.canary("second", { analysis = WEIGHTED }))
    run:wait_for_phase("demo", "second", "Initialized")
    local owners = run.world:get("ConfigMap", "demo", "used-primary").metadata.ownerReferences
    local names = {}
    for _, owner in ipairs(owners) do names[owner.name] = true end
    assert.same({ app = true, second = true }, names)
  end)

  it("that is missing where it is needed stops the Canary with words, until it comes", function()
    local run = scenario.new()
    run.world:apply(configured("app", "{configMapRef: {name: needed}}") ..
      manifests.canary("app", { analysis = WEIGHTED }))
    run:pass(20)
    local message = run:condition("demo", "app", "Stalled").message
    assert.truthy(message:find("needed", 1, true), message)
    run.world:apply("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: needed, namespace: demo}, data: {a: b}}\n")
    run:wait_for_phase("demo", "app", "Initialized", 60)
  end)
end)
