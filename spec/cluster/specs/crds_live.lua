--- What the API server stores of the objects users write, under the CRDs that ship.

local support = require("spec.cluster.support")

local NAMESPACE = "live-crds"

local CANARY = [[
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: live-crds}
spec:
  provider: "%s"
  targetRef: {apiVersion: apps/v1, kind: %s, name: app}
  service: {port: 80%s}
  analysis: {%s}
]]

local function try(text)
  local path = support.path(("try-%d.yaml"):format(support.next_number()))
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return support.run("kubectl", "apply", "--dry-run=server", "--validate=strict", "-o", "json", "-f", path)
end

local function canary(change)
  return CANARY:format(change.provider or "traefik", change.kind or "Deployment", change.service or "",
    change.analysis or "interval: 10s, threshold: 3, stepWeight: 10")
end

describe("the CRDs on a real API server", function()
  setup(function()
    support.install()
    support.run("kubectl", "create", "namespace", NAMESPACE)
  end)
  teardown(function() support.run("kubectl", "delete", "namespace", NAMESPACE, "--wait=false") end)

  for name, change in pairs({
    ["a fractional step"] = { analysis = "interval: 10s, threshold: 3, stepWeight: 2.5" },
    ["descending steps"] = { analysis = "interval: 10s, threshold: 3, stepWeights: [50, 10]" },
    ["a maximum above 100"] = { analysis = "interval: 10s, threshold: 3, stepWeight: 10, maxWeight: 120" },
    ["a router of the user's own"] = { provider = "consul" },
    ["any kind of target"] = { kind = "StatefulSet" },
    ["a policy with parameters"] = {
      analysis = "interval: 10s, threshold: 3, stepWeight: 10, "
        .. "policy: {name: p, params: {a: {b: [1]}}, mode: shadow}" },
    ["a check written in Lua"] = { analysis = "interval: 10s, threshold: 3, stepWeight: 10, "
      .. "metrics: [{name: m, onNoData: hold, script: {name: s, params: {slo: 99.9}}}]" },
    ["a check that wants requests"] = { analysis = "interval: 10s, threshold: 3, stepWeight: 10, "
      .. "metrics: [{name: request-success-rate, minRequests: 20, onNoData: hold}]" },
    ["an interval of hours"] = { analysis = "interval: 1h, threshold: 3, stepWeight: 10" },
    ["a mirror backend"] = { service = ", mirror: [{backendRef: {name: x, port: 80}}]" },
  }) do
    it("takes " .. name, function()
      local answer, ok = try(canary(change))
      assert.is_true(ok, answer)
    end)
  end

  for name, change in pairs({
    ["two strategies at once"] = { analysis = "interval: 10s, threshold: 3, stepWeight: 10, iterations: 3" },
    ["no strategy"] = { analysis = "interval: 10s, threshold: 3" },
    ["an interval that is no duration"] = { analysis = "interval: soon, threshold: 3, stepWeight: 10" },
    ["a field that nobody knows"] = { analysis = "interval: 10s, threshold: 3, stepWeight: 10, stepWait: 3" },
    ["a mirror Service without a port"] = { service = ", mirror: [{backendRef: {name: x}}]" },
    ["an unknown way to treat missing data"] = {
      analysis = "interval: 10s, threshold: 3, stepWeight: 10, metrics: [{name: m, onNoData: perhaps}]" },
  }) do
    it("refuses " .. name, function()
      local answer, ok = try(canary(change))
      assert.is_false(ok, answer)
    end)
  end

  for _, name in ipairs({ "istio-full", "istio-ab", "gwapi", "traefik", "contour", "k8s-bg", "linkerd", "nginx" }) do
    it("stores every field of the recorded canary " .. name, function()
      local text = support.read(("spec/fixtures/recorded/%s/input.yaml"):format(name))
      local only = text:match("(apiVersion: flagger.app/v1beta1.*)$")
      local answer, ok = try((only:gsub("namespace: demo", "namespace: " .. NAMESPACE)))
      assert.is_true(ok, answer)
    end)
  end

  it("lists canaries with the columns that users know", function()
    support.apply(canary({}))
    local head = support.kubectl("-n", NAMESPACE, "get", "canaries", "-o", "wide"):match("^[^\n]*"):gsub("%s+", " ")
    assert.equal("NAME STATUS WEIGHT SUSPENDED FAILEDCHECKS INTERVAL MIRROR STEPWEIGHT STEPWEIGHTS MAXWEIGHT "
      .. "LASTTRANSITIONTIME", (head:gsub(" $", "")))
  end)
end)
