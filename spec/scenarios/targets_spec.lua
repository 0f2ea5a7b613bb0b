--- Whole releases of each kind of target, on the embedded cluster (state-machine §7, §11); of a Knative Service in
--- knative_spec.lua.

local json = require("json")
local manifests = require("spec.support.manifests")
local scenario = require("spec.support.scenario")

local NULL = json.null
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

    it("that loses a pod for a moment, late in a long interval, is not rolled back", function()
      local run = initialised(kind, objects, { analysis = WEIGHTED:gsub("10s", "120s", 1) })
      set_image(run, kind, "podinfo:2")
      run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
      run:pass(100)
      for _, pod in ipairs(run.world.api:all("v1", "Pod", "demo")) do
        if pod.metadata.ownerReferences[1].name == "app" then
          run.world:delete("Pod", "demo", pod.metadata.name)
          break
        end
      end
      local texts
      run:wait(function()
        texts = table.concat(run:messages("demo"), "\n")
        return texts:find("canary " .. kind:lower() .. " app.demo not ready", 1, true) ~= nil
      end)
      run:wait_for_phase("demo", "app", "Succeeded", 900)
    end)

    it("that becomes another revision before it was ready has the whole deadline again", function()
      local run = initialised(kind, objects)
      run:pass(5)
      run.world:break_pods("demo", "app-*")
      set_image(run, kind, "podinfo:2")
      run:wait_for_phase("demo", "app", "Progressing")
      run:pass(45)
      set_image(run, kind, "podinfo:3")
      run:pass(5)
      local began = run.world.now
      run:wait_for_phase("demo", "app", "Failed")
      assert.is_true(run.world.now - began >= 50)
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

    it("that can no longer be released is given back all the same", function()
      local run = initialised(kind, objects, { analysis = WEIGHTED, spec = "  revertOnDeletion: true" })
      run:pass(5)
      run.driver.options.check = nil
      run.world:patch(kind, "demo", "app", { spec = { updateStrategy = { type = "OnDelete", rollingUpdate = NULL } } })
      run:pass(20)
      assert.equal("TargetUnfit", run:condition("demo", "app", "Stalled").reason)
      run.world:delete("Canary", "demo", "app")
      run:wait(function() return run.world:get("Canary", "demo", "app") == nil end, 400)
      run:pass(10)
      assert.is_true(pods(run, "app") > 0)
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
  it("with a scaler, which cannot count its pods, does not wait for pods that it never gets", function()
    local run = initialised("DaemonSet", DAEMONSET .. [[
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: app, namespace: demo}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: DaemonSet, name: app}, minReplicas: 1, maxReplicas: 9}
]], { spec = "  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: app}" })
    set_image(run, "DaemonSet", "podinfo:2")
    run:wait_for_phase("demo", "app", "Promoting")
    run:wait_for_phase("demo", "app", "Finalising", 30)
  end)

  it("is kept from all nodes by a selector that is no part of a revision", function()
    local run = initialised("DaemonSet", DAEMONSET)
    local spec = run.world:get("DaemonSet", "demo", "app").spec.template.spec
    assert.same({ ["flagger.app/scale-to-zero"] = "true" }, spec.nodeSelector)
    assert.is_nil(run.world:get("DaemonSet", "demo", "app-primary").spec.template.spec.nodeSelector)
  end)
end)

