--- The event webhook: who gets an event, and what of it (hooks-alerts §2.1).

local chat = require("spec.support.chat")
local json = require("json")
local notify = require("canary.notify")

local OWN = { name = "mine", type = "event", url = "http://own/" }

local function context(webhooks, settings)
  local self = chat.new(settings or { event_webhook = "http://flags/" })
  self.events, self.host.unique = {}, function() return "1" end
  self.host.kube.event = function(object) self.events[#self.events + 1] = object end
  self.host.clock.now = function() return 1893456000.1239 end
  local ctx = { host = self.host, name = "app", namespace = "demo", label = "app.demo", memory = {}, events = {},
    object = { metadata = { uid = "u" } }, status = { phase = "Progressing", lastAppliedSpec = "4cb74184589" },
    canary = webhooks and { analysis = { webhooks = webhooks, alerts = {} } } }
  return ctx, self
end

local function flush(ctx, self)
  notify.flush(ctx)
  chat.work(self)
  return self.requests
end

local function urls(requests)
  local out = {}
  for index, request in ipairs(requests) do out[index] = request.url end
  return out
end

describe("the event webhook", function()
  it("gets phase, checksum, message, kind and time in milliseconds", function()
    local ctx, self = context({})
    notify.warning(ctx, "Halt <app>")
    local request = flush(ctx, self)[1]
    assert.equal('{"name":"app","namespace":"demo","phase":"Progressing","checksum":"7c9d467496","metadata":' ..
      '{"eventMessage":"Halt \\u003capp\\u003e","eventType":"Warning","timestamp":"1893456000123"}}', request.body)
    assert.same({ "POST", 10 }, { request.method, request.timeout })
  end)

  it("is the one of the flags when the Canary has no event hook", function()
    local ctx, self = context({ { name = "other", url = "http://other/" } })
    notify.normal(ctx, "a")
    assert.same({ "http://flags/" }, urls(flush(ctx, self)))
  end)

  it("is every event hook of the Canary, and then not the one of the flags", function()
    local ctx, self = context({ OWN, { name = "other", url = "http://other/" },
      { name = "too", type = "event", url = "http://too/" } })
    notify.normal(ctx, "a")
    notify.normal(ctx, "b")
    assert.same({ "http://own/", "http://too/", "http://own/", "http://too/" }, urls(flush(ctx, self)))
  end)

  it("is the one of the flags for a Canary that cannot be read", function()
    local ctx, self = context(nil)
    notify.warning(ctx, "it is invalid")
    assert.same({ "http://flags/" }, urls(flush(ctx, self)))
  end)

  it("is none without either; the event is in the log and on the Canary all the same", function()
    for _, settings in ipairs({ {}, { event_webhook = "" } }) do
      local ctx, self = context({}, settings)
      notify.normal(ctx, "a")
      assert.same({}, flush(ctx, self))
      assert.equal("a", self.events[1].message)
    end
  end)

  it("gets the hook's own metadata, which overrides nothing", function()
    local ctx, self = context({ { name = "mine", type = "event", url = "http://own/", metadata = { team = "shop",
      eventMessage = "x", eventType = "x", timestamp = "x" } } })
    notify.normal(ctx, "a")
    assert.same({ team = "shop", eventMessage = "a", eventType = "Normal", timestamp = "1893456000123" },
      json.decode(flush(ctx, self)[1].body).metadata)
  end)

  it("is told the phase of the moment, or the one that the event is about", function()
    local ctx, self = context({})
    notify.normal(ctx, "a")
    notify.normal(ctx, "b", "Succeeded")
    ctx.status.phase = "Promoting"
    notify.normal(ctx, "c")
    ctx.status.phase = nil
    notify.normal(ctx, "d")
    local phases = {}
    for index, request in ipairs(flush(ctx, self)) do phases[index] = json.decode(request.body).phase end
    assert.same({ "Progressing", "Succeeded", "Promoting", "" }, phases)
  end)

  it("follows timeout, retries and disableTLS of the hook; the one of the flags is asked once", function()
    local ctx, self = context({ { name = "mine", type = "event", url = "http://own/", timeout = "3s", retries = 2,
      disableTLS = true } })
    self.answers = { 503, 503, 200 }
    notify.normal(ctx, "a")
    local requests = flush(ctx, self)
    assert.same({ 3, 3, { insecure = true } }, { #requests, requests[1].timeout, requests[1].tls })
    ctx, self = context({})
    self.answers = { 503, 200 }
    notify.normal(ctx, "a")
    assert.equal(1, #flush(ctx, self))
    assert.matches("^event webhook event failed: POST http://flags/ giving up", self.logs[1].message)
  end)

  it("loses what cannot be sent, with a line in the log, and nothing else", function()
    local ctx, self = context({ OWN, { name = "keyed", type = "event", url = "http://keyed/",
      secretRef = { name = "gone" } } })
    self.answers = { { nil, "refused", "UNREACHABLE" }, 403, 200 }
    for _, message in ipairs({ "a", "b", "c" }) do notify.normal(ctx, message) end
    assert.equal(3, #flush(ctx, self))
    local lines = {}
    for index, line in ipairs(self.logs) do lines[index] = line.message end
    local gone = "event webhook keyed failed: secret gone not found"
    assert.same({ gone, gone, gone,
      "event webhook mine failed: POST http://own/ giving up after 1 attempt(s): refused",
      "event webhook mine failed: " }, lines)
  end)

  it("has at most 200 events waiting", function()
    local ctx, self = context({ OWN })
    for n = 1, 205 do notify.normal(ctx, "event " .. n) end
    assert.equal(200, #flush(ctx, self))
    assert.equal(5, #self.logs)
    assert.matches("200 events are waiting already", self.logs[1].message)
  end)
end)
