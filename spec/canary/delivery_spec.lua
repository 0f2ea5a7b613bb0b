--- One alert on its way to one receiver, and the condition that tells how it went.

local chat = require("spec.support.chat")
local delivery = require("canary.delivery")
local json = require("json")

local ALERT = { canary = "app.demo", severity = "warn", message = "m", fields = {} }

local function to(change)
  local out = { name = "p.demo", type = "slack", address = "http://chat/" }
  for key, value in pairs(change or {}) do out[key] = value end
  return out
end

local function send(answers, change)
  local self = chat.new()
  self.answers = answers
  return self, table.pack(delivery.send(self.host, ALERT, to(change)))
end

describe("canary.delivery", function()
  it("posts JSON and waits for five seconds at most", function()
    local self, result = send({ 200 })
    local request = self.requests[1]
    assert.same({ "POST", "http://chat/", 5, "application/json" },
      { request.method, request.url, request.timeout, request.headers["Content-Type"] })
    assert.is_true(result[1])
  end)

  it("uses the usual name and channel where none is said", function()
    local body = json.decode(send({}).requests[1].body)
    assert.same({ "general", "flagger" }, { body.channel, body.username })
    body = json.decode(send({}, { channel = "c", username = "u" }).requests[1].body)
    assert.same({ "c", "u" }, { body.channel, body.username })
  end)

  it("goes through the proxy, trusts the authority, and keeps a token from other hosts", function()
    local plain = send({}).requests[1]
    assert.same({ follow = true }, { proxy = plain.proxy, tls = plain.tls, follow = plain.follow })
    local request = send({}, { proxy = "http://p:1", ca = "PEM", token = "t" }).requests[1]
    assert.same({ "http://p:1", { ca = "PEM" }, false, "Bearer t" },
      { request.proxy, request.tls, request.follow, request.headers.Authorization })
  end)

  local GOOD = { [199] = false, [200] = true, [204] = true, [299] = true, [300] = false, [404] = false }
  for status, good in pairs(GOOD) do
    it(("takes status %d for %s"):format(status, good and "delivered" or "refused"), function()
      local self, result = send({ { status, "body" } })
      assert.equal(good or nil, result[1])
      assert.equal(1, #self.requests)
      if not good then assert.same({ ("sending notification bad response %d"):format(status), "body" },
        { result[2], result[3] }) end
    end)
  end

  it("tries three times when the chat is busy or not there, as slowly as it asks", function()
    local self, result = send({ { 429, "", { ["retry-after"] = "7" } }, { nil, "refused", "UNREACHABLE" }, 503, 200 })
    assert.same({ 7, 2 }, self.pauses)
    assert.equal(3, #self.requests)
    assert.equal("sending notification bad response 503", result[2])
    self, result = send({ 500, 200 })
    assert.same({ 2, true }, { #self.requests, result[1] })
  end)

  it("does not send again what may have arrived", function()
    local self, result = send({ { nil, "no answer within 5000 ms", "TIMEOUT" } })
    assert.equal(1, #self.requests)
    assert.equal("sending notification failed: no answer within 5000 ms", result[2])
  end)

  it("reads a refusal in a good answer", function()
    local _, result = send({ { 200, '{"ok":false,"error":"channel_not_found"}' } })
    assert.equal("sending notification failed: the chat answered channel_not_found", result[2])
    _, result = send({ { 200, "Webhook message delivery failed with error: 429" } }, { type = "msteams" })
    assert.equal("sending notification failed: the connector could not deliver it", result[2])
    assert.equal("Webhook message delivery failed with error: 429", result[3])
  end)
end)

describe("the condition Ready", function()
  local function show(self, failure)
    return delivery.show(self.host, { metadata = { name = "p", namespace = "demo" } }, failure)
  end

  local function provider()
    local self = chat.new()
    chat.provide(self, "p", { type = "slack", address = "http://chat/" })
    return self
  end

  it("is written when it changes, and only then", function()
    local self = provider()
    for _ = 1, 3 do show(self) end
    assert.equal(1, #self.patches)
    for _ = 1, 3 do show(self, "down") end
    assert.equal(2, #self.patches)
    assert.equal("False down", chat.ready(self, "p"))
    show(self)
    assert.equal("True the last alert was delivered", chat.ready(self, "p"))
    assert.same({ subresource = "status" }, self.patches[1].options)
  end)

  it("moves its times as Kubernetes' conventions say, and leaves the conditions of others", function()
    local self = provider()
    self.objects["AlertProvider demo/p"].status = { conditions = json.array({
      { type = "Other", status = "True" },
      { type = "Ready", status = "False", message = "old", lastTransitionTime = "2029-01-01T00:00:00Z" } }) }
    show(self, "new")
    local conditions = self.objects["AlertProvider demo/p"].status.conditions
    assert.same({ type = "Other", status = "True" }, conditions[1])
    assert.same({ type = "Ready", status = "False", reason = "DeliveryFailed", message = "new",
      lastTransitionTime = "2029-01-01T00:00:00Z", lastUpdateTime = "2030-01-01T00:00:00Z" }, conditions[2])
    show(self)
    assert.equal("2030-01-01T00:00:00Z", self.objects["AlertProvider demo/p"].status.conditions[2].lastTransitionTime)
  end)

  it("is bounded", function()
    local self = provider()
    show(self, ("x"):rep(4000))
    assert.equal(("x"):rep(512) .. "...", self.patches[1].patch.status.conditions[1].message)
  end)

  it("is written again after a conflict, on what is newest", function()
    local self = provider()
    self.patch_faults = { { "it changed", "CONFLICT" }, { "it changed", "CONFLICT" } }
    assert.is_nil(show(self))
    assert.same({ 3, { 1, 1 } }, { #self.patches, self.pauses })
    assert.equal("1", self.patches[3].patch.metadata.resourceVersion)
    self.patch_faults = { { "a", "CONFLICT" }, { "b", "CONFLICT" }, { "c", "CONFLICT" } }
    assert.equal("c", show(self, "x"))
  end)

  it("says why it could not be written, and is not written on one that is gone", function()
    local self = provider()
    self.patch_faults = { { "it is forbidden", "FORBIDDEN" } }
    assert.equal("it is forbidden", show(self))
    self.objects = {}
    assert.is_nil(show(self))
    assert.equal(1, #self.patches)
  end)
end)
