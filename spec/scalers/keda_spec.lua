local json = require("json")
local keda = require("scalers.keda")

local PAUSED = "autoscaling.keda.sh/paused-replicas"

local function object(change)
  local out = {
    metadata = { name = "app-so", namespace = "demo",
      labels = { team = "a", ["kustomize.toolkit.fluxcd.io/name"] = "f", ["scaledobject.keda.sh/name"] = "app-so" },
      annotations = { note = "x", [PAUSED] = "0", ["kubectl.kubernetes.io/last-applied-configuration"] = "{}" } },
    spec = { scaleTargetRef = { name = "app" }, minReplicaCount = 2, maxReplicaCount = 6, newer = { field = 1 },
      fallback = { failureThreshold = 3 },
      advanced = { horizontalPodAutoscalerConfig = { name = "app-hpa" } },
      triggers = { { type = "prometheus", name = "load", metadata = { query = "a{s='app'}+b{s='app-canary'}" } },
        { type = "cpu", metadata = { value = "60" } } } },
  }
  if change then change(out) end
  return out
end

local function canary(scaler, target)
  scaler = scaler or {}
  scaler.name = "app-so"
  return { namespace = "demo", target = { name = target or "app" }, scaler = scaler }
end

local function queries(copy)
  local out = {}
  for index, trigger in ipairs(copy.spec.triggers) do out[index] = trigger.metadata.query or "-" end
  return table.concat(out, " ")
end

describe("scalers.keda", function()
  it("is copied for the primary, every field of the spec, but not what KEDA, kubectl and Flux keep on it", function()
    local copy = keda.primary(canary(), object())
    assert.same({ "app-so-primary", { team = "a" }, { note = "x" } },
      { copy.metadata.name, copy.metadata.labels, copy.metadata.annotations })
    assert.same({ { name = "app-primary" }, { field = 1 }, "app-hpa-primary" }, { copy.spec.scaleTargetRef,
      copy.spec.newer, copy.spec.advanced.horizontalPodAutoscalerConfig.name })
  end)

  it("asks about the primary where the target's queries ask about either arm", function()
    assert.equal("a{s='app-primary'}+b{s='app-primary'} -", queries(keda.primary(canary(), object())))
    local odd = object(function(o) o.spec.triggers[1].metadata.query = "x{s='a.p'} y{s='axp'} z{s='a.p-canary'}" end)
    assert.equal("x{s='a.p-primary'} y{s='axp'} z{s='a.p-primary'} -", queries(keda.primary(canary(nil, "a.p"), odd)))
  end)

  it("asks what the Canary says, trigger by trigger, and leaves the other queries alone then", function()
    local two = object(function(o)
      o.spec.triggers[2] = { type = "prometheus", name = "more", metadata = { query = "app" } }
    end)
    assert.equal("own app", queries(keda.primary(canary({ primary_queries = { load = "own" } }), two)))
  end)

  it("has bounds of its own where the Canary gives them", function()
    local copy = keda.primary(canary({ min_replicas = 3, max_replicas = 9 }), object())
    assert.same({ 3, 9 }, { copy.spec.minReplicaCount, copy.spec.maxReplicaCount })
  end)

  it("follows what was changed and what was taken away, and nothing the second time", function()
    local primary = keda.primary(canary(), object())
    assert.is_nil(keda.repair(canary(), object(), primary))
    local changed = object(function(o) o.spec.maxReplicaCount, o.spec.fallback = 8, nil end)
    assert.same({ spec = { maxReplicaCount = 8, fallback = json.null } }, keda.repair(canary(), changed, primary))
  end)

  it("is paused and let go by one annotation, once each", function()
    local paused, free = object(), object(function(o) o.metadata.annotations = nil end)
    assert.is_nil(keda.pause(paused))
    assert.same({ metadata = { annotations = { [PAUSED] = "0" } } }, keda.pause(free))
    assert.same({ metadata = { annotations = { [PAUSED] = json.null } } }, keda.resume(paused))
    assert.is_nil(keda.resume(free))
    paused.metadata.annotations[PAUSED] = "3"
    assert.same({ metadata = { annotations = { [PAUSED] = "0" } } }, keda.pause(paused))
  end)

  it("has KEDA's own bounds where it does not say, and a canary has a pod", function()
    local silent = object(function(o) o.spec.minReplicaCount, o.spec.maxReplicaCount = nil, nil end)
    assert.same({ 1, 100 }, { keda.minimum(silent), keda.maximum(silent) })
    assert.same({ 2, 6 }, { keda.minimum(object()), keda.maximum(object()) })
  end)

  it("names a query that no trigger asks", function()
    assert.is_nil(keda.check(canary({ primary_queries = { load = "own" } }), object()))
    assert.is_nil(keda.check(canary(), object()))
    assert.equal("spec.autoscalerRef.primaryScalerQueries: expected names of triggers of ScaledObject app-so.demo " ..
      "(load), found laod", keda.check(canary({ primary_queries = { laod = "own" } }), object()))
  end)
end)
