--- Every kind of target and scaler on the real API server, with its real controllers: a promotion each. Knative's and
--- KEDA's kinds are stored under their own CRDs; what their controllers would write is written here.

local support = require("spec.cluster.support")

local POD = [[
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: "podinfo:1", ports: [{name: http, containerPort: 9898}]}]}
]]

local TARGETS = {
  daemonset = { api = "apps/v1", kind = "DaemonSet",
    manifest = "spec:\n  selector: {matchLabels: {app: app}}\n" .. POD },
  statefulset = { api = "apps/v1", kind = "StatefulSet", manifest = [[
spec:
  replicas: 2
  serviceName: app-pods
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: app}}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], storageClassName: $(namespace), resources: {requests: {storage: 1Gi}}}
]] .. POD },
  hpa = { api = "apps/v1", kind = "Deployment", scaler = "autoscaling/v2 HorizontalPodAutoscaler",
    manifest = "spec:\n  replicas: 2\n  selector: {matchLabels: {app: app}}\n" .. POD .. [[
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: app, namespace: $(namespace)}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: app}, minReplicas: 2, maxReplicas: 4}
]] },
  keda = { api = "apps/v1", kind = "Deployment", scaler = "keda.sh/v1alpha1 ScaledObject",
    manifest = "spec:\n  replicas: 2\n  selector: {matchLabels: {app: app}}\n" .. POD .. [[
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: app, namespace: $(namespace)}
spec:
  scaleTargetRef: {name: app}
  minReplicaCount: 2
  maxReplicaCount: 4
  triggers: [{type: prometheus, name: load, metadata: {serverAddress: "http://p", query: "app", threshold: "1"}}]
]] },
  service = { api = "v1", kind = "Service", provider = "istio",
    manifest = "spec: {selector: {app: one}, ports: [{name: http, port: 80, targetPort: 9898}]}\n" },
  externalname = { api = "v1", kind = "Service", provider = "istio",
    manifest = "spec: {type: ExternalName, externalName: one.example.com}\n" },
  knative = { api = "serving.knative.dev/v1", kind = "Service", provider = "knative",
    manifest = 'spec: {template: {spec: {containers: [{image: "podinfo:1"}]}}}\n' },
}

--- A volume that a claim can be bound to; nobody writes to it.
local VOLUME = [[
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: $(name)}
spec:
  storageClassName: $(class)
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  hostPath: {path: /nowhere}
]]

local CANARY = [[
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: $(namespace)}
spec:
  provider: $(provider)
  targetRef: {apiVersion: $(api), kind: $(kind), name: app}
  progressDeadlineSeconds: 120
  service: {port: 80}
  analysis: {interval: 10s, threshold: 3, stepWeight: 50, maxWeight: 50}
$(scaler)
]]

local function fill(text, values)
  return (text:gsub("%$%((%w+)%)", values))
end

