local world = require("sandbox.world")

local TEMPLATE = [[
apiVersion: apps/v1
kind: %s
metadata: {name: web, namespace: demo}
spec:
  %s
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {%s}}
    spec: {containers: [{name: app, image: "podinfo:1"}]}
]]

local function cluster(spec, annotations, kind)
  local w = world.new()
  w:apply(TEMPLATE:format(kind or "Deployment", spec or "replicas: 2", annotations or ""))
  return w
end

local function status(w, kind)
  return w:get(kind or "Deployment", "demo", "web").status
end

local function condition(w, kind)
  for _, item in ipairs(status(w).conditions or {}) do
    if item.type == kind then return item end
  end
end

local function pods(w)
  return w.api:all("v1", "Pod", "demo")
end

local function images(w)
  local out = {}
  for index, pod in ipairs(pods(w)) do out[index] = pod.spec.containers[1].image end
  table.sort(out)
  return table.concat(out, " ")
end

--- Lets time pass in small steps; `look` is called at each.
local function watch(w, seconds, look)
  for _ = 1, seconds * 10 do
    w:advance(0.1)
    look()
  end
end

describe("a Deployment of the embedded cluster", function()
  it("is seen by its controller a moment after it was written", function()
    local w = cluster()
    assert.is_nil(status(w).observedGeneration)
    w:advance(0.2)
    assert.same({ 1, 2 }, { status(w).observedGeneration, #pods(w) })
  end)

  it("is available when its pods are ready", function()
    local w = cluster()
    w:advance(0.5)
    assert.same({ nil, "False" }, { status(w).readyReplicas, condition(w, "Available").status })
    w:advance(1)
    assert.same({ 2, 2, 2, "True" }, { status(w).readyReplicas, status(w).availableReplicas, status(w).updatedReplicas,
      condition(w, "Available").status })
  end)

  it("says when it is complete", function()
    local w = cluster()
    w:advance(2)
    assert.same({ "True", "NewReplicaSetAvailable" },
      { condition(w, "Progressing").status, condition(w, "Progressing").reason })
  end)

  it("has pods that it owns and that know their revision", function()
    local w = cluster()
    w:advance(1)
    local pod = pods(w)[1]
    assert.equal(w:get("Deployment", "demo", "web").metadata.uid, pod.metadata.ownerReferences[1].uid)
    assert.is_string(pod.metadata.labels["pod-template-hash"])
  end)

  it("numbers its revisions, and gives a new number to an old one that comes back", function()
    local w = cluster()
    local numbers = {}
    for index, image in ipairs({ "podinfo:1", "podinfo:2", "podinfo:1" }) do
      w:set_image("demo", "web", image)
      w:advance(10)
      numbers[index] = w:get("Deployment", "demo", "web").metadata.annotations["deployment.kubernetes.io/revision"]
    end
    assert.same({ "1", "2", "3" }, numbers)
  end)

  it("starts pods as fast as its template's annotation says", function()
    local w = cluster("replicas: 1", "sim/start-delay: 5s")
    w:advance(4)
    assert.is_nil(status(w).readyReplicas)
    w:advance(2)
    assert.equal(1, status(w).readyReplicas)
  end)

  it("never becomes ready when the annotation says so", function()
    local w = cluster("replicas: 1", 'sim/ready: "false"')
    w:advance(300)
    assert.is_nil(status(w).readyReplicas)
  end)

  it("rolls out without ever having too few pods that are available, or too many", function()
    local w = cluster("replicas: 4")
    w:advance(3)
    w:set_image("demo", "web", "podinfo:2")
    local fewest, most = 4, 4
    watch(w, 15, function()
      fewest, most = math.min(fewest, status(w).availableReplicas or 0), math.max(most, #pods(w))
    end)
    assert.same({ 3, 5, "podinfo:2 podinfo:2 podinfo:2 podinfo:2" }, { fewest, most, images(w) })
  end)

  it("replaces all at once when its strategy is to recreate", function()
    local w = cluster("replicas: 2\n  strategy: {type: Recreate}")
    w:advance(3)
    w:set_image("demo", "web", "podinfo:2")
    local together = false
    watch(w, 5, function() together = together or images(w):find("1.*2") ~= nil end)
    assert.same({ false, "podinfo:2 podinfo:2" }, { together, images(w) })
  end)

  it("keeps its old pods while a new revision does not become ready", function()
    local w = cluster("replicas: 2")
    w:advance(3)
    w:patch("Deployment", "demo", "web", { spec = { template = { metadata = {
      annotations = { ["sim/ready"] = "false" } } } } })
    w:advance(60)
    assert.equal(2, status(w).availableReplicas)
  end)

  it("waits for minReadySeconds before a pod counts as available", function()
    local w = cluster("replicas: 1\n  minReadySeconds: 10")
    w:advance(5)
    assert.same({ 1 }, { status(w).readyReplicas, status(w).availableReplicas })
    w:advance(10)
    assert.equal(1, status(w).availableReplicas)
  end)

  it("misses its deadline a moment after it has passed, and not before", function()
    local w = cluster("replicas: 1\n  progressDeadlineSeconds: 30", 'sim/ready: "false"')
    w:advance(29)
    assert.equal("True", condition(w, "Progressing").status)
    w:advance(4)
    assert.same({ "False", "ProgressDeadlineExceeded" },
      { condition(w, "Progressing").status, condition(w, "Progressing").reason })
  end)

  it("recovers from a missed deadline with a revision that starts", function()
    local w = cluster("replicas: 1\n  progressDeadlineSeconds: 10", 'sim/ready: "false"')
    w:advance(20)
    w:patch("Deployment", "demo", "web", { spec = { template = { metadata = {
      annotations = { ["sim/ready"] = "true" } } } } })
    w:advance(5)
    assert.equal("NewReplicaSetAvailable", condition(w, "Progressing").reason)
  end)

  it("that is paused keeps its revision but follows its scale", function()
    local w = cluster("replicas: 1")
    w:advance(3)
    w:patch("Deployment", "demo", "web", { spec = { paused = true, replicas = 3 } })
    w:set_image("demo", "web", "podinfo:2")
    w:advance(5)
    assert.equal("podinfo:1 podinfo:1 podinfo:1", images(w))
  end)

  it("goes to no pods and back", function()
    local w = cluster()
    w:advance(3)
    w:patch("Deployment", "demo", "web", { spec = { replicas = 0 } })
    w:advance(1)
    assert.same({ 0 }, { #pods(w), status(w).replicas })
    w:patch("Deployment", "demo", "web", { spec = { replicas = 2 } })
    w:advance(3)
    assert.equal(2, status(w).availableReplicas)
  end)

  it("replaces a pod that somebody deletes", function()
    local w = cluster("replicas: 1")
    w:advance(3)
    local first = pods(w)[1].metadata.name
    w:delete("Pod", "demo", first)
    w:advance(3)
    assert.equal(1, status(w).availableReplicas)
    assert.are_not.equal(first, pods(w)[1].metadata.name)
  end)

  it("takes its pods with it", function()
    local w = cluster()
    w:advance(3)
    w:delete("Deployment", "demo", "web")
    w:advance(3)
    assert.equal(0, #pods(w))
  end)
end)

describe("a DaemonSet of the embedded cluster", function()
  it("has a pod on every node", function()
    local w = cluster("", "", "DaemonSet")
    w:advance(5)
    local s = status(w, "DaemonSet")
    assert.same({ 3, 3, 3, 3 },
      { s.desiredNumberScheduled, s.numberReady, s.updatedNumberScheduled, s.numberAvailable })
  end)

  it("has none where its node selector fits no node", function()
    local w = cluster("", "", "DaemonSet")
    w:advance(5)
    w:patch("DaemonSet", "demo", "web", { spec = { template = { spec = { nodeSelector = { x = "y" } } } } })
    w:advance(5)
    assert.same({ 0, 0 }, { #pods(w), status(w, "DaemonSet").desiredNumberScheduled })
  end)

  it("replaces its pods one by one", function()
    local w = cluster("", "", "DaemonSet")
    w:advance(5)
    w:patch("DaemonSet", "demo", "web", { spec = { template = { metadata = { annotations = { a = "b" } } } } })
    local fewest = 3
    watch(w, 20, function() fewest = math.min(fewest, status(w, "DaemonSet").numberReady) end)
    assert.same({ 2, 3 }, { fewest, status(w, "DaemonSet").updatedNumberScheduled })
  end)
end)

describe("a DaemonSet's node selector", function()
  it("may name what every node has", function()
    local w = cluster("", "", "DaemonSet")
    w:patch("DaemonSet", "demo", "web",
      { spec = { template = { spec = { nodeSelector = { ["kubernetes.io/os"] = "linux" } } } } })
    w:advance(10)
    assert.equal(3, #pods(w))
  end)
end)

describe("a StatefulSet of the embedded cluster", function()
  it("names its pods by their ordinals", function()
    local w = cluster("replicas: 2", "", "StatefulSet")
    w:advance(5)
    assert.same({ "web-0", "web-1" }, { pods(w)[1].metadata.name, pods(w)[2].metadata.name })
    assert.equal(2, status(w, "StatefulSet").readyReplicas)
  end)

  it("says which revision is current and which one comes", function()
    local w = cluster("replicas: 2", "", "StatefulSet")
    w:advance(5)
    w:patch("StatefulSet", "demo", "web", { spec = { template = { metadata = { annotations = { a = "b" } } } } })
    w:advance(0.5)
    assert.are_not.equal(status(w, "StatefulSet").currentRevision, status(w, "StatefulSet").updateRevision)
    w:advance(10)
    assert.equal(status(w, "StatefulSet").currentRevision, status(w, "StatefulSet").updateRevision)
  end)

  local CLAIMS = [[
replicas: 3
  podManagementPolicy: %s
  persistentVolumeClaimRetentionPolicy: {whenScaled: %s, whenDeleted: Delete}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce]}}]
]]

  local function set(policy, when_scaled)
    local w = cluster(CLAIMS:format(policy or "OrderedReady", when_scaled or "Retain"), "", "StatefulSet")
    return w
  end

  local function names(w, kind)
    local out = {}
    for index, object in ipairs(w.api:all("v1", kind or "Pod", "demo")) do out[index] = object.metadata.name end
    return table.concat(out, " ")
  end

  local function scale(w, replicas)
    w:patch("StatefulSet", "demo", "web", { spec = { replicas = replicas } })
  end

  it("starts a pod when those before it are ready", function()
    local w = set()
    w:advance(0.5)
    assert.equal("web-0", names(w))
    w:advance(1.2)
    assert.equal("web-0 web-1", names(w))
    w:advance(5)
    assert.equal("web-0 web-1 web-2", names(w))
  end)

  it("starts and stops all at once when that is its policy", function()
    local w = set("Parallel")
    w:advance(0.5)
    assert.equal("web-0 web-1 web-2", names(w))
    scale(w, 0)
    w:advance(0.2)
    assert.equal("", names(w))
  end)

  it("stops the highest ordinal first", function()
    local w = set()
    w:advance(10)
    scale(w, 1)
    w:advance(0.15)
    assert.equal("web-0 web-1", names(w))
    w:advance(1)
    assert.equal("web-0", names(w))
  end)

  it("replaces pods from the highest ordinal down to its partition", function()
    local w = set()
    w:advance(10)
    w:patch("StatefulSet", "demo", "web", { spec = { updateStrategy = { rollingUpdate = { partition = 1 } },
      template = { spec = { containers = { { name = "app", image = "podinfo:2" } } } } } })
    local order = {}
    watch(w, 20, function()
      for _, pod in ipairs(pods(w)) do
        local name = pod.metadata.name
        if pod.spec.containers[1].image == "podinfo:2" and not order[name] then
          order[name], order[#order + 1] = true, name
        end
      end
    end)
    assert.same({ "web-2", "web-1" }, { table.unpack(order) })
  end)

  it("replaces no other pod before the one that was replaced is ready", function()
    for _, policy in ipairs({ "Parallel", "OrderedReady" }) do
      local w = set(policy)
      w:advance(10)
      w:break_pods("demo", "web-*")
      w:patch("StatefulSet", "demo", "web",
        { spec = { template = { spec = { containers = { { name = "app", image = "podinfo:2" } } } } } })
      w:advance(10)
      w:patch("StatefulSet", "demo", "web", { spec = { minReadySeconds = 1 } }) -- it is looked at once more
      w:advance(10)
      assert.equal("podinfo:1 podinfo:1 podinfo:2", images(w))
    end
  end)

  it("replaces nothing by itself when that is its strategy", function()
    local w = set()
    w:advance(10)
    w:patch("StatefulSet", "demo", "web", { spec = { updateStrategy = { type = "OnDelete" },
      template = { spec = { containers = { { name = "app", image = "podinfo:2" } } } } } })
    w:advance(20)
    assert.equal("podinfo:1 podinfo:1 podinfo:1", images(w))
  end)

  it("has a claim for each ordinal, which goes as its policy says", function()
    for policy, left in pairs({ Retain = "data-web-0 data-web-1 data-web-2", Delete = "data-web-0" }) do
      local w = set("OrderedReady", policy)
      w:advance(10)
      scale(w, 1)
      w:advance(10)
      assert.equal(left, names(w, "PersistentVolumeClaim"))
      w:delete("StatefulSet", "demo", "web")
      w:advance(1)
      assert.equal("", names(w, "PersistentVolumeClaim"))
    end
  end)

  it("refuses changes of what a StatefulSet keeps for life", function()
    local w = set()
    for field, value in pairs({ serviceName = "other", podManagementPolicy = "Parallel", volumeClaimTemplates = {} }) do
      local done, message = w.api:patch({ apiVersion = "apps/v1", kind = "StatefulSet", namespace = "demo",
        name = "web" }, { spec = { [field] = value } })
      assert.is_nil(done)
      assert.truthy(message:find("updates to statefulset spec for fields other than", 1, true), message)
    end
  end)
end)
