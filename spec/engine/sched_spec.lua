local T = require("T")
local clock, engine, kube = require("clock"), require("engine"), require("kube")
local api = require("spec.support.api")
local run = require("spec.support.run")

local function quietly(fn)
  local path = os.tmpname()
  T.log_to(path)
  local ok, message = pcall(fn)
  T.log_to()
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  os.remove(path)
  if not ok then error(message, 0) end
  return text
end

local function ticks(e, n) run.await(function() return #e.ticks >= n end, "tick " .. n) end

describe("the scheduler", function()
  after_each(run.stop)

  it("ticks every object of the kind once at the start", function()
    local e = run.start({ objects = { { "canaries", run.canary("a") }, { "canaries", run.canary("b") } } })
    ticks(e, 2)
    run.settle()
    assert.same({ { "start" }, { "start" } }, { run.causes(e, "a"), run.causes(e, "b") })
  end)

  it("ticks an object that appears", function()
    local e = run.start()
    e.api:put("canaries", run.canary("a"))
    ticks(e, 1)
    assert.same({ namespace = "d", name = "a", cause = "start" }, e.ticks[1])
  end)

  it("ticks again when its object changes, although the tick looked at nothing", function()
    local e = run.start({ objects = { { "canaries", run.canary("a") } } })
    ticks(e, 1)
    e.api:put("canaries", run.canary("a", { n = 2 }))
    ticks(e, 2)
    assert.same({ "start", "change" }, run.causes(e, "a"))
  end)

  it("ticks again when something it looked at changes, appears or goes", function()
    local e = run.start({ objects = { { "canaries", run.canary("a") } },
      tick = function() kube.get(run.ref("Service", "web")) end })
    ticks(e, 1)
    run.settle()
    e.api:put("services", run.service("web"))
    ticks(e, 2)
    e.api:put("services", run.service("web", { n = 2 }))
    ticks(e, 3)
    e.api:remove("services", "d", "web")
    ticks(e, 4)
    run.settle()
    assert.same({ "start", "change", "change", "change" }, run.causes(e, "a"))
  end)

  it("leaves alone whoever does not look at what changes", function()
    local e = run.start({ objects = { { "canaries", run.canary("a") }, { "canaries", run.canary("b") } },
      tick = function(_, name) kube.get(run.ref("Service", name)) end })
    ticks(e, 2)
    run.settle()
    e.api:put("services", run.service("a"))
    ticks(e, 3)
    run.settle()
    assert.same({ "start" }, run.causes(e, "b"))
  end)

  it("forgets what the last whole tick did not look at", function()
    local e = run.start({ objects = { { "canaries", run.canary("a") } },
      tick = function(_, _, _, n) if n == 1 then kube.get(run.ref("Service", "web")) end end })
    ticks(e, 1)
    run.settle()
    e.api:put("services", run.service("web"))
    ticks(e, 2)
    e.api:put("services", run.service("web", { n = 2 }))
    run.settle()
    assert.equal(2, #e.ticks)
  end)

  it("is not woken by the echo of its own write", function()
    local e = run.start({ objects = { { "canaries", run.canary("a") }, { "services", run.service("web") } },
      tick = function(_, _, _, n)
        local service = kube.get(run.ref("Service", "web"))
        if n < 3 then kube.patch(run.ref("Service", "web"), { spec = { n = service.spec.n + 1 } }) end
      end })
    ticks(e, 1)
    run.settle()
    assert.equal(2, e.api.kinds.services["d/web"].spec.n)
    assert.equal(1, #e.ticks)
  end)

  it("is not woken by an echo that comes before the answer", function()
    local e = run.start({ objects = { { "canaries", run.canary("a") }, { "services", run.service("web") } },
      tick = function()
        kube.get(run.ref("Service", "web"))
        clock.sleep(0.02)
        kube.patch(run.ref("Service", "web"), { spec = { n = 9 } })
      end })
    ticks(e, 1)
    run.settle()
    run.settle()
    assert.equal(9, e.api.kinds.services["d/web"].spec.n)
    assert.equal(1, #e.ticks)
  end)

  it("is woken when somebody else wrote while its own write was under way", function()
    local done = false
    local e = run.start({ objects = { { "canaries", run.canary("a") }, { "services", run.service("web") } },
      tick = function(_, _, _, n)
        kube.get(run.ref("Service", "web"))
        if n == 1 then kube.patch(run.ref("Service", "web"), { spec = { n = 9 } }) end
      end })
    e.api.lie = function(request)
      if request.method == "PATCH" and not done then
        done = true
        e.api:put("services", run.service("web", { other = true }))
      end
    end
    ticks(e, 2)
    assert.same({ "start", "change" }, run.causes(e, "a"))
  end)

  it("wakes others by its write", function()
    local e = run.start({ objects = { { "canaries", run.canary("a") }, { "canaries", run.canary("b") },
      { "services", run.service("web") } },
      tick = function(_, name, cause)
        kube.get(run.ref("Service", "web"))
        if name ~= "a" or cause ~= "start" then return nil end
        clock.sleep(0.05)
        kube.patch(run.ref("Service", "web"), { spec = { n = 9 } })
      end })
    ticks(e, 3)
    run.settle()
    assert.same({ { "start" }, { "start", "change" } }, { run.causes(e, "a"), run.causes(e, "b") })
  end)

  it("runs a tick once more when something changed while it ran", function()
    local go = false
    local e = run.start({ objects = { { "canaries", run.canary("a") } },
      tick = function(_, _, _, n)
        if n > 1 then return end
        kube.get(run.ref("Service", "web"))
        while not go do clock.sleep(0.002) end
      end })
    ticks(e, 1)
    run.settle()
    for i = 1, 3 do e.api:put("services", run.service("web", { n = i })) end
    run.settle()
    assert.equal(1, #e.ticks)
    go = true
    ticks(e, 2)
    run.settle()
    assert.equal(2, #e.ticks)
  end)

  it("ticks again when it is due, in the engine's time", function()
    clock.rate(100)
    local started = clock.monotonic()
    local e = run.start({ objects = { { "canaries", run.canary("a") } }, tick = function() return 10 end })
    ticks(e, 3)
    assert.same({ "start", "due", "due" }, { table.unpack(run.causes(e, "a"), 1, 3) })
    assert.is_true(clock.monotonic() - started >= 20)
  end)

  it("does not tick again when the tick gave no time", function()
    clock.rate(1000)
    local e = run.start({ objects = { { "canaries", run.canary("a") } } })
    ticks(e, 1)
    T.spin(0.2)
    assert.equal(1, #e.ticks)
  end)

  it("repeats a tick that raised, with growing pauses, and nobody else notices", function()
    local times = {}
    clock.rate(50)
    local text = quietly(function()
      local e = run.start({ objects = { { "canaries", run.canary("bad") }, { "canaries", run.canary("good") } },
        tick = function(_, name)
          if name == "good" then return nil end
          times[#times + 1] = clock.monotonic()
          error("oh no")
        end })
      run.await(function() return #times == 4 end, "four tries")
      assert.same({ "start", "retry", "retry", "retry" }, { table.unpack(run.causes(e, "bad"), 1, 4) })
      assert.same({ "start" }, run.causes(e, "good"))
      assert.is_true(engine.stats().tick_errors >= 4)
    end)
    for i = 2, 4 do assert.is_true(times[i] - times[i - 1] >= 2 ^ (i - 2)) end
    assert.truthy(text:find('"canary":"bad.d"', 1, true))
    assert.truthy(text:find("oh no", 1, true))
  end)

  local illegal = { ["a negative number"] = -1, ["a text"] = "soon", ["not a number"] = 0 / 0, ["a table"] = {} }
  for what, value in pairs(illegal) do
    it("takes " .. what .. " from a tick for an error", function()
      quietly(function()
        run.start({ objects = { { "canaries", run.canary("a") } }, tick = function() return value end })
        run.await(function() return engine.stats().tick_errors == 1 end, "the error")
      end)
    end)
  end

  it("tries again shortly after a conflict", function()
    local times = {}
    clock.rate(0.2)
    local e = run.start({ objects = { { "canaries", run.canary("a") } },
      tick = function(_, _, cause, n)
        times[n] = clock.monotonic()
        if cause == "start" then return nil, "the object has been modified", "CONFLICT" end
      end })
    ticks(e, 2)
    assert.is_true(times[2] - times[1] < 1)
    assert.same({ "start", "retry" }, run.causes(e, "a"))
    assert.equal(0, engine.stats().tick_errors)
  end)

  it("waits as long as the server asks when it is throttled", function()
    clock.rate(100)
    local times = {}
    quietly(function()
      local e = run.start({ objects = { { "canaries", run.canary("a") } },
        tick = function(_, _, _, n)
          times[n] = clock.monotonic()
          if n == 1 then return select(2, true, kube.patch(run.ref("Service", "web"), { spec = {} })) end
        end })
      e.api.lie = function(request)
        return request.method == "PATCH" and api.failure(429, "slow down", { ["Retry-After"] = "30" }) or nil
      end
      ticks(e, 2)
    end)
    assert.is_true(times[2] - times[1] >= 30)
  end)

  it("never runs more ticks at once than allowed, and lets everybody have a turn", function()
    local running, most, objects = 0, 0, {}
    for i = 1, 12 do objects[i] = { "canaries", run.canary("c" .. i) } end
    local e = run.start({ max_running = 3, objects = objects, tick = function()
      running = running + 1
      most = math.max(most, running)
      clock.sleep(0.005)
      running = running - 1
    end })
    ticks(e, 12)
    run.settle()
    assert.equal(3, most)
    for i = 1, 12 do assert.same({ "start" }, run.causes(e, "c" .. i)) end
  end)

  it("forgets a deleted object, and what it looked at", function()
    local e = run.start({ objects = { { "canaries", run.canary("a") } },
      tick = function() kube.get(run.ref("Service", "web")) return 1 end })
    ticks(e, 1)
    e.api:remove("canaries", "d", "a")
    run.await(function() return #e.forgotten == 1 end, "forgetting")
    local n = #e.ticks
    e.api:put("services", run.service("web"))
    clock.rate(1000)
    run.settle()
    assert.same({ "d/a" }, e.forgotten)
    assert.same({ n, 0 }, { #e.ticks, engine.stats().canaries })
  end)

  it("lets the tick of a deleted object end, and begins no other", function()
    local go, ended = false, false
    local e = run.start({ objects = { { "canaries", run.canary("a") } }, tick = function()
      while not go do clock.sleep(0.002) end
      ended = true
      return 0
    end })
    ticks(e, 1)
    e.api:remove("canaries", "d", "a")
    run.settle()
    assert.same({}, e.forgotten)
    go = true
    run.await(function() return #e.forgotten == 1 end, "forgetting")
    run.settle()
    assert.same({ true, 1 }, { ended, #e.ticks })
  end)

  it("starts anew with an object that was deleted and made again while its tick ran", function()
    local go = false
    local e = run.start({ objects = { { "canaries", run.canary("a") } },
      tick = function() while not go do clock.sleep(0.002) end end })
    ticks(e, 1)
    e.api:remove("canaries", "d", "a")
    e.api:put("canaries", run.canary("a"))
    run.settle()
    go = true
    ticks(e, 2)
    assert.same({ { "start", "start" }, { "d/a" } }, { run.causes(e, "a"), e.forgotten })
  end)

  it("writes nothing after engine.stop, not even from a tick under way", function()
    local e = run.start({ objects = { { "canaries", run.canary("a") }, { "services", run.service("web") } },
      tick = function()
        kube.get(run.ref("Service", "web"))
        engine.stop()
        kube.patch(run.ref("Service", "web"), { spec = { n = 9 } })
        clock.sleep(1000)
      end })
    ticks(e, 1)
    run.settle()
    assert.equal(0, e.api:count("^PATCH"))
    assert.equal(0, T.waits())
  end)

  it("leaves no handle and no parked job behind after several starts", function()
    local e = run.start({ port = 0, objects = { { "canaries", run.canary("a") } },
      tick = function() clock.sleep(1000) end })
    ticks(e, 1)
    engine.stop()
    run.settle()
    local before = T.handles()
    for _ = 1, 3 do
      run.start({ api = e.api, port = 0, tick = function() kube.get(run.ref("Service", "web")) clock.sleep(1000) end })
      ticks(run.current, 1)
      engine.spawn(function() clock.sleep(1000) end)
      run.settle()
      engine.stop()
      run.settle()
    end
    assert.same({ before, 0 }, { T.handles(), T.waits() })
  end)
end)