describe("on the real API server", function()
  local engine, namespaces = nil, {}
  local suffix = ("%x"):format(os.time())

  local function resource(target)
    local group, version = target.api:match("^(.+)/(.+)$")
    return group and ("%s.%s.%s"):format(target.kind, version, group) or target.kind
  end

  local function object(name, of)
    return support.get(resource(TARGETS[name]), namespaces[name], of or "app")
  end

  local function status(name)
    local canary = support.get("canary", namespaces[name], "app")
    return canary and canary.status or {}
  end

  local function wait_for(name, phase)
    support.wait_until(("%s is %s"):format(name, phase), 240, function() return status(name).phase == phase end,
      function() return support.run("kubectl", "-n", namespaces[name], "describe", "canary", "app") end)
  end

  local function patch(name, body, more)
    support.kubectl("-n", namespaces[name], "patch", resource(TARGETS[name]), "app", "--type=merge", "-p", body,
      table.unpack(more or {}))
  end

  --- What Knative's controller writes when there is a new template: a Revision, which is ready.
  local function revise(number)
    local revision = ("app-%05d"):format(number)
    support.apply(fill([[
apiVersion: serving.knative.dev/v1
kind: Revision
metadata: {name: $(revision), namespace: $(namespace)}
spec: {containers: [{image: podinfo}]}
]], { revision = revision, namespace = namespaces.knative }))
    support.kubectl("-n", namespaces.knative, "patch", "revisions.serving.knative.dev", revision, "--type=merge",
      "--subresource=status", "-p", '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}')
    patch("knative", ('{"status":{"latestCreatedRevisionName":"%s"}}'):format(revision), { "--subresource=status" })
  end

  local change = {
    service = function() patch("service", '{"spec":{"selector":{"app":"two"}}}') end,
    externalname = function() patch("externalname", '{"spec":{"externalName":"two.example.com"}}') end,
    knative = function()
      patch("knative", '{"spec":{"template":{"spec":{"containers":[{"image":"podinfo:2"}]}}}}')
      revise(2)
    end,
  }

  local function release(name)
    if change[name] then return change[name]() end
    patch(name, '{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"podinfo:2"}]}}}}')
  end

  setup(function()
    support.install()
    engine = support.engine()
    for name, target in pairs(TARGETS) do
      namespaces[name] = ("live-%s-%s"):format(name, suffix)
      local scaler = target.scaler and ("  autoscalerRef: {apiVersion: %s, kind: %s, name: app}"):format(
        target.scaler:match("(%S+) (%S+)")) or ""
      local values = { namespace = namespaces[name], api = target.api, kind = target.kind, scaler = scaler,
        provider = target.provider or "traefik" }
      support.kubectl("create", "namespace", namespaces[name])
      if name == "statefulset" then
        for index = 1, 4 do
          support.apply(fill(VOLUME, { name = namespaces[name] .. "-" .. index, class = namespaces[name] }))
        end
      end
      support.apply(fill("apiVersion: $(api)\nkind: $(kind)\nmetadata: {name: app, namespace: $(namespace)}\n" ..
        target.manifest, values))
      if name == "knative" then revise(1) end
      support.apply(fill(CANARY, values))
    end
    for name in pairs(TARGETS) do wait_for(name, "Initialized") end
  end)

  teardown(function()
    if engine then engine.stop() end
    for _, namespace in pairs(namespaces) do
      support.run("kubectl", "delete", "namespace", namespace, "--wait=false")
    end
  end)

  it("each target is taken over: its primary runs, and it rests", function()
    for _, name in ipairs({ "statefulset", "hpa", "keda" }) do
      assert.equal(0, object(name).spec.replicas, name)
      assert.is_true(object(name, "app-primary").spec.replicas >= 2, name)
    end
    assert.equal(0, object("daemonset").status.desiredNumberScheduled)
    assert.is_true(object("daemonset", "app-primary").status.numberAvailable > 0)
    assert.equal("0", support.get("scaledobject", namespaces.keda, "app").metadata.annotations[
      "autoscaling.keda.sh/paused-replicas"])
    assert.equal("app-00001", object("knative").metadata.annotations["flagger.app/primary-revision"])
  end)

  it("each target is promoted", function()
    for name in pairs(TARGETS) do release(name) end
    for name in pairs(TARGETS) do wait_for(name, "Succeeded") end
    for _, name in ipairs({ "daemonset", "statefulset", "hpa", "keda" }) do
      assert.equal("podinfo:2", object(name, "app-primary").spec.template.spec.containers[1].image, name)
    end
    assert.same({ app = "two" }, object("service", "app-primary").spec.selector)
    assert.equal("two.example.com", object("externalname", "app-primary").spec.externalName)
    local knative = object("knative")
    assert.equal("app-00002", knative.metadata.annotations["flagger.app/primary-revision"])
    assert.same({ { latestRevision = true, percent = 0 }, { revisionName = "app-00002", percent = 100 } },
      knative.spec.traffic)
  end)

  it("a StatefulSet's primary has claims of its own", function()
    local claims = support.kubectl("-n", namespaces.statefulset, "get", "pvc", "-o", "name")
    assert.truthy(claims:find("data-app-primary-0", 1, true), claims)
  end)

  it("the scalers of the primaries are bound to them", function()
    assert.equal("app-primary", support.get("hpa", namespaces.hpa, "app-primary").spec.scaleTargetRef.name)
    local scaled = support.get("scaledobject", namespaces.keda, "app-primary").spec
    assert.same({ "app-primary", "app-primary" }, { scaled.scaleTargetRef.name, scaled.triggers[1].metadata.query })
  end)

  it("nothing that was written was refused", function()
    local refused = support.audit(function(entry)
      local code = entry.responseStatus and entry.responseStatus.code
      return (code == 400 or code == 422 or code == 403) and (entry.objectRef or {}).namespace ~= nil
        and entry.objectRef.namespace:find(suffix, 1, true) ~= nil
    end)
    assert.same({}, refused)
  end)
end)
