local world = require("sandbox.world")

local MANIFESTS = [[
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: demo}
spec:
  replicas: %d
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "podinfo:1"}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: demo}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 2, maxReplicas: 4}
]]

local function cluster(replicas, load)
  local w = world.new()
  w.load = load
  w:apply(MANIFESTS:format(replicas))
  w:advance(20)
  return w
end

local function replicas(w)
  return w:get("Deployment", "demo", "web").spec.replicas
end

local function condition(w, kind)
  for _, item in ipairs(w:get("hpa", "demo", "web").status.conditions) do
    if item.type == kind then return item.reason end
  end
end

describe("sandbox.autoscaler", function()
  it("raises its target to the least", function()
    assert.equal(2, replicas(cluster(1)))
  end)

  it("lowers its target to the most", function()
    assert.equal(4, replicas(cluster(9)))
  end)

  it("leaves a target within its bounds alone when nothing is measured", function()
    local w = cluster(3)
    assert.same({ 3, "FailedGetResourceMetric" }, { replicas(w), condition(w, "ScalingActive") })
  end)

  it("leaves a target at zero alone", function()
    local w = cluster(0)
    assert.same({ 0, "ScalingDisabled" }, { replicas(w), condition(w, "ScalingActive") })
  end)

  it("follows the load, rounded up, between its bounds", function()
    local demand = 2.1
    local w = cluster(2, function() return demand end)
    assert.equal(3, replicas(w))
    demand = 100
    w:advance(20)
    assert.equal(4, replicas(w))
  end)

  it("comes back to a target that somebody else scales", function()
    local w = cluster(3)
    w:patch("Deployment", "demo", "web", { spec = { replicas = 7 } })
    w:advance(20)
    assert.equal(4, replicas(w))
  end)

  it("follows a change of its bounds", function()
    local w = cluster(2)
    w:patch("hpa", "demo", "web", { spec = { minReplicas = 3 } })
    w:advance(20)
    assert.equal(3, replicas(w))
  end)

  it("does nothing for a target that is not there", function()
    local w = cluster(2)
    w:delete("Deployment", "demo", "web")
    w:patch("hpa", "demo", "web", { spec = { minReplicas = 3 } })
    assert.has_no.errors(function() w:advance(20) end)
  end)
end)
