local cluster = require("canary.cluster")

describe("canary.cluster", function()
  local ctx, sent, answer

  before_each(function()
    sent, answer = nil, { { metadata = { name = "app", resourceVersion = "8" } } }
    local function take(...)
      sent = { ... }
      return table.unpack(answer)
    end
    ctx = { namespace = "demo", canary = {},
      object = { apiVersion = "flagger.app/v1beta1", metadata = { name = "c", uid = "u1" } },
      host = { kube = { get = take, create = take, patch = take, delete = take } } }
  end)

  local function service(version)
    return { apiVersion = "v1", kind = "Service",
      metadata = { name = "app", namespace = "demo", resourceVersion = version } }
  end

  it("patches on the condition that nothing has changed since the object was seen", function()
    cluster.patch(ctx, service("7"), { spec = { n = 1 } })
    assert.same({ spec = { n = 1 }, metadata = { resourceVersion = "7" } }, sent[2])
  end)

  it("sends nothing for an empty patch", function()
    local object = service("7")
    assert.equal(object, cluster.patch(ctx, object, {}))
    assert.equal(object, cluster.patch(ctx, object, nil))
    assert.is_nil(sent)
  end)

  it("does not write to the patch it is given", function()
    local patch = { spec = { n = 1 } }
    cluster.patch(ctx, service("7"), patch)
    assert.same({ spec = { n = 1 } }, patch)
  end)

  it("has what may pass by itself tried again", function()
    for _, code in ipairs({ "CONFLICT", "THROTTLED", "TIMEOUT", "UNREACHABLE", "BAD_ANSWER", "GONE" }) do
      answer = { nil, "no", code }
      local stored, stop = cluster.patch(ctx, service("7"), { spec = {} })
      assert.is_nil(stored)
      assert.same({ "Service app.demo update error: no", code }, { stop.fail, stop.code })
    end
  end)

  it("shows the user what will not pass by itself", function()
    for code, reason in pairs({ INVALID = "Refused", FORBIDDEN = "Forbidden" }) do
      answer = { nil, "no", code }
      local _, stop = cluster.patch(ctx, service("7"), { spec = {} })
      assert.same({ problem = "Service app.demo update error: no", reason = reason }, stop)
    end
  end)

  it("owns what it creates", function()
    cluster.create(ctx, { apiVersion = "v1", kind = "Service", metadata = { name = "app" } })
    local owner = sent[1].metadata.ownerReferences[1]
    assert.same({ "Canary", "c", "u1", true, true },
      { owner.kind, owner.name, owner.uid, owner.controller, owner.blockOwnerDeletion })
  end)

  it("marks what belongs to the whole cluster, in no namespace and without an owner", function()
    cluster.create(ctx, { apiVersion = "kuma.io/v1alpha1", kind = "TrafficRoute", metadata = { name = "app" } })
    assert.same({ name = "app", annotations = { ["serin.dev/canary"] = "demo/c" } }, sent[1].metadata)
  end)

  it("marks a route that goes to another cluster, and owns the rest", function()
    ctx.canary.elsewhere = true
    cluster.create(ctx, { apiVersion = "networking.istio.io/v1beta1", kind = "VirtualService",
      metadata = { name = "app", annotations = { a = "b" } } })
    assert.same({ name = "app", namespace = "demo", annotations = { a = "b", ["serin.dev/canary"] = "demo/c" } },
      sent[1].metadata)
    cluster.create(ctx, { apiVersion = "v1", kind = "Service", metadata = { name = "app" } })
    assert.is_table(sent[1].metadata.ownerReferences)
  end)

  it("deletes, and is content when that is done already", function()
    answer = { nil, "no", "NOT_FOUND" }
    assert.is_true(cluster.delete(ctx, service("7")))
    assert.same({ apiVersion = "v1", kind = "Service", name = "app", namespace = "demo" }, sent[1])
    answer = { nil, "no", "FORBIDDEN" }
    local ok, stop = cluster.delete(ctx, service("7"))
    assert.is_nil(ok)
    assert.same({ problem = "Service app.demo delete error: no", reason = "Forbidden" }, stop)
  end)

  it("tells its own object from somebody else's", function()
    local own, foreign = service("1"), service("1")
    own.metadata.ownerReferences = { { kind = "Canary", name = "c", uid = "u1", controller = true } }
    foreign.metadata.ownerReferences = { { kind = "Other", name = "o", uid = "u2", controller = true } }
    assert.same({ true, false }, { cluster.owned(ctx, own), cluster.owned(ctx, foreign) })
    assert.is_nil(cluster.foreign_owner(ctx, own))
    assert.equal("Other o", cluster.foreign_owner(ctx, foreign))
  end)
end)