describe("a StatefulSet", function()
  it("has a primary with claims and a policy of its own", function()
    local run = initialised("StatefulSet", STATEFULSET)
    local primary = run.world:get("StatefulSet", "demo", "app-primary").spec
    assert.equal("Parallel", primary.podManagementPolicy)
    assert.same({ whenDeleted = "Delete", whenScaled = "Retain" }, primary.persistentVolumeClaimRetentionPolicy)
    assert.equal("data", primary.volumeClaimTemplates[1].metadata.name)
    assert.equal(2, primary.replicas)
    for _, name in ipairs({ "data-app-0", "data-app-primary-0", "data-app-primary-1" }) do
      assert.is_table(run.world:get("PersistentVolumeClaim", "demo", name), name)
    end
  end)

  it("has a headless Service that gives the primary's pods their names", function()
    local run = initialised("StatefulSet", STATEFULSET)
    assert.equal("app-primary-pods", run.world:get("StatefulSet", "demo", "app-primary").spec.serviceName)
    local service = run.world:get("Service", "demo", "app-primary-pods")
    assert.same({ "None", true, { app = "app-primary" } },
      { service.spec.clusterIP, service.spec.publishNotReadyAddresses, service.spec.selector })
    assert.equal("Canary", service.metadata.ownerReferences[1].kind)
    assert.not_equal("None", run.world:get("Service", "demo", "app-primary").spec.clusterIP)
  end)

  it("takes the primary's own Service for that where it is headless", function()
    local run = initialised("StatefulSet", STATEFULSET, { service = "port: 80, targetPort: http, headless: true" })
    assert.equal("app-primary", run.world:get("StatefulSet", "demo", "app-primary").spec.serviceName)
    assert.equal("None", run.world:get("Service", "demo", "app-primary").spec.clusterIP)
    assert.is_nil(run.world:get("Service", "demo", "app-primary-pods"))
  end)

  local function recreate(run, change)
    run.driver.options.check = nil
    local object = run.world:get("StatefulSet", "demo", "app")
    run.world:delete("StatefulSet", "demo", "app")
    object.metadata, object.status = { name = "app", namespace = "demo" }, nil
    change(object.spec)
    run.world:apply(object)
    run:pass(20)
  end

  it("that was made again with other fixed fields says which, and the primary stays as it is", function()
    local changes = {
      volumeClaimTemplates = function(spec) spec.volumeClaimTemplates[1].spec.resources.requests.storage = "2Gi" end,
      podManagementPolicy = function(spec) spec.podManagementPolicy = "OrderedReady" end,
    }
    for field, change in pairs(changes) do
      local run = initialised("StatefulSet", STATEFULSET)
      local before = run.world:get("StatefulSet", "demo", "app-primary").spec
      recreate(run, change)
      local message = run:condition("demo", "app", "Stalled").message
      assert.truthy(message:find(("spec.%s: expected that of app-primary"):format(field), 1, true), message)
      assert.same(before, run.world:get("StatefulSet", "demo", "app-primary").spec)
    end
  end)

  it("goes on when its primary was deleted and has been made again", function()
    local run = initialised("StatefulSet", STATEFULSET, { check = false })
    recreate(run, function(spec) spec.podManagementPolicy = "OrderedReady" end)
    run.world:delete("StatefulSet", "demo", "app-primary")
    run:pass(60)
    assert.is_nil(run:condition("demo", "app", "Stalled"))
    assert.equal("OrderedReady", run.world:get("StatefulSet", "demo", "app-primary").spec.podManagementPolicy)
  end)

  it("whose claims would go whenever it rests is refused in words, and not touched", function()
    local run = scenario.new()
    run.world:apply((STATEFULSET:gsub("whenScaled: Retain", "whenScaled: Delete")) .. canary("StatefulSet"))
    run:pass(10)
    assert.equal("statefulset app.demo: spec.persistentVolumeClaimRetentionPolicy.whenScaled: expected Retain, as " ..
      "the target has no pods between releases, found Delete", run:condition("demo", "app", "Stalled").message)
    assert.equal(2, run.world:get("StatefulSet", "demo", "app").spec.replicas)
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

describe("a Service", function()
  local SERVICE = [[
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: demo, labels: {team: a}}
spec: {selector: {app: one}, ports: [{name: http, port: 80, targetPort: 9898}]}
]] .. manifests.deployment("one") .. manifests.deployment("two") .. manifests.deployment("bad",
    { image = "podinfo:2-err50" })

  local function target()
    local text = canary("Service", { provider = "istio", analysis = WEIGHTED })
    return (text:gsub("apiVersion: apps/v1", "apiVersion: v1"))
  end

  it("is divided between two copies of it, and never written to", function()
    local run = scenario.new()
    run.world:apply(SERVICE)
    run.world:advance(5)
    run.world:apply(target())
    run:wait_for_phase("demo", "app", "Initialized", 20)
    local before = run.world:get("Service", "demo", "app")
    for _, name in ipairs({ "app-primary", "app-canary" }) do
      local copy = run.world:get("Service", "demo", name)
      assert.same({ app = "one" }, copy.spec.selector)
      assert.equal("a", copy.metadata.labels.team)
      assert.is_not.equal(before.spec.clusterIP, copy.spec.clusterIP)
    end
    run.world.prometheus.answer = function() return 100 end -- the queries are about a workload called as the target
    run.world:patch("Service", "demo", "app", { spec = { selector = { app = "two" } } })
    run:wait_for_phase("demo", "app", "Progressing")
    run:pass(2)
    assert.same({ app = "two" }, run.world:get("Service", "demo", "app-canary").spec.selector)
    assert.same({ app = "one" }, run.world:get("Service", "demo", "app-primary").spec.selector)
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.same({ app = "two" }, run.world:get("Service", "demo", "app-primary").spec.selector)
    assert.equal(0, run.world.traffic.lost)
    for _, call in ipairs(run.world.api.calls) do
      assert.is_false(call.write and call.ref.kind == "Service" and call.ref.name == "app")
    end
  end)

  it("is rolled back when what it leads to fails", function()
    local run = scenario.new()
    run.world:apply(SERVICE)
    run.world:advance(5)
    run.world:apply(target())
    run:wait_for_phase("demo", "app", "Initialized", 20)
    run.world.prometheus.answer = function() return 50 end
    run.world:patch("Service", "demo", "app", { spec = { selector = { app = "bad" } } })
    run:wait_for_phase("demo", "app", "Failed")
    run:pass(15)
    assert.same({ app = "one" }, run.world:get("Service", "demo", "app-primary").spec.selector)
  end)

  it("that is exposed has copies inside of the cluster only", function()
    local run = scenario.new({ check = false })
    run.world:apply((SERVICE:gsub("spec: {selector", "spec: {type: LoadBalancer, selector", 1)) .. target())
    run:wait_for_phase("demo", "app", "Initialized", 20)
    assert.equal("ClusterIP", run.world:get("Service", "demo", "app-primary").spec.type)
    assert.equal("ClusterIP", run.world:get("Service", "demo", "app-canary").spec.type)
  end)

  it("leaves a Service of the canary's name to another owner", function()
    local run = scenario.new({ check = false })
    run.world:apply(SERVICE)
    run.world:apply(([[
---
apiVersion: v1
kind: Service
metadata:
  name: app-canary
  namespace: demo
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: one, uid: %s, controller: true}]
spec: {ports: [{port: 1}]}
]]):format(run.world:get("Deployment", "demo", "one").metadata.uid) .. target())
    run:pass(10)
    assert.equal("Service app-canary.demo: expected to be free or this Canary's own, found it controlled by " ..
      "Deployment one", run:condition("demo", "app", "Stalled").message)
    assert.equal(1, run.world:get("Service", "demo", "app-canary").spec.ports[1].port)
  end)

  it("is as it was when its Canary is deleted", function()
    local run = scenario.new({ check = false })
    run.world:apply(SERVICE)
    local before = run.world:get("Service", "demo", "app")
    run.world:apply((target():gsub("\n$", "") .. "  revertOnDeletion: true\n"))
    run:wait_for_phase("demo", "app", "Initialized", 20)
    run.world:delete("Canary", "demo", "app")
    run:wait(function() return run.world:get("Canary", "demo", "app") == nil end, 60)
    run:pass(5)
    assert.same(before, run.world:get("Service", "demo", "app"))
    assert.is_nil(run.world:get("Service", "demo", "app-primary"))
    assert.is_nil(run.world:get("Service", "demo", "app-canary"))
  end)

  it("may be an ExternalName, and turn from one into the other", function()
    local run = scenario.new({ check = false })
    run.world:apply([[
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: demo}
spec: {type: ExternalName, externalName: a.example.com}
]] .. manifests.deployment("two") .. (target():gsub(", metrics: %b[]", "")))
    run:wait_for_phase("demo", "app", "Initialized", 20)
    assert.equal("a.example.com", run.world:get("Service", "demo", "app-primary").spec.externalName)
    run.world:patch("Service", "demo", "app", { spec = { externalName = "b.example.com" } })
    run:wait_for_phase("demo", "app", "Progressing")
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal("b.example.com", run.world:get("Service", "demo", "app-primary").spec.externalName)
  end)
end)
