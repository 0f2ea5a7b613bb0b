--- Who is told what in a whole run (hooks-alerts §3, §4).

local begin = require("spec.support.begin")
local json = require("json")

local METRIC = "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"
local WEIGHTED = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25, " .. METRIC

local PROVIDERS = [[
---
apiVersion: flagger.app/v1beta1
kind: AlertProvider
metadata: {name: all, namespace: demo}
spec: {type: slack, channel: releases, address: "http://chat/all"}
---
apiVersion: v1
kind: Secret
metadata: {name: on-call, namespace: demo}
data: {address: aHR0cDovL2NoYXQvZXJyb3JzCg==, token: dG9rZW4=}
---
apiVersion: flagger.app/v1beta1
kind: AlertProvider
metadata: {name: errors, namespace: demo}
spec: {type: msteams, secretRef: {name: on-call}}
]]
local ALERTS = ", alerts: [{name: all, severity: info, providerRef: {name: all}}, " ..
  "{name: warnings, severity: warn, providerRef: {name: all}}, " ..
  "{name: errors, severity: error, providerRef: {name: errors}}]"

--- What each address was sent, as "severity-colour message".
local function listen(run, address, answer)
  local texts = {}
  run.world.hooks[address] = function(body, request)
    local message = assert(json.decode(body))
    local item = message.attachments and message.attachments[1] or message.sections and message.sections[1]
    texts[#texts + 1] = item.text or item.activityTitle
    texts.last = { body = message, headers = request.headers }
    return answer or 200, "busy"
  end
  return texts
end

local function started(change)
  change = change or {}
  change.analysis = (change.analysis or WEIGHTED) .. (change.alerts or ALERTS)
  change.objects = PROVIDERS .. (change.objects or "")
  local run = begin.applied(change)
  local all, errors = listen(run, "http://chat/all"), listen(run, "http://chat/errors")
  run:wait_for_phase("demo", "app", "Initialized")
  run:pass(1)
  return run, all, errors
end

local function plain(list)
  local out = {}
  for index, text in ipairs(list) do out[index] = text end
  return out
end

local function ready(run, name)
  local object = run.world:get("AlertProvider", "demo", name)
  local item = ((object.status or {}).conditions or {})[1]
  return item and ("%s %s"):format(item.status, item.message)
end

local INITIALISED, DETECTED = "New Deployment detected, initialization completed.",
  "New revision detected, progressing canary analysis."

describe("alerts", function()
  it("of a promoted revision", function()
    local run, all, errors = started()
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Succeeded")
    run:pass(10)
    assert.same({ INITIALISED, DETECTED, "Canary analysis completed successfully, promotion finished." }, plain(all))
    assert.same({}, plain(errors))
    assert.equal("True the last alert was delivered", ready(run, "all"))
    assert.is_nil(ready(run, "errors"))
  end)

  it("say what the Canary is about, where that is new", function()
    local run, all = started({ settings = { "-metrics-server=http://prometheus:9090", "-cluster-name=east" } })
    assert.equal("releases", all.last.body.channel)
    local fields = {}
    for index, field in ipairs(all.last.body.attachments[1].fields) do
      fields[index] = field.title .. "=" .. field.value
    end
    assert.same({ "Cluster=east", "Target=Deployment/app.demo", "Failed checks threshold=3", "Progress deadline=60s",
      "Traffic routing=Weight step: 25 max: 50" }, fields)
    assert.is_not_nil(run)
  end)

  it("of a revision that is rolled back at the threshold: errors go to all who want warnings, too", function()
    local run, all, errors = started()
    run.world:set_image("demo", "app", "podinfo:2-err50")
    run:wait_for_phase("demo", "app", "Failed")
    run:pass(30)
    local failed = "Failed checks threshold reached 3"
    assert.same({ INITIALISED, DETECTED, failed, failed }, plain(all))
    assert.same({ failed }, plain(errors))
  end)

  it("of a canary past its deadline (gaps 3.12)", function()
    local run, _, errors = started()
    run.world:patch("Deployment", "demo", "app", { spec = { progressDeadlineSeconds = 30 } })
    run.world:break_pods("demo", "app-*")
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Progressing")
    run:wait_for_phase("demo", "app", "Failed")
    run:pass(30)
    assert.same({ 'Progress deadline exceeded canary deployment app.demo not ready: deployment "app" exceeded its ' ..
      "progress deadline" }, plain(errors))
  end)

  it("of gates, once for each wait, and none where they are muted", function()
    local kinds = { "confirm-rollout", "confirm-traffic-increase", "confirm-promotion" }
    local texts = { "Canary is waiting for approval.", "Canary traffic increase is waiting for approval.",
      "Canary promotion is waiting for approval." }
    for _, mute in ipairs({ false, true }) do
      local hooks = {}
      for index, kind in ipairs(kinds) do
        hooks[index] = { name = kind, type = kind, more = "muteAlert: " .. tostring(mute) }
      end
      local run, all = started({ hooks = hooks,
        alerts = ", alerts: [{name: w, severity: warn, providerRef: {name: all}}]" })
      run.world:set_image("demo", "app", "podinfo:2")
      for index, kind in ipairs(kinds) do
        for _, other in ipairs(kinds) do run.answers[other] = other == kind and 403 or 200 end
        run:wait(function() return begin.asked(run, kind) > 2 end, 300, kind)
        if not mute then assert.same({ table.unpack(texts, 1, index) }, plain(all)) end
      end
      run.answers = {}
      run:wait_for_phase("demo", "app", "Succeeded")
      assert.equal(mute and 0 or 3, #all)
    end
  end)

  local APPROVAL = "Canary traffic increase is waiting for approval."

  --- A run whose traffic waits for approval at its first weight, and what was told of that.
  local function waiting()
    local run, all = started({ hooks = { "confirm-traffic-increase", "rollout" },
      alerts = ", alerts: [{name: w, severity: warn, providerRef: {name: all}}]" })
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.answers["confirm-traffic-increase"] = 403
    run:wait(function() return (run:status("demo", "app").waiting or {})["for"] == "approval" end)
    run:pass(1)
    assert.same({ APPROVAL }, plain(all))
    return run, all
  end

  it("of a wait are not repeated by failed checks, nor by the next process", function()
    local run, all = waiting()
    assert.equal("confirm-traffic-increase", run:status("demo", "app").waiting.detail)
    run.answers.rollout = 500
    run:wait(function() return run:status("demo", "app").failedChecks == 1 end)
    run.answers.rollout = 200
    run.driver:kill_after(1)
    run:pass(60)
    assert.equal(1, run.driver.deaths)
    assert.same({ APPROVAL }, plain(all))
  end)

  it("of a wait are told again when the next step has to wait too", function()
    local run, all = waiting()
    run.answers["confirm-traffic-increase"] = 200
    run:wait(function() return run:status("demo", "app").canaryWeight == 50 end)
    assert.is_nil(run:status("demo", "app").waiting)
    run.answers["confirm-traffic-increase"] = 403
    run:pass(30)
    assert.same({ APPROVAL, APPROVAL }, plain(all))
  end)

  it("are told once although the tick that stored the decision fails afterwards", function()
    local run, all = started()
    run.world:set_image("demo", "app", "podinfo:2-err50")
    run:wait_for_phase("demo", "app", "Failed")
    run:pass(30)
    local failed
    run.world.api.fault = function(call)
      local taken_off = call.write and call.ref.kind == "Canary" and (call.body.metadata or {}).annotations
      if failed or not taken_off then return nil end
      failed = true
      return { before = "CONFLICT" }
    end
    run.world:patch("Canary", "demo", "app", { metadata = { annotations = { ["serin.dev/intent"] = "retry" } } })
    run:wait_for_phase("demo", "app", "Progressing")
    run:pass(5)
    assert.is_true(failed)
    local rolled_back = "Failed checks threshold reached 3"
    assert.same({ INITIALISED, DETECTED, rolled_back, rolled_back, DETECTED }, plain(all))
  end)

  it("are told once at most, and end nothing, wherever the engine dies", function()
    local run = started()
    local before = run.world.api:writes()
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Succeeded")
    run:pass(10)
    for n = 1, run.world.api:writes() - before do
      local all
      run, all = started()
      run.world:set_image("demo", "app", "podinfo:2")
      run.driver:kill_after(n, n % 2 == 0 and "after" or "before")
      run:wait_for_phase("demo", "app", "Succeeded")
      run:pass(10)
      assert.equal(1, run.driver.deaths)
      local met = {}
      for _, message in ipairs(all) do
        assert.is_nil(met[message], ("write %d: %s"):format(n, message))
        met[message] = true
      end
    end
  end)

  it("of a rollback hook, and of a failed promotion", function()
    local warnings = ALERTS:gsub("severity: error", "severity: warn")
    local run, _, errors = started({ hooks = { "rollback" }, alerts = warnings })
    run.answers.rollback = 403
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.answers.rollback = 200
    run:wait_for_phase("demo", "app", "Failed")
    run:pass(5)
    assert.same({ "Rolling back manual webhook invoked" }, plain(errors))

    run, _, errors = started()
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait(function() return run:status("demo", "app").canaryWeight == 50 end)
    run.world:break_pods("demo", "app-primary-*")
    run:wait_for_phase("demo", "app", "Failed", 1800)
    run:pass(300)
    assert.equal(1, #errors)
    assert.truthy(errors[1]:find("^Promotion failed, primary not ready: app%-primary%.demo not ready"), errors[1])
  end)

  it("without analysis end with their own words", function()
    local run, all = started({ spec = "  skipAnalysis: true" })
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Succeeded")
    run:pass(5)
    assert.equal("Canary analysis was skipped, promotion finished.", all[#all])
  end)

  it("go to everybody without a severity, as documented (gaps 4.10)", function()
    local _, all = started({ alerts = ", alerts: [{name: x, providerRef: {name: all}}]" })
    assert.same({ INITIALISED }, plain(all))
  end)

  it("go to the process' own receiver when the Canary names none, with the token of the flags", function()
    local run = begin.applied({ settings = { "-metrics-server=http://prometheus:9090", "-slack-url=http://chat/global",
      "-slack-channel=ops", "-slack-token=abc" } })
    local texts = listen(run, "http://chat/global")
    run:wait_for_phase("demo", "app", "Initialized")
    run:pass(1)
    assert.same({ INITIALISED }, plain(texts))
    assert.equal("ops", texts.last.body.channel)
    assert.equal("Bearer abc", texts.last.headers.Authorization)
  end)

  it("that cannot be delivered are a condition of their AlertProvider and hold nothing up", function()
    local run = begin.applied({ analysis = WEIGHTED .. ALERTS, objects = PROVIDERS })
    listen(run, "http://chat/all", 503)
    run.world:delete("Secret", "demo", "on-call")
    run.world:set_image("demo", "app", "podinfo:1")
    run:wait_for_phase("demo", "app", "Initialized")
    run.world:set_image("demo", "app", "podinfo:2-err50")
    run:wait_for_phase("demo", "app", "Failed")
    run:pass(5)
    assert.equal("False sending notification bad response 503", ready(run, "all"))
    assert.equal("False secret on-call not found", ready(run, "errors"))
    listen(run, "http://chat/all")
    run.world:set_image("demo", "app", "podinfo:3")
    run:wait_for_phase("demo", "app", "Succeeded")
    run:pass(5)
    assert.equal("True the last alert was delivered", ready(run, "all"))
  end)

  it("to a chat that never answers delay no step", function()
    local function seconds(slow)
      local run, all = started()
      run.world.hooks["http://chat/all"] = function(_, request)
        all[#all + 1] = request.timeout
        if slow then run.driver.host.clock.sleep(request.timeout) end
        return nil, "no answer within 5000 ms", "TIMEOUT"
      end
      local from = run.world.now
      run.world:set_image("demo", "app", "podinfo:2")
      run:wait_for_phase("demo", "app", "Succeeded")
      assert.equal(5, all[#all])
      return run.world.now - from
    end
    assert.equal(seconds(false), seconds(true))
  end)

  it("to nobody or nowhere are told in the log", function()
    for spec, sentence in pairs({
      ["{type: slack, address: chat}"] =
        'False spec.address: expected a URL that begins with http:// or https://, found "chat"',
      ["{type: slack, address: 'http://nobody/'}"] =
        "False sending notification failed: could not resolve host: nobody",
    }) do
      local run = begin.applied({ analysis = WEIGHTED .. ", alerts: [{name: x, providerRef: {name: odd}}, " ..
        "{name: y, providerRef: {name: missing}}]", objects = "---\napiVersion: flagger.app/v1beta1\n" ..
        "kind: AlertProvider\nmetadata: {name: odd, namespace: demo}\nspec: " .. spec .. "\n" })
      run:wait_for_phase("demo", "app", "Initialized")
      run:pass(5)
      assert.equal(sentence, ready(run, "odd"))
      local told = {}
      for _, line in ipairs(run.driver.host.logs) do
        if line.level == "error" then told[line.message] = (told[line.message] or 0) + 1 end
      end
      assert.same({ ["alert provider odd.demo: " .. sentence:sub(7)] = 1,
        ["alert provider missing.demo: not found"] = 1 }, told)
    end
  end)
end)
