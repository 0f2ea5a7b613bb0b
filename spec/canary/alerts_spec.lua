--- Which alert goes where, when, and how often (hooks-alerts §3, §4).

local alerts = require("canary.alerts")
local chat = require("spec.support.chat")
local json = require("json")

local function context(self, entries, change)
  local canary = { strategy = "canary", target = { kind = "Deployment", name = "app" }, progress_deadline = 600,
    analysis = { alerts = entries or {}, threshold = 5, step_weight = 5, given_max_weight = 50 } }
  for key, value in pairs(change or {}) do canary.analysis[key] = value end
  return { host = self.host, label = "app.demo", namespace = "demo", memory = {}, canary = canary }
end

local function entry(severity, name, namespace)
  return { name = "x", severity = severity, providerRef = { name = name, namespace = namespace } }
end

--- "severity message" of what `entries` let through.
local function told(self, entries, list)
  local ctx = context(self, entries)
  for _, severity in ipairs(list) do alerts.send(ctx, severity, "it is " .. severity) end
  alerts.flush(ctx)
  chat.work(self)
  local out = {}
  for index, request in ipairs(self.requests) do
    out[index] = json.decode(request.body).attachments[1].text:gsub("^it is ", "")
  end
  return out
end

local function slack()
  local self = chat.new()
  chat.provide(self, "all", { type = "slack", address = "http://chat/all" })
  return self
end

local EVERY = { "info", "warn", "error" }

