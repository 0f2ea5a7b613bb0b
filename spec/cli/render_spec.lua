local json = require("json")
local manifests = require("spec.support.manifests")
local verb = require("spec.support.verb")
local yaml = require("yaml")

local ANALYSIS = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25"

local function rendered(text, ...)
  local code, out, err = verb.call("render", "--output", "json", verb.file(text), ...)
  return json.decode(out), code, err
end

--- "verb Kind/name" of every write, those of one kind alone when it is named.
local function words(result, kind)
  local out = {}
  for _, write in ipairs(result.writes) do
    if not kind or write.kind == kind then
      out[#out + 1] = ("%s %s/%s"):format(write.verb, write.kind, write.name)
    end
  end
  return out
end

--- The canary's weight in a VirtualService, at every write that names one.
local function weights(result)
  local out = {}
  for _, write in ipairs(result.writes) do
    local http = write.kind == "VirtualService" and write.body.spec and write.body.spec.http
    if http then out[#out + 1] = http[1].route[2].weight end
  end
  return out
end

describe("serin render", function()
  after_each(verb.clean)

  it("prints what is created and each step's patch of the whole walk", function()
    local result, code, err = rendered(manifests.deployment("app") .. manifests.canary("app",
      { provider = "istio", analysis = ANALYSIS }))
    assert.same({ 0, "", "Succeeded", "demo/app", "image podinfo:next" },
      { code, err, result.outcome, result.canary, result.changed })
    assert.same({ "create Service/app-canary", "create Service/app-primary", "create Service/app" },
      words(result, "Service"))
    assert.same({ "create Deployment/app-primary", "patch Deployment/app", "patch Deployment/app",
      "patch Deployment/app-primary", "patch Deployment/app" }, words(result, "Deployment"))
    assert.same({ 0, 25, 50, 0 }, weights(result))
  end)

  it("names the phase and the weight of every write", function()
    local result = rendered(manifests.deployment("app") .. manifests.canary("app",
      { provider = "istio", analysis = ANALYSIS }))
    local seen = {}
    for _, write in ipairs(result.writes) do
      local step = ("%s %d"):format(write.phase, write.weight)
      if seen[#seen] ~= step then seen[#seen + 1] = step end
    end
    assert.same({ "Initializing 0", "Initialized 0", "Progressing 0", "Progressing 25", "Progressing 50",
      "Promoting 50", "Finalising 0", "Succeeded 0" }, seen)
  end)

  it("leaves out the numbers that a cluster gives by itself", function()
    local _, out = verb.call("render", verb.file(manifests.canary("app", { provider = "istio", analysis = ANALYSIS })))
    assert.is_nil(out:find("resourceVersion", 1, true))
    assert.is_nil(out:find("uid: \"?%x"))
  end)

  it("makes up what is not given, and says so", function()
    local result, code, err = rendered(manifests.canary("app", { provider = "nginx", analysis = ANALYSIS, spec = [[
  ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: web}
  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: app}]] }))
    assert.same({ 0, "Succeeded" }, { code, result.outcome })
    for _, made in ipairs({ "Deployment demo/app", "HorizontalPodAutoscaler demo/app", "Ingress demo/web" }) do
      assert.truthy(err:find(made .. " is not given: a plain one is made up", 1, true), err)
    end
    assert.truthy(table.concat(words(result), "\n"):find("create Ingress/web-canary", 1, true))
    assert.truthy(table.concat(words(result), "\n"):find("create HorizontalPodAutoscaler/app-primary", 1, true))
  end)

  for _, provider in ipairs({ "appmesh:v1beta2", "contour", "gatewayapi:v1", "gloo", "istio", "kong", "kuma", "linkerd",
    "osm", "smi:v1alpha1", "traefik", "kubernetes" }) do
    it("walks to the end with the provider " .. provider, function()
      local result, code, err = rendered(manifests.canary("app", { provider = provider, analysis = ANALYSIS,
        service = "port: 80, targetPort: 9898, meshName: mesh, gatewayRefs: [{name: gw, namespace: demo}]" }))
      assert.same({ 0, "Succeeded" }, { code, result.outcome }, err)
    end)
  end

  for _, kind in ipairs({ "DaemonSet", "StatefulSet" }) do
    it("makes up a target of the kind " .. kind, function()
      local text = manifests.canary("app", { provider = "istio", analysis = ANALYSIS }):gsub("kind: Deployment",
        "kind: " .. kind)
      local result, code, err = rendered(text)
      assert.same({ 0, "Succeeded" }, { code, result and result.outcome }, err)
    end)
  end

  it("opens the gates of a policy, and shows its own weights", function()
    local result, code, err = rendered(manifests.deployment("app") .. manifests.canary("app", { provider = "istio",
      analysis = "interval: 10s, threshold: 3, policy: {name: steps, params: {steps: [{weight: 7}, "
        .. "{weight: 30, approve: big}]}}" }))
    assert.same({ 0, "Succeeded" }, { code, result.outcome }, err)
    assert.same({ 0, 7, 30, 0 }, weights(result))
  end)

  it("walks by the scripts of a folder, with the user's own route", function()
    local text = manifests.deployment("app") .. manifests.canary("app", { provider = "ingressroute",
      analysis = "interval: 10s, threshold: 3, policy: {name: ramp, params: {start: 10, max: 40}}" }) .. [[
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: app, namespace: demo}
spec: {routes: [{kind: Rule, match: "Host(`x`)", services: [{name: app, port: 80}]}]}
]]
    local result, code, err = rendered(text, "--scripts", "spec/cluster/scripts")
    assert.same({ 0, "", "Succeeded" }, { code, err, result.outcome })
    local shares = {}
    for _, write in ipairs(result.writes) do
      local services = write.kind == "IngressRoute" and write.body.spec.routes[1].services
      if services then shares[#shares + 1] = services[2] and services[2].weight or 0 end
    end
    assert.same({ 0, 10, 20, 40, 0 }, shares)
  end)

  it("names a parameter of a script, and a folder that is not there", function()
    local text = manifests.deployment("app") .. manifests.canary("app", { provider = "istio",
      analysis = "interval: 10s, threshold: 3, policy: {name: ramp, params: {strat: 10}}" })
    local _, code, err = rendered(text, "--scripts", "spec/cluster/scripts")
    assert.equal(1, code)
    assert.matches("spec.analysis.policy.params.strat: expected a known parameter (did you mean start?)", err, 1, true)
    assert.equal(2, (verb.call("render", "--scripts", "/nonexistent", verb.file(text))))
  end)

  it("prints YAML whose creations are what the engine sends", function()
    local text = manifests.deployment("app") .. manifests.canary("app", { provider = "istio", analysis = ANALYSIS })
    local _, out = verb.call("render", verb.file(text))
    local kinds = {}
    for _, document in ipairs(assert(yaml.decode(out))) do
      if type(document) == "table" and document.kind then kinds[#kinds + 1] = document.kind end
    end
    assert.same({ "Service", "Service", "Deployment", "Service", "DestinationRule", "DestinationRule",
      "VirtualService" }, kinds)
    local result = rendered(text)
    assert.same(result.writes[1].body, yaml.decode(out)[1])
  end)

  it("leaves out what is written to the Canary itself, unless that is asked for", function()
    local text = manifests.deployment("app") .. manifests.canary("app", { provider = "istio", analysis = ANALYSIS })
    assert.same({}, words(rendered(text), "Canary"))
    assert.is_true(#words(rendered(text, "--status"), "Canary") > 5)
  end)

  it("says why a release does not come to its end, with exit code 1", function()
    local code, _, err = verb.call("render", verb.file(manifests.canary("app", { provider = "nginx",
      analysis = ANALYSIS })))
    assert.equal(1, code)
    assert.truthy(err:find("the release did not come to its end", 1, true), err)
  end)

  it("refuses a Canary that is none, with what is wrong with it", function()
    local code, _, err = verb.call("render", verb.file(manifests.canary("app", { analysis = "interval: 1m" })))
    assert.equal(1, code)
    assert.truthy(err:find("Canary demo/app: spec.analysis: expected one of stepWeight", 1, true), err)
  end)

  it("is misused without a file, or with an unknown option", function()
    assert.equal(2, (verb.call("render")))
    local code, _, err = verb.call("render", "--ouput=json", "x")
    assert.equal(2, code)
    assert.truthy(err:find("did you mean --output?", 1, true), err)
  end)

  it("has a help text", function()
    local code, out = verb.call("render", "--help")
    assert.equal(0, code)
    assert.truthy(out:find("^usage: serin render"))
  end)
end)

describe("YAML text", function()
  local text = require("offline.yaml_text")

  for name, value in pairs({
    ["awkward texts"] = { a = "true", b = "1", c = "", d = "a: b", e = "null", f = "x\ny", g = "- a", h = "~",
      i = "1e3", j = "on", k = "é", l = "#x", m = "a #b" },
    ["numbers and words"] = { a = 1, b = 1.5, c = true, d = false, e = json.null, f = -0.25 },
    ["nested lists"] = { a = json.array({ json.array({ 1, json.array({}) }),
      { b = json.array({ { c = 1, d = {} } }) } }) },
    ["awkward keys"] = { ["a/b.c"] = 1, ["1"] = 2, ["x y"] = 3, ["true"] = 4 },
  }) do
    it("is read back as it was: " .. name, function()
      assert.equal(json.encode(value), json.encode(assert(yaml.decode(text.of(value)))[1]))
    end)
  end
end)
