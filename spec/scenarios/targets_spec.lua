--- Whole releases of each kind of target, on the embedded cluster (state-machine §7, §11).

local manifests = require("spec.support.manifests")
local scenario = require("spec.support.scenario")

local METRIC = "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"
local WEIGHTED = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25, " .. METRIC

local POD = [[
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: "podinfo:1", ports: [{name: http, containerPort: 9898}]}]}
]]

local DAEMONSET = [[
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: app, namespace: demo}
spec:
  selector: {matchLabels: {app: app}}
]] .. POD

local STATEFULSET = [[
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: app, namespace: demo}
spec:
  replicas: 2
  serviceName: app-pods
  podManagementPolicy: Parallel
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete, whenScaled: Retain}
  selector: {matchLabels: {app: app}}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
]] .. POD

local function canary(kind, change)
  return (manifests.canary("app", change):gsub("kind: Deployment", "kind: " .. kind))
end

local function initialised(kind, objects, change)
  local run = scenario.new(change and change.check == false and { check = false } or nil)
  change = change or {}
  change.analysis = change.analysis or WEIGHTED
  run.world:apply(objects .. canary(kind, change))
  run:wait_for_phase("demo", "app", "Initialized")
  return run
end

local function set_image(run, kind, image)
  local containers = run.world:get(kind, "demo", "app").spec.template.spec.containers
  containers[1].image = image
  run.world:patch(kind, "demo", "app", { spec = { template = { spec = { containers = containers } } } })
end

local function image(run, kind, name)
  return run.world:get(kind, "demo", name).spec.template.spec.containers[1].image
end

for kind, objects in pairs({ DaemonSet = DAEMONSET, StatefulSet = STATEFULSET }) do
  describe("a " .. kind, function()
    local function pods(run, name)
      local count = 0
      for _, pod in ipairs(run.world.api:all("v1", "Pod", "demo")) do
        local owner = pod.metadata.ownerReferences[1].name
        if owner == name then count = count + 1 end
      end
      return count
    end

    it("is promoted, without a request lost", function()
      local run = initialised(kind, objects)
      run:pass(5)
      assert.equal(0, pods(run, "app"))
      assert.is_true(pods(run, "app-primary") > 0)
      set_image(run, kind, "podinfo:2")
      run:wait_for_phase("demo", "app", "Succeeded")
      run:pass(15)
      assert.equal("podinfo:2", image(run, kind, "app-primary"))
      assert.equal(0, pods(run, "app"))
      assert.equal(0, run.world.traffic.lost)
      assert.same({ "Progressing 25 0", "Progressing 50 0", "Promoting 50 0", "Finalising 0 0", "Succeeded 0 0" },
        { table.unpack(run:steps("demo", "app"), 4) })
    end)

    it("is rolled back, its primary untouched", function()
      local run = initialised(kind, objects)
      run:pass(5)
      local before = run.world:get(kind, "demo", "app-primary")
      set_image(run, kind, "podinfo:2-err10")
      run:wait_for_phase("demo", "app", "Failed")
      run:pass(30)
      assert.same(before.spec, run.world:get(kind, "demo", "app-primary").spec)
      assert.equal(0, pods(run, "app"))
      assert.equal(0, run.world.traffic.lost)
    end)

    it("that never becomes ready is rolled back after the Canary's deadline", function()
      local run = initialised(kind, objects)
      run:pass(5)
      run.world:break_pods("demo", "app-*")
      set_image(run, kind, "podinfo:2")
      run:wait_for_phase("demo", "app", "Progressing")
      local began = run.world.now
      run:wait_for_phase("demo", "app", "Failed")
      assert.is_true(run.world.now - began >= 60)
      local texts = table.concat(run:messages("demo"), "\n")
      assert.truthy(texts:find(("exceeded its progressDeadlineSeconds: 60"), 1, true), texts)
    end)

    it("starts nothing of itself", function()
      local run = initialised(kind, objects)
      run:pass(120)
      assert.equal("Initialized", run:status("demo", "app").phase)
    end)

    it("is given back when its Canary is deleted", function()
      local run = scenario.new()
      run.world:apply(objects)
      local before = run.world:get(kind, "demo", "app").spec
      run.world:apply(canary(kind, { analysis = WEIGHTED, spec = "  revertOnDeletion: true" }))
      run:wait_for_phase("demo", "app", "Initialized")
      run:pass(5)
      run.driver.options.check = nil
      run.world:delete("Canary", "demo", "app")
      run:wait(function() return run.world:get("Canary", "demo", "app") == nil end, 400)
      run:pass(10)
      local after = run.world:get(kind, "demo", "app").spec
      if after.template.spec.nodeSelector and next(after.template.spec.nodeSelector) == nil then
        after.template.spec.nodeSelector = nil -- the API server keeps the empty map
      end
      assert.same(before, after)
      assert.is_nil(run.world:get(kind, "demo", "app-primary"))
    end)

    it("that replaces pods only when they are deleted is refused in words", function()
      local run = scenario.new()
      run.world:apply((objects:gsub("spec:\n", "spec:\n  updateStrategy: {type: OnDelete}\n", 1)) .. canary(kind))
      run:pass(10)
      assert.equal(("%s app.demo: spec.updateStrategy.type: expected RollingUpdate, found OnDelete"):format(
        kind:lower()), run:condition("demo", "app", "Stalled").message)
    end)
  end)
