--- Alerts in the words of a custom script, rendered by real worker processes.

local T = require("T")
local json = require("json")
local library = require("spec.support.library")
local script = require("script")

local function objects(more)
  return [[
---
apiVersion: v1
kind: Secret
metadata: {name: on-call, namespace: demo}
data: {address: aHR0cDovL2NoYXQvY2FyZA==, token: dG9rZW4=}
---
apiVersion: flagger.app/v1beta1
kind: AlertProvider
metadata: {name: card, namespace: demo}
spec: {type: lua, channel: releases, secretRef: {name: on-call}, script: {name: card]] .. (more or "") .. "}}\n"
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function started(source, more)
  local run = library.applied({ files = { ["notify/card.lua"] = source }, objects = objects(more),
    analysis = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25, "
      .. "alerts: [{name: all, providerRef: {name: card}}]" })
  run.sent = {}
  run.world.hooks["http://chat/card"] = function(body, request)
    run.sent[#run.sent + 1] = { body = json.decode(body) or body, headers = request.headers }
    return 200, "ok"
  end
  run:wait_for_phase("demo", "app", "Initialized")
  run:pass(1)
  return run
end

local function ready(run)
  return run.world:get("AlertProvider", "demo", "card").status.conditions[1]
end

--- What the AlertProvider says when the script does this.
local function complaint(body, more)
  local run = started("return { name = 'card', api = 1, params = { n = { type = 'number' } }, "
    .. "render = function(event) " .. body .. " end }", more)
  assert.same({}, run.sent)
  return ready(run).message, ready(run).status
end

describe("an AlertProvider of type lua", function()
  setup(function() T.log_to("/dev/null") end)
  before_each(function() script.setup({}) end)
  after_each(function() library.clean() end)

  teardown(function()
    script.setup({})
    T.log_to()
  end)

  it("sends what the script renders, with the Secret's token", function()
    local run = started(read("examples/scripts/notify/card.lua"), ", params: {dashboard: 'https://grafana/d/'}")
    local card = run.sent[1]
    assert.equal("Bearer token", card.headers.Authorization)
    assert.same({ "releases", "flagger" }, { card.body.channel, card.body.username })
    assert.equal(":white_check_mark: *app.demo*\nNew Deployment detected, initialization completed.",
      card.body.blocks[1].text.text)
    assert.equal("https://grafana/d/app.demo", card.body.blocks[3].elements[1].url)
    assert.equal("True", ready(run).status)
  end)

  for body, message in pairs({
    ["return nil"] = "notify/card.lua: render: expected a request, found nil",
    ["return { url = 'http://evil' }"] = "notify/card.lua: render: expected method, headers or body, found url",
    ["return { body = 'x', headers = { Authorization = 'mine' } }"] = "notify/card.lua: headers.Authorization: "
      .. "expected none, as the token of the AlertProvider's Secret is sent",
    ["return { body = 1 }"] = "notify/card.lua: body: expected an object or a text, found number",
    ["error('no words')"] = "notify/card.lua:1: no words",
    ["while true do end"] = "notify/card.lua:1: used 100 ms of CPU without waiting, which is its limit",
  }) do
    it("says what is wrong with: " .. body, function()
      assert.same({ message, "False" }, { complaint(body) })
    end)
  end

  it("never shows the token to the script", function()
    local run = started("return { name = 'card', api = 1, render = function(event) return { body = event } end }")
    assert.is_nil(json.encode(run.sent[1].body):find("token"))
    assert.is_nil(json.encode(run.sent[1].body):find("http://chat"))
  end)

  it("says what is wrong with its parameters", function()
    assert.equal("spec.script.params.n: expected a number, found \"x\"", (complaint("return 1", ", params: {n: x}")))
  end)

  it("says when there is no such script", function()
    local run = started("return 1")
    assert.matches("^spec.script.name: notify/card.lua:1: script: expected a table", ready(run).message)
  end)
end)