describe("canary.alerts", function()
  for severity, want in pairs({ info = EVERY, [""] = EVERY, warn = { "warn", "error" }, error = { "error" },
    loud = {} }) do
    it(("gives an entry of severity '%s' its own alerts"):format(severity), function()
      assert.same(want, told(slack(), { entry(severity, "all") }, EVERY))
    end)
  end

  it("gives an entry without a severity everything", function()
    assert.same(EVERY, told(slack(), { entry(nil, "all") }, EVERY))
  end)

  it("takes the AlertProvider from the Canary's namespace, or from the one that is named", function()
    local self = slack()
    self.objects["AlertProvider ops/all"] = { metadata = { name = "all", namespace = "ops" },
      spec = { type = "slack", address = "http://chat/ops" } }
    told(self, { entry(nil, "all"), entry(nil, "all", "ops"), entry(nil, "all", "") }, { "info" })
    local urls = {}
    for index, request in ipairs(self.requests) do urls[index] = request.url end
    table.sort(urls)
    assert.same({ "http://chat/all", "http://chat/all", "http://chat/ops" }, urls)
  end)

  it("uses the chat of the flags only for a Canary that names none", function()
    local self = slack()
    self.host.settings = { slack_url = "http://flags/", slack_channel = "ops" }
    told(self, { entry("error", "all") }, { "info" })
    assert.same({}, self.requests)
    told(self, {}, EVERY)
    assert.equal(3, #self.requests)
    assert.equal("http://flags/", self.requests[1].url)
    assert.same({}, self.patches)
  end)

  it("is silent without a receiver", function()
    local self = chat.new({ slack_url = "http://flags/", slack_channel = "" })
    told(self, {}, EVERY)
    assert.same({}, self.requests)
    assert.same({}, self.logs)
  end)

  it("waits for nothing within the tick", function()
    local self = slack()
    local ctx = context(self, { entry(nil, "all") })
    alerts.send(ctx, "info", "a")
    alerts.flush(ctx)
    assert.same({}, self.requests)
    assert.equal(1, #self.jobs)
    assert.is_nil(ctx.alerts)
  end)

  it("lets no receiver wait for another one", function()
    local self = slack()
    local ctx = context(self, { entry(nil, "all"), entry(nil, "gone") })
    alerts.send(ctx, "info", "a")
    alerts.flush(ctx)
    assert.equal(2, #self.jobs)
    chat.work(self)
    assert.same({}, ctx.memory.outboxes)
  end)

  it("keeps the order over ticks, with one job at work", function()
    local self = slack()
    local ctx = context(self, { entry(nil, "all") })
    for _, text in ipairs({ "a", "b", "c" }) do
      alerts.send(ctx, "info", text)
      alerts.flush(ctx)
    end
    assert.equal(1, #self.jobs)
    chat.work(self)
    alerts.send(ctx, "info", "d")
    alerts.flush(ctx)
    chat.work(self)
    local out = {}
    for index, request in ipairs(self.requests) do out[index] = json.decode(request.body).attachments[1].text end
    assert.same({ "a", "b", "c", "d" }, out)
  end)

  it("drops what more than a hundred alerts are before, and says so", function()
    local self = slack()
    local ctx = context(self, { entry(nil, "all") })
    for n = 1, 102 do alerts.send(ctx, "info", "alert " .. n) end
    alerts.flush(ctx)
    chat.work(self)
    assert.equal(100, #self.requests)
    assert.equal("alert provider all.demo: 100 alerts are waiting already, dropped: alert 102", self.logs[2].message)
  end)

  it("cuts a message between characters", function()
    local self = slack()
    local ctx = context(self, { entry(nil, "all") })
    alerts.send(ctx, "info", "x" .. ("é"):rep(2000))
    alerts.flush(ctx)
    chat.work(self)
    assert.equal("x" .. ("é"):rep(511) .. "...", json.decode(self.requests[1].body).attachments[1].text)
  end)

  it("goes on with the next receiver when one is missing or cannot be reached", function()
    local self = slack()
    chat.provide(self, "down", { type = "slack", address = "http://down/" })
    self.answers = { { nil, "connection refused", "TIMEOUT" } }
    told(self, { entry(nil, "gone"), entry(nil, "down"), entry(nil, "all") }, { "info" })
    assert.equal("http://chat/all", self.requests[2].url)
    assert.equal("alert provider gone.demo: not found", self.logs[1].message)
    assert.same({ canary = "app.demo" }, self.logs[1].fields)
    assert.equal("alert provider down.demo: sending notification failed: connection refused", self.logs[2].message)
    assert.equal("True the last alert was delivered", chat.ready(self, "all"))
  end)

  it("names the entry that names nothing", function()
    for _, odd in ipairs({ { name = "x" }, { name = "x", providerRef = {} }, { providerRef = "all" }, "all", 7,
      { providerRef = { name = 7 } } }) do
      local self = slack()
      told(self, { entry("error", "all"), odd }, { "info" })
      assert.equal("alert provider ?: spec.analysis.alerts[1].providerRef.name: expected a name, found none",
        self.logs[1].message)
    end
  end)
end)

describe("the fields of an alert", function()
  local function fields(change, settings, without)
    local self = slack()
    self.host.settings = settings or {}
    local ctx = context(self, { entry(nil, "all") }, change)
    ctx.canary.strategy = change and change.strategy or "canary"
    alerts.send(ctx, "info", "a", not without)
    local out = {}
    for index, field in ipairs(ctx.alerts[1].fields) do out[index] = field.name .. "=" .. field.value end
    return out
  end

  it("say what the Canary is about, behind the name of the cluster", function()
    assert.same({ "Cluster=east", "Target=Deployment/app.demo", "Failed checks threshold=5", "Progress deadline=600s",
      "Traffic routing=Weight step: 5 max: 50" }, fields(nil, { cluster_name = "east" }))
  end)

  it("are the cluster's name alone where the rest is known", function()
    assert.same({ "Cluster=east" }, fields(nil, { cluster_name = "east" }, true))
    assert.same({}, fields(nil, { cluster_name = "" }, true))
  end)

  for want, change in pairs({
    ["A/B Testing"] = { strategy = "ab-testing" },
    ["Blue/Green"] = { strategy = "blue-green" },
    ["Weight steps: 1,2,10 max: 0"] = { step_weights = { 1, 2, 10 }, given_max_weight = 0 },
    ["Weight step: 5 max: 0"] = { given_max_weight = 0 },
  }) do
    it("call the routing " .. want, function() assert.equal("Traffic routing=" .. want, fields(change)[4]) end)
  end

  it("leave the routing out when nothing says how", function() assert.equal(3, #fields({ step_weight = 0 })) end)
end)
