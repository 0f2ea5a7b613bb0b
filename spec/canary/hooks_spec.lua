local hooks = require("canary.hooks")

local function context(answers, webhooks)
  local calls, pauses = {}, {}
  local ctx = { name = "app", namespace = "demo", status = { lastAppliedSpec = "4cb74184589" },
    canary = { analysis = { webhooks = webhooks or {} } },
    host = { clock = { now = function() return 0 end, sleep = function(s) pauses[#pauses + 1] = s end },
      http = { request = function(request)
        calls[#calls + 1] = request
        local answer = answers[#calls]
        if type(answer) == "string" then return nil, answer, "UNREACHABLE" end
        return { status = answer, headers = {}, body = "body " .. answer }
      end } } }
  return ctx, calls, pauses
end

describe("canary.hooks", function()
  it("hashes revision and configuration as Flagger does", function()
    assert.equal("569bdb7cb9", hooks.checksum({ lastAppliedSpec = "4cb74184589",
      trackedConfigs = { ["test-config-map"] = "484637c76acaa7c6" } }))
    assert.equal("7c9d467496", hooks.checksum({ lastAppliedSpec = "4cb74184589" }))
    assert.equal("68bf6f479b", hooks.checksum({ trackedConfigs = {} }))
  end)

  it("sends the keys in Flagger's order, markup escaped", function()
    local ctx = context({})
    assert.equal('{"name":"app","namespace":"demo","phase":"Waiting","checksum":"7c9d467496",' ..
      '"metadata":{"k":"\\u003cv\\u003e"}}',
      hooks.body(ctx, "Waiting", { k = "<v>" }))
    assert.is_nil(hooks.body(ctx, "", {}):find("metadata"))
  end)

  it("takes 200 to 202 for yes and anything else for no", function()
    local good = { [200] = true, [201] = true, [202] = true, [203] = false, [204] = false, [403] = false }
    for status, yes in pairs(good) do
      local ctx = context({ status })
      assert.equal(yes, hooks.call(ctx, { name = "h", url = "http://h" }, "Progressing") == true)
    end
  end)

  it("gives the answer's body for a reason", function()
    local _, message = hooks.call(context({ 403 }), { name = "h", url = "http://h" }, "Progressing")
    assert.equal("body 403", message)
  end)

  it("tries again after failures of the server or the network, with growing pauses", function()
    local ctx, calls, pauses = context({ 500, "refused", 429, 200 })
    assert.is_true(hooks.call(ctx, { name = "h", url = "http://h", retries = 3 }, "Progressing"))
    assert.equal(4, #calls)
    assert.same({ 1, 2, 4 }, pauses)
  end)

  it("gives up when the retries are used", function()
    local _, message = hooks.call(context({ 500, 503 }), { name = "h", url = "http://h", retries = 1 }, "Progressing")
    assert.equal("POST http://h giving up after 2 attempt(s)", message)
  end)

  it("never retries a refusal", function()
    local ctx, calls = context({ 403, 200 })
    assert.is_nil(hooks.call(ctx, { name = "h", url = "http://h", retries = 5 }, "Progressing"))
    assert.equal(1, #calls)
  end)

  it("waits as long as a busy receiver asks, in seconds or until a time, and 30 s at most", function()
    for header, seconds in pairs({ ["7"] = 7, ["900"] = 30, ["Sun, 06 Nov 1994 08:49:57 GMT"] = 20, soon = 1,
      ["Sun, 06 Nov 1994 08:00:00 GMT"] = 0 }) do
      local ctx, _, pauses = context({ 503, 200 })
      ctx.host.clock.now = function() return 784111777 end
      local request = ctx.host.http.request
      ctx.host.http.request = function(r)
        local answer = request(r)
        answer.headers["retry-after"] = header
        return answer
      end
      assert.is_true(hooks.call(ctx, { name = "h", url = "http://h", retries = 1 }, "Progressing"))
      assert.same({ seconds }, pauses, header)
    end
  end)

  it("tells weight, iterations, failed checks and run where the hook wants them", function()
    local ctx, calls = context({ 200 })
    ctx.status.canaryWeight, ctx.status.runId = 40, "0123456789abcdef"
    hooks.call(ctx, { name = "h", url = "http://h", payload = "full" }, "Progressing")
    assert.equal('{"name":"app","namespace":"demo","phase":"Progressing","checksum":"7c9d467496",' ..
      '"canaryWeight":40,"iterations":0,"failedChecks":0,"runId":"0123456789abcdef"}', calls[1].body)
  end)
end)
