--- Several releases at once, and what people ask of one: the queue, groups, windows, intents.

local begin = require("spec.support.begin")
local manifests = require("spec.support.manifests")
local scenario = require("spec.support.scenario")

local METRIC = "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"
local WEIGHTED = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25, " .. METRIC
local NAMES = { "a", "b", "c", "d" }

local function phase(run, name) return run:status("demo", name).phase end

--- Canaries a, b, c, d, initialised.
local function several(settings, annotations)
  local run = scenario.new({ settings = settings })
  for _, name in ipairs(NAMES) do
    run.world:apply(manifests.deployment(name) .. manifests.canary(name, { analysis = WEIGHTED }))
    if annotations then run.world:annotate("Canary", "demo", name, annotations) end
  end
  for _, name in ipairs(NAMES) do run:wait_for_phase("demo", name, "Initialized") end
  return run
end

local ACTIVE = { Progressing = true, WaitingPromotion = true, Promoting = true, Finalising = true }

describe("-max-running", function()
  local LIMITED = { "-metrics-server=http://prometheus:9090", "-max-running=2" }

  it("lets so many releases run at once, the others in their order, their places in their status", function()
    local run, most, order = several(LIMITED), 0, {}
    local started = {}
    run.world.api.store:subscribe(function(event)
      if event.entry.kind ~= "Canary" or not event.object.status then return end
      local now = 0
      for _, name in ipairs(NAMES) do
        if ACTIVE[phase(run, name)] then
          now = now + 1
          if not started[name] then
            started[name] = true
            order[#order + 1] = name
          end
        end
      end
      most = math.max(most, now)
    end)
    for _, name in ipairs({ "d", "c", "b", "a" }) do
      run.world:set_image("demo", name, "podinfo:2")
      run:pass(1)
    end
    assert.same({ "queue", 1 }, { run:status("demo", "b").waiting["for"], run:status("demo", "b").waiting.position })
    assert.equal(2, run:status("demo", "a").waiting.position)
    for _, name in ipairs(NAMES) do run:wait_for_phase("demo", name, "Succeeded", 900) end
    assert.equal(2, most)
    assert.same({ "d", "c", "b", "a" }, order)
    assert.is_nil(run:status("demo", "a").waiting)
  end)

  it("lets nobody wait behind one that cannot start, or whose revision was taken back", function()
    local run = several({ LIMITED[1], "-max-running=1" })
    run.world:set_image("demo", "a", "podinfo:2")
    run:pass(1)
    run.world:set_image("demo", "b", "podinfo:2")
    run:pass(1)
    run.world:set_image("demo", "c", "podinfo:2")
    run:pass(1)
    assert.equal(2, run:status("demo", "c").waiting.position)
    run.world:set_image("demo", "b", "podinfo:1")
    run:pass(1)
    assert.is_nil(run:status("demo", "b").waiting)
    assert.equal(1, run:status("demo", "c").waiting.position)
    run:wait_for_phase("demo", "c", "Succeeded", 900)
  end)

  it("asks a gate before the queue, and not again in it", function()
    local run = scenario.new({ settings = { LIMITED[1], "-max-running=1" } })
    local asked = 0
    run.world.hooks["http://gate/"] = function()
      asked = asked + 1
      return 200, ""
    end
    run.world:apply(manifests.deployment("a") .. manifests.canary("a", { analysis = WEIGHTED }) ..
      manifests.deployment("b") .. manifests.canary("b", { analysis = WEIGHTED ..
        ", webhooks: [{name: gate, type: confirm-rollout, url: 'http://gate/'}]" }))
    for _, name in ipairs({ "a", "b" }) do run:wait_for_phase("demo", name, "Initialized") end
    run.world:set_image("demo", "a", "podinfo:2")
    run:pass(1)
    run.world:set_image("demo", "b", "podinfo:2")
    run:wait_for_phase("demo", "b", "Succeeded", 900)
    assert.equal(1, asked)
  end)
end)

describe("a group", function()
  local GROUP = { ["serin.dev/group"] = "shop" }

  it("is promoted together: nobody before the last has passed its last step", function()
    local run = several(nil, GROUP)
    local early = {}
    run.world.api.store:subscribe(function(event)
      if event.entry.kind ~= "Canary" or (event.object.status or {}).phase ~= "Promoting" then return end
      for _, name in ipairs(NAMES) do
        if (run:status("demo", name).canaryWeight or 0) < 50 and not phase(run, name):find("^[PFS][riu][onc]") then
          early[#early + 1] = event.object.metadata.name
        end
      end
    end)
    for index, name in ipairs({ "a", "b", "c" }) do
      run.world:set_image("demo", name, "podinfo:2")
      run:pass(index * 7)
    end
    run:wait(function() return (run:status("demo", "a").waiting or {})["for"] == "group" end)
    assert.truthy(run:status("demo", "a").waiting.detail)
    run.world:set_image("demo", "d", "podinfo:2")
    for _, name in ipairs(NAMES) do run:wait_for_phase("demo", name, "Succeeded", 900) end
    assert.same({}, early)
  end)

  it("is rolled back together", function()
    local run = several(nil, GROUP)
    for _, name in ipairs(NAMES) do
      run.world:set_image("demo", name, name == "c" and "podinfo:2-err50" or "podinfo:2")
    end
    for _, name in ipairs(NAMES) do run:wait_for_phase("demo", name, "Failed", 900) end
    for _, name in ipairs(NAMES) do assert.equal("podinfo:1", begin.image(run, name .. "-primary")) end
    assert.equal(1, begin.told(run, "Rolling back a.demo, c of its group failed"))
  end)

  it("does not take a failure of the past for one of this run", function()
    local run = several(nil, GROUP)
    run.world:set_image("demo", "c", "podinfo:2-err50")
    run:wait_for_phase("demo", "c", "Failed", 900)
    run:pass(60)
    run.world:set_image("demo", "a", "podinfo:2")
    run:wait_for_phase("demo", "a", "Succeeded", 900)
  end)
end)

describe("a window", function()
  -- the embedded clock starts on 2030-01-01 at midnight, a Tuesday
  local function windowed(annotations, change)
    local run = begin.initialised({ analysis = WEIGHTED })
    for key, value in pairs(annotations) do run.world:annotate("Canary", "demo", "app", { [key] = value }) end
    run:pass(1)
    if change ~= false then run.world:set_image("demo", "app", "podinfo:2") end
    return run
  end

  it("that is closed keeps a release from beginning until it opens", function()
    local run = windowed({ ["serin.dev/window"] = "0 1 * * * for 2h in UTC" })
    run:pass(600)
    assert.equal("Initialized", phase(run, "app"))
    assert.equal("window", run:status("demo", "app").waiting["for"])
    run:wait_for_phase("demo", "app", "Progressing", 3600)
    assert.is_true(run.world.now >= 1893456000 + 3600)
    run:wait_for_phase("demo", "app", "Succeeded", 900)
  end)

  it("that closes holds a run at its weight, judged all the while, and it may still be rolled back", function()
    local run = windowed({}, false)
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.world:annotate("Canary", "demo", "app", { ["serin.dev/freeze"] = "0 0 * * * for 24h" })
    run:pass(120)
    assert.same({ "Progressing", 25 }, { phase(run, "app"), run:status("demo", "app").canaryWeight })
    assert.equal("freeze", run:status("demo", "app").waiting["for"])
    assert.equal("pass", run:status("demo", "app").checks[1].verdict)
    run.world.prometheus.answer = function() return 1 end
    run:wait_for_phase("demo", "app", "Failed", 120)
  end)

  it("that cannot be read starts nothing and says why", function()
    local run = windowed({ ["serin.dev/window"] = "sometimes" })
    run:pass(60)
    assert.equal("Initialized", phase(run, "app"))
    assert.equal("Window", run:condition("demo", "app", "Stalled").reason)
  end)
end)

describe("an intent", function()
  local function ask(run, text)
    run.world:annotate("Canary", "demo", "app", { ["serin.dev/intent"] = text })
    run:pass(1)
    local object = run.world:get("Canary", "demo", "app")
    assert.is_nil((object.metadata.annotations or {})["serin.dev/intent"])
    return object.status.intent.outcome
  end

  local function at_25(hooks)
    local run = begin.progressing({ analysis = WEIGHTED, hooks = hooks })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    return run
  end

  it("promote promotes what is being analysed", function()
    local run = at_25()
    assert.equal("done", ask(run, "promote"))
    assert.equal("Promoting", phase(run, "app"))
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
    assert.equal(1, begin.told(run, "Intent promote of app.demo: done"))
  end)

  it("abort rolls it back, and what waits for approval as well", function()
    local run = at_25()
    assert.equal("done", ask(run, "abort"))
    assert.equal("Failed", phase(run, "app"))
    run = begin.initialised({ analysis = WEIGHTED, hooks = { "confirm-rollout" } })
    run.answers["confirm-rollout"] = 403
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Waiting")
    assert.equal("done", ask(run, "abort"))
    run:pass(60)
    assert.equal("Failed", phase(run, "app"))
  end)

  it("pause holds the weight until resume", function()
    local run = at_25()
    assert.equal("done", ask(run, "pause"))
    run:pass(60)
    assert.same({ 25, "resume", true }, { run:status("demo", "app").canaryWeight,
      run:status("demo", "app").waiting["for"], run:status("demo", "app").paused })
    assert.equal("done", ask(run, "resume"))
    run:wait_for_phase("demo", "app", "Succeeded")
  end)

  it("retry runs a failed revision again", function()
    local run = at_25()
    ask(run, "abort")
    run:pass(30)
    assert.equal("done", ask(run, "retry"))
    assert.equal("Progressing", phase(run, "app"))
    run:wait_for_phase("demo", "app", "Succeeded")
  end)

  it("approve stands for a hook, by name or type, once", function()
    local run = begin.initialised({ analysis = WEIGHTED, hooks = { { name = "lead", type = "confirm-promotion" } } })
    run.answers.lead = 403
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "WaitingPromotion")
    run.world:annotate("Canary", "demo", "app", { ["serin.dev/intent"] = "approve=lead" })
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal("done", run:status("demo", "app").intent.outcome)
    assert.is_nil((run.world:get("Canary", "demo", "app").metadata.annotations or {})["serin.dev/intent"])
  end)

  it("that cannot be followed says why and goes", function()
    local run = begin.initialised({ analysis = WEIGHTED })
    assert.equal("expected a run, found phase Initialized", ask(run, "promote"))
    assert.equal("expected a revision that failed, found phase Initialized", ask(run, "retry"))
    assert.equal("expected one of promote, abort, pause, resume, retry, approve, found promot (did you mean promote?)",
      ask(run, "promot"))
    assert.equal("expected approve=<name of a hook>, found no name", ask(run, "approve"))
  end)

  it("is followed once although the writes after it fail", function()
    local run = at_25()
    local n = 0
    run.world.api.fault = function(call)
      if not call.write or call.ref.kind == "Event" then return nil end
      n = n + 1
      return n % 2 == 1 and { before = "CONFLICT" } or nil
    end
    run.world:annotate("Canary", "demo", "app", { ["serin.dev/intent"] = "abort" })
    run:wait_for_phase("demo", "app", "Failed", 60)
    run:pass(10)
    assert.is_nil((run.world:get("Canary", "demo", "app").metadata.annotations or {})["serin.dev/intent"])
  end)
end)
