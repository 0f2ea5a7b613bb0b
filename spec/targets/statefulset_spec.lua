local merge = require("util.merge")
local statefulset = require("targets.statefulset")

local function claim(change)
  local out = { metadata = { name = "data" }, spec = { accessModes = { "ReadWriteOnce" } },
    status = { phase = "Pending" } }
  if change then change(out) end
  return out
end

local function object(change)
  local out = {
    metadata = { name = "app", namespace = "demo", generation = 1 },
    spec = { replicas = 2, serviceName = "app-pods", podManagementPolicy = "Parallel", revisionHistoryLimit = 3,
      ordinals = { start = 1 }, selector = { matchLabels = { app = "app" } }, volumeClaimTemplates = { claim() },
      template = { metadata = { labels = { app = "app" } }, spec = { containers = {} } } },
  }
  if change then change(out.spec) end
  return out
end

local COPY = { name = "app", label = "app", value = "app-primary", labels = { "app" }, prefixes = {}, tracked = {},
  id = "id-1", service = "app-primary-pods" }

describe("targets.statefulset", function()
  it("makes a primary with a policy, ordinals and claims as the target's, and names from a Service of its own",
    function()
      local spec = statefulset.primary(object(), COPY).spec
      assert.same({ "app-primary-pods", "Parallel", 3, { start = 1 } }, { spec.serviceName, spec.podManagementPolicy,
        spec.revisionHistoryLimit, spec.ordinals })
      assert.same({ { metadata = { name = "data" }, spec = { accessModes = { "ReadWriteOnce" } } } },
        spec.volumeClaimTemplates)
    end)

  it("lets ordinals follow the target, and the history's length not", function()
    local primary = statefulset.primary(object(), COPY)
    primary.metadata.annotations = {}
    local moved = object(function(spec) spec.ordinals, spec.revisionHistoryLimit = { start = 5 }, 9 end)
    assert.same({ spec = { ordinals = { start = 5 } } }, statefulset.promotion(moved, primary, COPY, true))
  end)

  it("compares all that a user can say of a claim, and not what the API server says", function()
    local primary = statefulset.primary(object(), COPY)
    assert.is_nil(statefulset.check(object(), primary))
    local changes = {
      function(it) it.metadata.name = "other" end,
      function(it) it.metadata.labels = { tier = "db" } end,
      function(it) it.metadata.annotations = { note = "x" } end,
      function(it) it.spec.accessModes = { "ReadWriteMany" } end,
      function(it) it.spec.volumeMode = "Block" end,
    }
    for _, change in ipairs(changes) do
      local other = object(function(spec) spec.volumeClaimTemplates = { claim(change) } end)
      assert.truthy(statefulset.check(other, primary):find("spec.volumeClaimTemplates", 1, true))
    end
    local more = object(function(spec) spec.volumeClaimTemplates[2] = claim() end)
    assert.is_string(statefulset.check(more, primary))
  end)

  it("may have its claims deleted when it has none", function()
    local rule = { whenScaled = "Delete" }
    local with_claims = object(function(spec) spec.persistentVolumeClaimRetentionPolicy = rule end)
    assert.is_string(statefulset.check(with_claims))
    local without = merge.copy(with_claims)
    without.spec.volumeClaimTemplates = nil
    assert.is_nil(statefulset.check(without))
  end)

  it("names the headless Service of the primary's pods after the target", function()
    local names = statefulset.names({ names = { apex = "web", primary = "web-primary", canary = "web-canary" },
      target = { name = "app" } })
    assert.same({ apex = "web", primary = "web-primary", canary = "web-canary", pods = "app-primary-pods" }, names)
  end)
end)
