local pods = require("targets.pods")

local function template()
  return { metadata = { labels = { app = "app" } }, spec = {
    volumes = {
      { name = "a", configMap = { name = "cm-volume" } },
      { name = "b", secret = { secretName = "secret-volume", optional = true } },
      { name = "c", projected = { sources = {
        { secret = { name = "secret-projected" } }, { configMap = { name = "cm-env" } } } } },
    },
    initContainers = { { name = "init", envFrom = { { secretRef = { name = "secret-init" } } } } },
    containers = { { name = "app", ports = { { name = "http", containerPort = 80 }, { containerPort = 90 } },
      env = {
        { name = "A", valueFrom = { configMapKeyRef = { name = "cm-env", key = "k", optional = true } } },
        { name = "B", valueFrom = { secretKeyRef = { name = "secret-env", key = "k", optional = true } } },
      }, envFrom = { { configMapRef = { name = "cm-from" } } } },
      { name = "envoy", ports = { { containerPort = 15001 } } } },
    affinity = { podAntiAffinity = { requiredDuringSchedulingIgnoredDuringExecution = {
      { labelSelector = { matchExpressions = { { key = "app", operator = "In", values = { "other", "app" } } } } } } },
      podAffinity = { requiredDuringSchedulingIgnoredDuringExecution = {
        { labelSelector = { matchLabels = { app = "app" } } } } } },
    topologySpreadConstraints = { { labelSelector = { matchLabels = { app = "app" } } } },
  } }
end

describe("targets.pods", function()
  it("finds every reference to a ConfigMap or Secret", function()
    local found = {}
    for _, ref in ipairs(pods.references(template().spec)) do
      found[#found + 1] = ref.id .. (ref.optional and "?" or "")
    end
    assert.same({ "configmap/cm-env", "configmap/cm-from", "configmap/cm-volume", "secret/secret-env?",
      "secret/secret-init",
      "secret/secret-projected", "secret/secret-volume?" }, found)
  end)

  it("renames the tracked references and leaves the others shared", function()
    local out = pods.primary_template(template(), { name = "app", label = "app", value = "app-primary",
      labels = { "app" },
      id = "x", tracked = { ["configmap/cm-env"] = true, ["secret/secret-volume"] = true } })
    assert.equal("cm-env-primary", out.spec.containers[1].env[1].valueFrom.configMapKeyRef.name)
    assert.equal("cm-env-primary", out.spec.volumes[3].projected.sources[2].configMap.name)
    assert.equal("secret-volume-primary", out.spec.volumes[2].secret.secretName)
    assert.equal("cm-volume", out.spec.volumes[1].configMap.name)
  end)

  it("keeps the copy's pods apart from each other, not from the target's", function()
    local out = pods.primary_template(template(), { name = "app", label = "app", value = "app-primary",
      labels = { "app" },
      id = "x", tracked = {} })
    local anti = out.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[1]
    assert.same({ "other", "app-primary" }, anti.labelSelector.matchExpressions[1].values)
    assert.equal("app-primary", out.spec.topologySpreadConstraints[1].labelSelector.matchLabels.app)
    local near = out.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[1]
    assert.equal("app", near.labelSelector.matchLabels.app)
  end)

  it("finds the ports beside the service's own, without those of proxies", function()
    assert.same({ { name = "tcp-app-1", port = 90 } }, pods.ports(template().spec, "http"))
    assert.same({ { name = "tcp-app-1", port = 90 } }, pods.ports(template().spec, 80))
  end)
end)
