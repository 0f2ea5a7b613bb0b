local act = require("canary.act")

describe("canary.act", function()
  local ctx, writes

  before_each(function()
    writes = {}
    local function take(ref, body)
      writes[#writes + 1] = body
      return { metadata = { name = ref.name, resourceVersion = "2" }, spec = {} }
    end
    local ready = { metadata = { name = "app", resourceVersion = "1" }, spec = { replicas = 2 }, pods = 2 }
    ctx = {
      namespace = "demo", label = "app.demo", target_label = "app.demo", now = 0, events = {}, memory = {},
      object = { metadata = { name = "app", uid = "u" } }, status = { phase = "Progressing", lastAppliedSpec = "s1-a" },
      canary = { analysis = {}, cookies = {}, target = { name = "app", label = "app", label_value = "app" } },
      host = { kube = { patch = take, create = take }, metrics = { weights = function() end } },
      kind = { available = function(object) return object.pods end,
        replicas = function(object) return object.spec.replicas end, scale = function() return { spec = {} } end },
      router = { weighted = true, shift = function() return { { key = "route", merge = { spec = {} } } } end },
      seen = { route = { metadata = { name = "route", resourceVersion = "1" } } },
      target = ready, primary = ready, primary_ready = true, canary_ready = true, checks = "passed",
      routes = { primary = 100, canary = 0, mirrored = false }, apex_on_primary = true, revision = "s1-a",
    }
  end)

  local function refused(stop, text)
    assert.equal("Guard", stop and stop.reason)
    assert.truthy(stop.problem:find(text, 1, true), stop.problem)
    assert.same({}, writes)
  end

  it("does what the guard lets through", function()
    assert.is_nil(act.shift(ctx, { primary = 90, canary = 10, mirrored = false }))
    assert.equal(1, #writes)
  end)

  it("knows whether the route that it wrote is in force", function()
    function ctx.router.accepted(_, seen) return seen.route.metadata.resourceVersion == "1", "not yet" end
    assert.is_nil(act.shift(ctx, { primary = 90, canary = 10, mirrored = false }))
    assert.equal("not yet", ctx.unaccepted)
    assert.equal("the route may still lead to the canary: not yet",
      act.scale_down(ctx).problem:match("refused by the guard: (.*)"))
  end)

  it("writes nothing when the guard refuses a shift", function()
    ctx.canary_ready = false
    refused(act.shift(ctx, { primary = 90, canary = 10, mirrored = false }), "no traffic for the canary")
  end)

  it("writes nothing when the guard refuses to scale the target to zero", function()
    ctx.apex_on_primary = false
    refused(act.scale_down(ctx), "the apex Service does not select the primary yet")
  end)

  it("does not scale a target to zero that still has traffic", function()
    ctx.routes = { primary = 90, canary = 10, mirrored = false }
    refused(act.scale_down(ctx), "still receives 10% of the traffic")
  end)

  it("promotes no other revision than the analysed one", function()
    ctx.revision = "s1-b"
    refused(act.promote(ctx), "the target is at revision s1-b, but s1-a was analysed")
  end)

  it("gives a promotion of the same revision and configuration the same id", function()
    ctx.configs = { sums = { ["configmap/a"] = "1" } }
    local first = act.promotion_id(ctx)
    assert.equal(first, act.promotion_id(ctx))
    ctx.configs = { sums = { ["configmap/a"] = "2" } }
    assert.not_equal(first, act.promotion_id(ctx))
    assert.matches("^%x+%-%x%x%x%x%-4%x%x%x%-8%x%x%x%-%x+$", first)
  end)
end)
