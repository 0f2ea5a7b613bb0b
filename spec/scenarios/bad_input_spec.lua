--- Whatever is wrong is told on the Canary, by condition and event, and touches no other canary.

local manifests = require("spec.support.manifests")
local scenario = require("spec.support.scenario")

describe("bad input", function()
  local run

  before_each(function()
    run = scenario.new()
    run.world:apply(manifests.deployment("good") .. manifests.canary("good"))
  end)

  local function told(reason, text)
    run:pass(120)
    local item = run:condition("demo", "odd", "Stalled")
    assert.truthy(item, "no Stalled condition")
    assert.equal(reason, item.reason)
    assert.equal("True", item.status)
    assert.truthy(item.message:find(text, 1, true), item.message)
    local events = 0
    for _, message in ipairs(run:messages("demo")) do
      if message == item.message then events = events + 1 end
    end
    assert.equal(1, events)
  end

  -- whatever is wrong with the other one: `good` takes a new revision through its release
  after_each(function()
    local target = run.world:get("Canary", "demo", "good").spec.targetRef.name
    run:wait(function() return run:status("demo", "good").lastPromotedSpec ~= nil end)
    run.world:set_image("demo", target, "podinfo:2")
    run:wait(function()
      local primary = run.world:get("Deployment", "demo", target .. "-primary")
      return run:status("demo", "good").phase == "Succeeded"
        and primary.spec.template.spec.containers[1].image == "podinfo:2"
    end)
  end)

  local function canary(change) run.world:apply(manifests.canary("odd", change)) end

  it("a missing target", function()
    canary()
    told("TargetMissing", 'deployment odd.demo get query error: deployments.apps "odd" not found')
  end)

  it("a kind of route with a provider that has none", function()
    run.world:apply(manifests.deployment("odd"))
    canary({ service = "port: 80, routeKind: GRPCRoute" })
    told("Unsupported", "spec.service.routeKind: expected a provider gatewayapi or linkerd beside it, found traefik")
  end)

  it("a kind of route that the provider does not make", function()
    run.world:apply(manifests.deployment("odd"))
    canary({ provider = "gatewayapi:v1", service = "port: 80, gatewayRefs: [{name: gw}], routeKind: TrafficSplit" })
    told("Unsupported", "spec.service.routeKind: expected HTTPRoute or GRPCRoute or TCPRoute with provider " ..
      "gatewayapi:v1, found TrafficSplit")
  end)

  it("a Service as the parent of a route, without its group", function()
    run.world:apply(manifests.deployment("odd"))
    canary({ provider = "gatewayapi:v1", service = "port: 80, gatewayRefs: [{kind: Service, name: odd}]" })
    told("Unsupported", "spec.service.gatewayRefs[0].group: expected core beside kind Service")
  end)

  it("a target that comes later solves its problem", function()
    canary()
    told("TargetMissing", "not found")
    run.world:apply(manifests.deployment("odd"))
    run:wait_for_phase("demo", "odd", "Initialized")
    assert.is_nil(run:condition("demo", "odd", "Stalled"))
  end)

  it("a selector whose label is not among the allowed ones", function()
    run.world:apply(manifests.deployment("odd", { label = "component" }))
    canary()
    told("TargetSelector", "spec.selector.matchLabels must contain one of [app name app.kubernetes.io/name]")
  end)

  it("an unknown provider, with the nearest known one", function()
    run.world:apply(manifests.deployment("odd"))
    canary({ provider = "traefk" })
    told("UnknownProvider", "found traefk (did you mean traefik?)")
  end)

  it("fractional step weights", function()
    run.world:apply(manifests.deployment("odd"))
    canary({ analysis = "interval: 10s, threshold: 3, stepWeight: 2.5" })
    told("InvalidSpec", "spec.analysis.stepWeight: expected an integer from 0 to 100, found 2.5")
  end)

  it("descending step weights", function()
    run.world:apply(manifests.deployment("odd"))
    canary({ analysis = "interval: 10s, threshold: 3, stepWeights: [20, 10]" })
    told("InvalidSpec", "spec.analysis.stepWeights[1]: expected a weight above 20, the one before, found 10")
  end)

  it("garbage for a threshold", function()
    run.world:apply(manifests.deployment("odd"))
    canary({ analysis = "interval: 10s, threshold: 3, stepWeight: 10, " ..
      "metrics: [{name: request-success-rate, thresholdRange: {min: high}}]" })
    told("InvalidSpec", "spec.analysis.metrics[0].thresholdRange.min: expected a number, found high")
  end)

  it("a target without the port that is named", function()
    run.world:apply(manifests.deployment("odd", { ports = "[]" }))
    canary()
    told("TargetPorts", "spec.service.targetPort: expected the name of a container port of odd.demo, found http")
  end)

  it("a target without ports to discover", function()
    run.world:apply(manifests.deployment("odd", { ports = "[]" }))
    canary({ service = "port: 80, portDiscovery: true" })
    told("TargetPorts", "spec.service.portDiscovery: expected container ports in odd.demo, found none")
  end)

  it("a Service owned by somebody else", function()
    run.world:apply(manifests.deployment("odd"))
    local owner = run.world:apply({ apiVersion = "v1", kind = "ConfigMap",
      metadata = { name = "them", namespace = "demo" } })[1]
    run.world:apply(([[
---
apiVersion: v1
kind: Service
metadata:
  name: odd-canary
  namespace: demo
  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: them, uid: "%s", controller: true}]
spec: {selector: {app: them}, ports: [{port: 80}]}
]]):format(owner.metadata.uid))
    canary()
    told("ServiceOwned", "found it controlled by ConfigMap them")
    assert.same({ app = "them" }, run.world:get("Service", "demo", "odd-canary").spec.selector)
  end)

  it("a route object of odd shape", function()
    run.world:apply(manifests.deployment("odd"))
    -- put in place without the CRD's schema, as an older CRD without one lets it in
    run.world:seed({ apiVersion = "traefik.io/v1alpha1", kind = "TraefikService",
      metadata = { name = "odd", namespace = "demo" }, spec = { weighted = { services = { name = "no list" } } } })
    canary({ provider = "traefik" })
    told("Route", "TraefikService odd.demo")
  end)

  it("two Canaries on one target: the older one keeps it", function()
    canary({ target = "good" })
    told("TargetTaken", "found Deployment good.demo managed by Canary good")
  end)

  it("the second of two Canaries takes the target when the first goes", function()
    canary({ target = "good", service = "name: odd, port: 80, targetPort: http" })
    told("TargetTaken", "managed by Canary good")
    run:wait_for_phase("demo", "good", "Initialized")
    run.world.api:delete({ apiVersion = "flagger.app/v1beta1", kind = "Canary", namespace = "demo", name = "good" })
    run:pass(60)
    assert.not_equal("TargetTaken", (run:condition("demo", "odd", "Stalled") or {}).reason)
    run.world:apply(manifests.deployment("good2") .. manifests.canary("good", { target = "good2" }))
  end)
end)
