local deployment = require("targets.deployment")
local merge = require("util.merge")

local function object(change)
  local out = {
    metadata = { name = "app", namespace = "demo", generation = 2, labels = { app = "app", team = "a" },
      annotations = { note = "x", ["kustomize.toolkit.fluxcd.io/name"] = "f" } },
    spec = { replicas = 4, selector = { matchLabels = { app = "app" } }, template = {
      metadata = { labels = { app = "app", tier = "web" } },
      spec = { containers = {
        { name = "app", image = "podinfo:1", ports = { { name = "http", containerPort = 9898 } } } } },
    } },
    status = { observedGeneration = 2, replicas = 4, updatedReplicas = 4, availableReplicas = 4, conditions = {} },
  }
  if change then change(out) end
  return out
end

local copy = { name = "app", label = "app", value = "app-primary", labels = { "app" }, prefixes = {}, tracked = {},
  id = "id-1" }

describe("targets.deployment", function()
  describe("readiness", function()
    local function ready(change, rule)
      return deployment.ready(object(change), rule or { deadline = 60, threshold = 100, now = 1000 })
    end

    it("is given when every replica is updated and available", function() assert.is_true((ready())) end)

    it("waits for the controller to see the newest generation", function()
      local ok, message, retriable = ready(function(o) o.metadata.generation = 3 end)
      assert.same({ false, true }, { ok, retriable })
      assert.equal("waiting for rollout to finish: observed deployment generation less than desired generation",
        message)
    end)

    it("waits for updates", function()
      local _, message = ready(function(o) o.status.updatedReplicas = 3 end)
      assert.equal("waiting for rollout to finish: 3 out of 4 new replicas have been updated", message)
    end)

    it("waits for old replicas to go", function()
      local _, message = ready(function(o) o.status.replicas = 5 end)
      assert.equal("waiting for rollout to finish: 1 old replicas are pending termination", message)
    end)

    it("asks for the threshold's share of available replicas, rounded down", function()
      local function with(available, threshold)
        return (ready(function(o) o.status.availableReplicas = available end,
          { deadline = 60, threshold = threshold, now = 1000 }))
      end
      assert.is_false(with(3, 100))
      assert.is_false(with(2, 75))
      assert.is_true(with(3, 75))
      assert.is_true(with(2, 74))
    end)

    it("gives up when the controller did", function()
      local ok, message, retriable = ready(function(o)
        o.status.conditions = { { type = "Progressing", reason = "ProgressDeadlineExceeded" } }
      end)
      assert.same({ false, false }, { ok, retriable })
      assert.equal('deployment "app" exceeded its progress deadline', message)
    end)

    it("gives up when it was unavailable for longer than the Canary's deadline", function()
      local function retriable(now)
        local _, _, may = ready(function(o)
          o.status.availableReplicas, o.status.updatedReplicas = 0, 2
          o.status.conditions = { { type = "Progressing" }, { type = "Available", status = "False",
            reason = "MinimumReplicasUnavailable", lastUpdateTime = "1970-01-01T00:10:00Z" } }
        end, { deadline = 60, threshold = 100, now = now })
        return may
      end
      assert.is_true(retriable(660))
      assert.is_false(retriable(661))
    end)
  end)

  it("names the label by which pods are selected", function()
    assert.same({ "app", "app" }, { deployment.selector(object(), { "name", "app" }) })
    local label, message = deployment.selector(object(), { "name" })
    assert.is_nil(label)
    assert.equal("deployment app.demo spec.selector.matchLabels must contain one of [name]", message)
  end)

  it("gives one revision to equal templates and another to each change", function()
    local before = deployment.revision(object())
    assert.equal(before, deployment.revision(object(function(o) o.spec.replicas = 9 end)))
    local other = object(function(o) o.spec.template.spec.containers[1].image = "p:2" end)
    assert.not_equal(before, deployment.revision(other))
    assert.truthy(before:find("^s1%-%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x$"))
  end)

  it("makes a primary that selects pods of its own", function()
    local primary = deployment.primary(object(), copy)
    assert.same({ app = "app-primary" }, primary.spec.selector.matchLabels)
    assert.same({ app = "app-primary", tier = "web" }, primary.spec.template.metadata.labels)
    assert.same({ note = "x" }, primary.metadata.annotations)
    assert.equal("id-1", primary.spec.template.metadata.annotations["flagger-id"])
  end)

  it("promotes with the smallest patch, and with none the second time", function()
    local primary = deployment.primary(object(), copy)
    primary.metadata.annotations = {}
    local target = object(function(o)
      o.spec.template.spec.containers[1].image = "podinfo:2"
      o.spec.template.metadata.labels.tier = nil
    end)
    local patch = deployment.promotion(target, primary, copy, true)
    assert.equal(require("json").null, patch.spec.template.metadata.labels.tier)
    assert.is_nil(patch.spec.replicas)
    primary.spec.template = deployment.primary(target, copy).spec.template
    assert.is_nil(deployment.promotion(target, primary, copy, true))
  end)

  it("copies annotations but those that kubectl, Flux and its controller keep there", function()
    local primary = deployment.primary(object(function(o)
      o.metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
      o.metadata.annotations["deployment.kubernetes.io/revision"] = "7"
    end), copy)
    assert.same({ note = "x" }, primary.metadata.annotations)
  end)

  it("takes the target's replicas along, unless an autoscaler has the primary's or the target rests", function()
    local primary = deployment.primary(object(), copy)
    local function replicas(number, keep)
      local patch = deployment.promotion(object(function(o) o.spec.replicas = number end), primary, copy, keep)
      return patch.spec and patch.spec.replicas
    end
    assert.equal(9, replicas(9, false))
    assert.is_nil(replicas(9, true))
    assert.is_nil(replicas(0, false))
  end)

  it("recognises a primary that runs the target's revision under another id", function()
    local primary = deployment.primary(object(), copy)
    local other = merge.copy(copy)
    other.id = "id-2"
    assert.is_true(deployment.same_revision(object(), primary, other))
    primary.spec.template.spec.containers[1].image = "podinfo:0"
    assert.is_false(deployment.same_revision(object(), primary, other))
  end)
end)
