--- Webhooks of a whole run: when each is asked, and what its answer does (state-machine §6.1, §6.4, §8).

local begin = require("spec.support.begin")

local WEIGHTED = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25"

local function calls(run)
  local out = {}
  for index, call in ipairs(run.calls) do out[index] = call.name .. " " .. call.phase end
  return out
end

local function finish(run, phase)
  run:wait_for_phase("demo", "app", phase or "Succeeded")
  run:pass(20)
end

describe("confirm-rollout", function()
  it("halts a revision in Waiting, says so once, and lets it go on when it agrees", function()
    local run = begin.initialised({ hooks = { "confirm-rollout" } })
    run.answers["confirm-rollout"] = 403
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Waiting")
    run:pass(35)
    assert.equal("Waiting", run:status("demo", "app").phase)
    assert.equal("Unknown", run:condition("demo", "app", "Promoted").status)
    assert.equal(0, begin.replicas(run, "app"))
    assert.equal(1, begin.told(run, "Halt app.demo advancement waiting for approval confirm-rollout"))
    assert.same({ "confirm-rollout Initialized", "confirm-rollout Waiting" }, { calls(run)[1], calls(run)[2] })
    run.answers["confirm-rollout"] = 200
    finish(run)
    assert.equal(1, begin.told(run, "Confirm-rollout check confirm-rollout passed"))
  end)

  it("is asked in the order of the list, and the first that refuses ends it", function()
    local run = begin.initialised({ hooks = { { name = "a", type = "confirm-rollout" },
      { name = "b", type = "confirm-rollout" }, { name = "c", type = "confirm-rollout" } } })
    run.answers.b = 500
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Waiting")
    assert.same({ "a Initialized", "b Initialized" }, calls(run))
  end)

  it("is not asked again when a newer revision restarts the run", function()
    local run = begin.progressing({ hooks = { "confirm-rollout" } })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.world:set_image("demo", "app", "podinfo:3")
    finish(run)
    assert.equal(1, begin.asked(run, "confirm-rollout"))
  end)
end)

describe("pre-rollout", function()
  it("counts a failed check for each refusal, keeps traffic off the canary, and rolls back at the threshold", function()
    local run = begin.initialised({ hooks = { "pre-rollout" } })
    run.answers["pre-rollout"] = 500
    run.world:set_image("demo", "app", "podinfo:2")
    finish(run, "Failed")
    assert.equal(3, begin.asked(run, "pre-rollout"))
    assert.same({ "Initializing 0 0", "Initialized 0 0", "Progressing 0 0", "Failed 0 0" }, run:steps("demo", "app"))
    assert.equal(3, begin.told(run, "Halt app.demo advancement pre-rollout check pre-rollout failed " ..
      "POST http://hooks/pre-rollout giving up after 1 attempt(s)"))
  end)

  it("is asked once when it agrees", function()
    local run = begin.progressing({ hooks = { "pre-rollout" } })
    finish(run)
    assert.same({ "pre-rollout Progressing" }, calls(run))
    assert.equal(1, begin.told(run, "Pre-rollout check pre-rollout passed"))
    assert.equal(1, begin.told(run, "Starting canary analysis for app.demo"))
  end)

  it("is asked again when the run is restarted", function()
    local run = begin.progressing({ hooks = { "pre-rollout" } })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.world:set_image("demo", "app", "podinfo:3")
    finish(run)
    assert.equal(2, begin.asked(run, "pre-rollout"))
  end)
end)

