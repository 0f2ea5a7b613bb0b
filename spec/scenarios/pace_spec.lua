--- What has to be waited for, in virtual time: the writes of a whole release and when they were sent.

local manifests = require("spec.support.manifests")
local scenario = require("spec.support.scenario")
local stories = require("spec.support.stories")

local INTERVAL, DRAIN, SETTLE = 10, 10, 2

-- The status keeps microseconds, so a time may be early by one.
local function apart(before, after, seconds, what)
  assert.is_true(after - before >= seconds - 1e-5, ("%s: %g s"):format(what or "apart", after - before))
end

local STORY, ROLLBACK = stories.list[1], stories.list[2]

--- The times at which the engine made the writes for which `want(call)` holds.
local function times(run, want)
  local out = {}
  for _, call in ipairs(run.world.api.calls) do
    if call.write and not call.code and want(call) then out[#out + 1] = call.time end
  end
  return out
end

local function scaled_down(call)
  return call.ref.kind == "Deployment" and call.ref.name == "app" and call.body.spec and call.body.spec.replicas == 0
end

local function apex_made(call)
  return call.ref.kind == "Service" and call.ref.name == "app"
end

local function routed(call)
  return call.ref.kind == "TraefikService" and call.verb == "patch"
end

--- Somebody touches the target every second, so that there is a tick at each of them.
local function restless(run)
  local n = 0
  run.world:every(1, function()
    n = n + 1
    run.world:annotate("Deployment", "demo", "app", { touched = tostring(n) })
  end)
end

local function play(story, disturb)
  return stories.play(story, function(run)
    restless(run)
    if disturb then disturb(run) end
  end)
end

--- Every time at which a pod of `app` or `app-primary` became ready.
local function became_ready(run)
  local out = {}
  run.world.api.store:subscribe(function(event)
    if event.entry.kind ~= "Deployment" or event.type ~= "MODIFIED" then return end
    local before, after = event.old.status or {}, event.object.status or {}
    if (after.availableReplicas or 0) > (before.availableReplicas or 0) then
      out[#out + 1] = { name = event.object.metadata.name, at = run.world.now }
    end
  end)
  return out
end

describe("the pace of a release", function()
  it("leaves the target its pods until users of the new apex Service have left them", function()
    local run = play(STORY)
    apart(times(run, apex_made)[1], times(run, scaled_down)[1], DRAIN)
  end)

  it("leaves the canary its pods until its traffic has left them", function()
    for _, story in ipairs({ STORY, ROLLBACK }) do
      local run = play(story)
      local routes, scales = times(run, routed), times(run, scaled_down)
      apart(routes[#routes], scales[2], DRAIN, story.name)
    end
  end)

  it("gives no traffic to pods that were not ready for a moment", function()
    local ready
    local run = play(STORY, function(started) ready = became_ready(started) end)
    local first, last = times(run, routed)[1], nil
    for _, item in ipairs(ready) do
      if item.name == "app" and item.at <= first then last = item.at end
    end
    -- the times of conditions have no fractions, so up to a second of it may be lost
    assert.is_true(first - last > SETTLE - 1, ("%g s after"):format(first - last))
  end)

  it("keeps an interval between steps", function()
    local at = times(play(STORY), routed) -- up twice, and back twice
    assert.equal(4, #at)
    apart(at[1], at[2], INTERVAL)
    apart(at[3], at[4], INTERVAL)
  end)

  it("counts a step from when it is found, when it was made but never written down", function()
    local run = stories.start(STORY)
    run:wait_for_phase("demo", "app", "Initialized")
    local routes = 0
    run.world.api.fault = function(call)
      if not routed(call) then return nil end
      routes = routes + 1
      if routes == 1 then run.driver:kill_after(1, "before") end -- at the status, which is next
    end
    run.driver.options.restart = 15 -- so long that the next step would be due at once
    STORY.change(run)
    run:wait(function() return routes == 2 end, 300, "the second step")
    local at = times(run, routed)
    apart(run.driver.booted, at[2], INTERVAL)
  end)

  it("asks for the approval of a release once in an interval", function()
    local gate = "webhooks: [{name: gate, type: confirm-rollout, url: 'http://gate/'}]"
    local run, input = scenario.new(), manifests.deployment("app") ..
      manifests.canary("app", { analysis = "interval: 10s, threshold: 3, stepWeight: 10, " .. gate })
    run.world:apply(input)
    run:answer_hooks(input, 403)
    run:wait_for_phase("demo", "app", "Initialized")
    restless(run)
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Waiting")
    local before = #run.calls
    run:pass(6 * INTERVAL)
    local asked = #run.calls - before
    assert.is_true(asked == 5 or asked == 6, asked)
  end)
end)