end

describe("a DaemonSet", function()
  it("is kept from all nodes by a selector that is no part of a revision", function()
    local run = initialised("DaemonSet", DAEMONSET)
    local spec = run.world:get("DaemonSet", "demo", "app").spec.template.spec
    assert.same({ ["flagger.app/scale-to-zero"] = "true" }, spec.nodeSelector)
    assert.is_nil(run.world:get("DaemonSet", "demo", "app-primary").spec.template.spec.nodeSelector)
  end)
end)

describe("a StatefulSet", function()
  it("has a primary with claims, ordinals and a Service of its own", function()
    local run = initialised("StatefulSet", STATEFULSET)
    local primary = run.world:get("StatefulSet", "demo", "app-primary").spec
    assert.equal("app-primary", primary.serviceName)
    assert.equal("Parallel", primary.podManagementPolicy)
    assert.same({ whenDeleted = "Delete", whenScaled = "Retain" }, primary.persistentVolumeClaimRetentionPolicy)
    assert.equal("data", primary.volumeClaimTemplates[1].metadata.name)
    assert.equal(2, primary.replicas)
  end)

  it("whose claims are no longer the primary's says what to do", function()
    local run = initialised("StatefulSet", STATEFULSET)
    run.driver.options.check = nil
    local object = run.world:get("StatefulSet", "demo", "app")
    run.world:delete("StatefulSet", "demo", "app")
    object.metadata = { name = "app", namespace = "demo" }
    object.spec.volumeClaimTemplates[1].spec.resources.requests.storage = "2Gi"
    object.status = nil
    run.world:apply(object)
    run:pass(20)
    local message = run:condition("demo", "app", "Stalled").message
    assert.truthy(message:find("spec.volumeClaimTemplates: expected those of app-primary", 1, true), message)
    assert.equal("1Gi", run.world:get("StatefulSet", "demo", "app-primary").spec.volumeClaimTemplates[1]
      .spec.resources.requests.storage)
  end)

  it("whose partition keeps old pods is refused in words", function()
    local run = scenario.new()
    run.world:apply((STATEFULSET:gsub("podManagementPolicy: Parallel",
      "updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}")) .. canary("StatefulSet"))
    run:pass(10)
    assert.equal("statefulset app.demo: spec.updateStrategy.rollingUpdate.partition: expected 0, so that all pods " ..
      "get the revision, found 1", run:condition("demo", "app", "Stalled").message)
  end)
end)