describe("rollout", function()
  it("is asked at each analysis with traffic and counts as a failed check", function()
    local run = begin.progressing({ hooks = { "rollout" } })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.answers.rollout = 400
    run:wait(function() return run:status("demo", "app").failedChecks == 1 end)
    run.answers.rollout = 200
    assert.equal(25, run:status("demo", "app").canaryWeight)
    assert.equal(1, begin.told(run, "Halt app.demo advancement external check rollout failed said rollout"))
    finish(run)
    assert.equal(3, begin.asked(run, "rollout"))
  end)

  it("that fails spares the metrics of that interval (6.4)", function()
    local metrics = ", metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"
    local run = begin.initialised({ analysis = WEIGHTED .. metrics, hooks = { "rollout" } })
    run.answers.rollout = 400
    run.world:set_image("demo", "app", "podinfo:2")
    finish(run, "Failed")
    for _, query in ipairs(run:queries()) do assert.equal("vector(1)", query) end
  end)
end)

describe("confirm-traffic-increase", function()
  it("holds the weight without counting, tells it once, and is asked each interval", function()
    local run = begin.progressing({ hooks = { "confirm-traffic-increase" } })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.answers["confirm-traffic-increase"] = 403
    local before = begin.asked(run, "confirm-traffic-increase")
    run:pass(45)
    local status = run:status("demo", "app")
    assert.same({ "Progressing", 25, 0 }, { status.phase, status.canaryWeight, status.failedChecks })
    local asked = begin.asked(run, "confirm-traffic-increase") - before
    assert.is_true(asked >= 3 and asked <= 5, asked)
    assert.equal(1, begin.told(run,
      "Halt app.demo advancement waiting for traffic increase approval confirm-traffic-increase"))
    run.answers["confirm-traffic-increase"] = 200
    finish(run)
  end)

  it("is asked in the tick that promotes too", function()
    local run = begin.progressing({ hooks = { "confirm-traffic-increase", "confirm-promotion" } })
    finish(run)
    local list = calls(run)
    assert.same({ "confirm-traffic-increase Progressing", "confirm-promotion Progressing" },
      { list[#list - 1], list[#list] })
  end)

  it("is not asked in blue/green", function()
    local run = begin.progressing({ analysis = "interval: 10s, threshold: 3, iterations: 2",
      hooks = { "confirm-traffic-increase" } })
    finish(run)
    assert.equal(0, #run.calls)
  end)
end)

describe("confirm-promotion", function()
  it("halts in WaitingPromotion at the last weight while checks go on, and goes on where it stands", function()
    local run = begin.initialised({ hooks = { "rollout", "confirm-promotion" } })
    run.answers["confirm-promotion"] = 403
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "WaitingPromotion")
    local before = begin.asked(run, "rollout")
    run:pass(35)
    local status = run:status("demo", "app")
    assert.same({ "WaitingPromotion", 50, 0 }, { status.phase, status.canaryWeight, status.iterations })
    assert.is_true(begin.asked(run, "rollout") >= before + 3)
    assert.equal(1, begin.told(run, "Halt app.demo advancement waiting for promotion approval confirm-promotion"))
    run.answers["confirm-promotion"] = 200
    finish(run)
    local steps = table.concat(run:steps("demo", "app"), "; ")
    assert.truthy(steps:find("WaitingPromotion 50 0; Promoting 50 0; Finalising 0 0; Succeeded 0 0", 1, true), steps)
  end)

  it("does not save a revision whose checks fail while it waits", function()
    local run = begin.initialised({ hooks = { "rollout", "confirm-promotion" } })
    run.answers["confirm-promotion"] = 403
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "WaitingPromotion")
    run.answers.rollout = 500
    finish(run, "Failed")
    assert.equal("podinfo:1", begin.image(run, "app-primary"))
    assert.equal(1, begin.told(run, "Rolling back app.demo failed checks threshold reached 3"))
  end)

  it("is left for a restart when a newer revision comes", function()
    local run = begin.initialised({ hooks = { "confirm-promotion" } })
    run.answers["confirm-promotion"] = 403
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "WaitingPromotion")
    run.world:set_image("demo", "app", "podinfo:3")
    run:wait_for_phase("demo", "app", "Progressing")
    run.answers["confirm-promotion"] = 200
    finish(run)
    assert.equal("podinfo:3", begin.image(run, "app-primary"))
  end)

  it("is asked once in blue/green, before all traffic moves (gaps 3.13)", function()
    local run = begin.progressing({ analysis = "interval: 10s, threshold: 3, iterations: 2",
      hooks = { "confirm-promotion" } })
    finish(run)
    assert.equal(1, begin.asked(run, "confirm-promotion"))
  end)
end)

describe("rollback", function()
  it("that agrees rolls the revision back, whatever the checks say", function()
    local run = begin.initialised({ hooks = { "rollback" } })
    run.answers.rollback = 403
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.answers.rollback = 200
    finish(run, "Failed")
    assert.equal(1, begin.told(run, "Rollback check rollback passed"))
    assert.equal(1, begin.told(run, "Rolling back app.demo manual webhook invoked"))
    assert.equal(1, begin.told(run, "Rollback hook rollback not signaling a rollback"))
    assert.equal("podinfo:1", begin.image(run, "app-primary"))
    assert.equal(0, begin.replicas(run, "app"))
  end)

  it("is asked in WaitingPromotion as well", function()
    local run = begin.initialised({ hooks = { "rollback", "confirm-promotion" } })
    run.answers.rollback, run.answers["confirm-promotion"] = 403, 403
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "WaitingPromotion")
    run.answers.rollback = 200
    finish(run, "Failed")
    assert.equal("rollback WaitingPromotion", calls(run)[#run.calls])
  end)
end)

describe("post-rollout", function()
  it("is told of a success once, and what it says changes nothing", function()
    local run = begin.initialised({ hooks = { "post-rollout" } })
    run.answers["post-rollout"] = 500
    run.world:set_image("demo", "app", "podinfo:2")
    finish(run)
    assert.same({ "post-rollout Succeeded" }, calls(run))
    assert.equal(1, begin.told(run, "Post-rollout hook post-rollout failed " ..
      "POST http://hooks/post-rollout giving up after 1 attempt(s)"))
  end)

  it("is told of a rollback once", function()
    local run = begin.initialised({ hooks = { "pre-rollout", "post-rollout" } })
    run.answers["pre-rollout"] = 500
    run.world:set_image("demo", "app", "podinfo:2")
    finish(run, "Failed")
    assert.equal("post-rollout Failed", calls(run)[#run.calls])
    assert.equal(1, begin.asked(run, "post-rollout"))
    assert.equal(1, begin.told(run, "Post-rollout check post-rollout passed"))
  end)

  it("is still told when the engine dies between the outcome and the call", function()
    local run = begin.initialised({ hooks = { "post-rollout" } })
    run.world.api.fault = function(call)
      local down = call.write and call.ref.kind == "Deployment" and call.body.spec.replicas == 0
      if down then run.driver:kill_after(1, "after") end -- at the status, which is next
    end
    run.world:set_image("demo", "app", "podinfo:2")
    finish(run)
    assert.equal(1, run.driver.deaths)
    assert.same({ "post-rollout Succeeded" }, calls(run))
    assert.is_nil(run:status("demo", "app").pendingHooks)
  end)
end)

describe("every hook", function()
  it("is called once for a decision although the write after it fails", function()
    local run = begin.initialised({ hooks = { "confirm-rollout", "pre-rollout", "confirm-traffic-increase",
      "confirm-promotion", "post-rollout" } })
    local failures = {}
    run.world.api.fault = function(call)
      if not call.write or call.ref.kind == "Event" then return nil end
      local at = ("%s %g"):format(call.ref.kind, math.floor(run.world.now / 5))
      if failures[at] then return nil end
      failures[at] = true
      return { before = "CONFLICT" }
    end
    run.world:set_image("demo", "app", "podinfo:2")
    finish(run)
    assert.same({ "confirm-rollout Initialized", "pre-rollout Progressing", "confirm-traffic-increase Progressing",
      "confirm-traffic-increase Progressing", "confirm-traffic-increase Progressing", "confirm-promotion Progressing",
      "post-rollout Succeeded" }, calls(run))
  end)

  it("is left out without analysis but for confirm-rollout, post-rollout and event", function()
    local run = begin.progressing({ spec = "  skipAnalysis: true", hooks = { "confirm-rollout", "pre-rollout",
      "rollout", "rollback", "confirm-traffic-increase", "confirm-promotion", "post-rollout" } })
    finish(run)
    assert.same({ "confirm-rollout Initialized", "post-rollout Succeeded" }, calls(run))
  end)
end)

describe("event", function()
  it("gets every event of the Canary, in order, and its refusals hold nothing up", function()
    local run = begin.initialised({ hooks = { "event" } })
    run.answers.event = 500
    run.world:set_image("demo", "app", "podinfo:2")
    finish(run)
    local told = run:messages("demo")
    assert.equal(#told, #run.calls)
    for index, call in ipairs(run.calls) do
      assert.truthy(call.body:find(told[index], 1, true), told[index])
    end
  end)

  it("names the phase that the event is about", function()
    local function phases(image, ends)
      local run, out = begin.initialised({ hooks = { "event", "rollout" } }), {}
      run.answers.rollout = ends == "Failed" and 500 or 200
      run.world:set_image("demo", "app", image)
      finish(run, ends)
      for _, call in ipairs(run.calls) do
        local message = call.body:match('"eventMessage":"([^"]*)"')
        if message then out[message] = call.phase end
      end
      return out
    end
    local good, bad = phases("podinfo:2", "Succeeded"), phases("podinfo:2", "Failed")
    assert.equal("Initialized", good["Initialization done! app.demo"])
    assert.equal("Progressing", good["New revision detected! Scaling up app.demo"])
    assert.equal("Progressing", good["Advance app.demo canary weight 50"])
    assert.equal("Succeeded", good["Promotion completed! Scaling down app.demo"])
    assert.equal("Failed", bad["Canary failed! Scaling down app.demo"])
  end)

  it("goes to the process' receiver when the Canary has none", function()
    local run = begin.applied({ settings = { "-metrics-server=http://prometheus:9090",
      "-event-webhook=http://everywhere/" } })
    local bodies = {}
    run.world.hooks["http://everywhere/"] = function(body)
      bodies[#bodies + 1] = body
      return 200, ""
    end
    run:wait_for_phase("demo", "app", "Initialized")
    run:pass(1)
    assert.truthy(bodies[#bodies]:find('"eventMessage":"Initialization done! app.demo","eventType":"Normal"', 1, true))
  end)

  it("of a Canary that cannot be read goes to the process' receiver", function()
    local run = begin.applied({ analysis = WEIGHTED .. ", metrics: [{name: m, thresholdRange: {min: 5, max: 1}}]",
      settings = { "-metrics-server=http://prometheus:9090", "-event-webhook=http://everywhere/" } })
    local bodies = {}
    run.world.hooks["http://everywhere/"] = function(body)
      bodies[#bodies + 1] = body
      return 200, ""
    end
    run:pass(5)
    assert.equal(1, #bodies)
    assert.truthy(bodies[1]:find('"eventType":"Warning"', 1, true), bodies[1])
    assert.truthy(bodies[1]:find("Canary app.demo is invalid: ", 1, true), bodies[1])
  end)

  it("that never answers delays a step by two seconds at most (gaps 4.9)", function()
    local run = begin.progressing({ hooks = { "event", "rollout" } })
    run.world.http_fault = nil
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    local hang = true
    run.driver.host.http.request = (function(real)
      return function(request)
        if hang and request.url:find("event", 1, true) then run.driver.host.clock.sleep(10) end
        return real(request)
      end
    end)(run.driver.host.http.request)
    local before = run.world.now
    run:wait(function() return run:status("demo", "app").canaryWeight == 50 end)
    assert.is_true(run.world.now - before <= 13, run.world.now - before)
  end)
end)
