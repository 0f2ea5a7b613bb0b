local gates = require("canary.gates")

local WEBHOOKS = { { name = "a", type = "confirm-rollout", url = "http://a" },
  { name = "b", type = "rollout", url = "http://b" }, { name = "c", type = "confirm-rollout", url = "http://c" },
  { name = "d", type = "confirm-rollout", url = "http://d" } }

local function context(answers)
  local calls = {}
  return {
    object = { metadata = {} }, name = "app", namespace = "demo", now = 100, events = {}, memory = {},
    status = { phase = "Progressing", lastCheckTime = "1" },
    canary = { analysis = { webhooks = WEBHOOKS, interval = 10 } },
    host = {
      settings = {}, clock = { now = function() return 100 end },
      http = { request = function(request)
        calls[#calls + 1] = request.url
        return { status = answers[request.url] or 200, headers = {}, body = "no" }
      end },
    },
  }, calls
end

describe("canary.gates", function()
  it("stops at the first hook that refuses", function()
    local ctx, calls = context({ ["http://c"] = 403 })
    local passed = {}
    local hook, message = gates.refused(ctx, "confirm-rollout", "Waiting", function(h) passed[#passed + 1] = h.name end)
    assert.equal("c", hook.name)
    assert.equal("no", message)
    assert.same({ "a" }, passed)
    assert.same({ "http://a", "http://c" }, calls)
  end)

  it("calls no hook twice for one decision, whatever it answered", function()
    local ctx, calls = context({ ["http://c"] = 403 })
    for _ = 1, 3 do assert.equal("c", gates.refused(ctx, "confirm-rollout", "Waiting").name) end
    assert.equal(2, #calls)
  end)

  it("asks again at the next decision", function()
    local ctx, calls = context({})
    assert.is_nil(gates.refused(ctx, "rollout", "Progressing"))
    ctx.status.lastCheckTime = "2"
    assert.is_nil(gates.refused(ctx, "rollout", "Progressing"))
    ctx.status.phase = "WaitingPromotion"
    assert.is_nil(gates.refused(ctx, "rollout", "Progressing"))
    assert.equal(3, #calls)
  end)

  it("takes no answer that is older than an interval", function()
    local ctx, calls = context({})
    gates.refused(ctx, "rollout", "Progressing")
    ctx.now = 110.5
    gates.refused(ctx, "rollout", "Progressing")
    assert.equal(2, #calls)
  end)
end)
