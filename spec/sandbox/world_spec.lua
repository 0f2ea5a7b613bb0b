local world = require("sandbox.world")

--- A clock that the spec moves: `tell()` calls what is to be called every so often.
local function fake_clock(now)
  local clock = { time = now }
  function clock.now() return clock.time end
  function clock.every(seconds, fn)
    clock.period, clock.tell = seconds, fn
    return function() clock.tell = function() end end
  end
  return clock
end

describe("sandbox.world", function()
  it("does what is due in the order of time", function()
    local w, done = world.new(), {}
    for _, seconds in ipairs({ 3, 1, 2 }) do w:at(w.now + seconds, function() done[#done + 1] = seconds end) end
    w:advance(2.5)
    assert.same({ 1, 2 }, done)
  end)

  it("does things of one moment in the order in which they were planned", function()
    local w, done = world.new(), {}
    for index = 1, 5 do w:at(w.now + 1, function() done[index], done.last = #done + 1, index end) end
    w:advance(1)
    assert.same({ 1, 2, 3, 4, 5, last = 5 }, done)
  end)

  it("does nothing that was cancelled", function()
    local w, done = world.new(), false
    w:at(w.now + 1, function() done = true end).cancelled = true
    w:advance(2)
    assert.is_false(done)
  end)

  it("repeats", function()
    local w, times = world.new(), {}
    w:every(2, function() times[#times + 1] = w.now - w.start end)
    w:advance(7)
    assert.same({ 2, 4, 6 }, times)
  end)

  it("never goes back", function()
    local w = world.new({ start = 100 })
    w:advance_to(50)
    assert.equal(100, w.now)
  end)

  it("is the same every time", function()
    local function tell()
      local w = world.new({ rate = 100, noise = true })
      w:apply("{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: d}, spec: {replicas: 3, " ..
        "selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, " ..
        "spec: {containers: [{name: a}]}}}}")
      w:advance(10)
      return require("json").encode(w.api:list({ apiVersion = "v1", kind = "Pod" }))
    end
    assert.equal(tell(), tell())
  end)

  it("sends users to the apex of every Canary, if asked", function()
    local w = world.new({ rate = 100 })
    w:apply("{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: c, namespace: d}, spec: {targetRef: " ..
      "{apiVersion: apps/v1, kind: Deployment, name: app}, analysis: {interval: 1m, threshold: 1, iterations: 1}}}")
    w:advance(10)
    assert.equal(1000, math.floor(w.traffic.lost + 0.5))
    w:delete("Canary", "d", "c")
    w:advance(10)
    assert.equal(1000, math.floor(w.traffic.lost + 0.5))
  end)

  describe("apply", function()
    it("creates, then merges", function()
      local w = world.new()
      w:apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: d}, data: {x: '1'}}")
      w:apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: d}, data: {y: '2'}}")
      assert.same({ x = "1", y = "2" }, w:get("ConfigMap", "d", "a").data)
    end)

    it("takes lists", function()
      local w = world.new()
      w:apply("{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Namespace, metadata: {name: a}}]}")
      assert.is_table(w:get("Namespace", nil, "a"))
    end)

    for _, text in ipairs({ "{", "{apiVersion: v1}", "{kind: Pod}", "{apiVersion: v1, kind: Pod, metadata: 5}",
      "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {}}" }) do
      it("refuses " .. text, function()
        local out, message = world.new():try(text)
        assert.same({ "nil", "string" }, { type(out), type(message) })
      end)
    end
  end)

  it("tells events in the order in which they came, of one object or of all", function()
    local w = world.new()
    for index, name in ipairs({ "a", "b", "a" }) do
      w:apply({ apiVersion = "v1", kind = "Event", metadata = { namespace = "d", name = "z" .. 9 - index },
        involvedObject = { name = name }, message = tostring(index) })
    end
    local function texts(name)
      local out = {}
      for index, event in ipairs(w:events("d", name)) do out[index] = event.message end
      return table.concat(out, " ")
    end
    assert.same({ "1 2 3", "1 3" }, { texts(), texts("a") })
  end)

  describe("that follows a clock", function()
    it("lets happen what is due as time passes", function()
      local w, clock, done = world.new({ start = 1000 }), fake_clock(1000), false
      w:follow(clock)
      w:at(1005, function() done = true end)
      clock.time = 1004.9
      clock.tell()
      assert.is_false(done)
      clock.time = 1005.1
      clock.tell()
      assert.same({ true, 1005.1 }, { done, w.now })
    end)

    it("looks at least every tenth of a second", function()
      local clock = fake_clock(0)
      world.new():follow(clock)
      assert.is_true(clock.period <= 0.1)
    end)

    it("is up to date when it is asked something", function()
      local w, clock = world.new({ start = 1000 }), fake_clock(1000)
      w:follow(clock)
      clock.time = 1042.5
      require("spec.support.client").new(w):get("/version")
      assert.equal(1042.5, w.now)
    end)

    it("stands still when the clock goes back", function()
      local w, clock = world.new({ start = 1000 }), fake_clock(1000)
      w:follow(clock)
      clock.time = 900
      clock.tell()
      assert.equal(1000, w.now)
    end)

    it("lets go of it", function()
      local w, clock = world.new({ start = 1000 }), fake_clock(1000)
      local stop = w:follow(clock)
      stop()
      clock.time = 2000
      clock.tell()
      w:catch_up()
      assert.equal(1000, w.now)
    end)
  end)
end)
