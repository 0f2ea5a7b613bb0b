local hpa = require("scalers.hpa")
local json = require("json")

local function object(change)
  local out = {
    metadata = { name = "app-hpa", namespace = "demo",
      labels = { team = "a", ["kustomize.toolkit.fluxcd.io/name"] = "f" }, annotations = { note = "x" } },
    spec = { scaleTargetRef = { apiVersion = "apps/v1", kind = "Deployment", name = "app" }, minReplicas = 2,
      maxReplicas = 6, metrics = { { type = "Resource" } }, behavior = { scaleUp = { selectPolicy = "Max" } } },
  }
  if change then change(out.spec) end
  return out
end

local function canary(scaler)
  scaler = scaler or {}
  scaler.name = "app-hpa"
  return { namespace = "demo", target = { name = "app" }, scaler = scaler }
end

describe("scalers.hpa", function()
  it("is copied for the primary, without annotations", function()
    local copy = hpa.primary(canary(), object())
    assert.same({ "app-hpa-primary", { team = "a" } }, { copy.metadata.name, copy.metadata.labels })
    assert.is_nil(copy.metadata.annotations)
    assert.same({ apiVersion = "apps/v1", kind = "Deployment", name = "app-primary" }, copy.spec.scaleTargetRef)
    assert.same(object().spec.metrics, copy.spec.metrics)
    assert.same(object().spec.behavior, copy.spec.behavior)
  end)

  it("has bounds of its own where the Canary gives them", function()
    local copy = hpa.primary(canary({ min_replicas = 3, max_replicas = 9 }), object())
    assert.same({ 3, 9 }, { copy.spec.minReplicas, copy.spec.maxReplicas })
  end)

  it("follows what was changed and what was taken away, and nothing the second time", function()
    local primary = hpa.primary(canary(), object())
    assert.is_nil(hpa.repair(canary(), object(), primary))
    local changed = object(function(spec) spec.maxReplicas, spec.behavior = 8, nil end)
    assert.same({ spec = { maxReplicas = 8, behavior = json.null } }, hpa.repair(canary(), changed, primary))
  end)

  it("takes one pod where nobody says how many", function()
    local silent = object(function(spec) spec.minReplicas = nil end)
    assert.equal(1, hpa.minimum(silent))
    assert.is_nil(hpa.repair(canary(), silent, hpa.primary(canary(), object(function(spec) spec.minReplicas = 1 end))))
    assert.same({ 2, 6 }, { hpa.minimum(object()), hpa.maximum(object()) })
  end)
end)
