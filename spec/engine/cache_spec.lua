local T = require("T")
local clock, engine, json, kube = require("clock"), require("engine"), require("json"), require("kube")
local api = require("spec.support.api")
local run = require("spec.support.run")

local function get(ref) return T.run(function() return kube.get(ref) end) end

local function state_of(kind)
  for _, entry in ipairs(engine.stats().kinds) do
    if entry.kind == kind then return entry end
  end
end

-- A started engine that watches services.
local function watching(objects)
  local e = run.start({ objects = objects })
  get(run.ref("Service", "web"))
  run.await(function() return e.api:watched("services") end, "the watch")
  return e
end

-- Sixty of the engine's seconds after its list, a kind keeps only what is looked at.
local function pass_the_first_minute(kind)
  clock.rate(1000)
  run.await(function() return state_of(kind).objects == 0 end, "the end of the first minute")
  clock.rate(1)
end

describe("the cache", function()
  after_each(run.stop)

  it("follows what the watch says", function()
    local e = run.start({ objects = { { "services", run.service("web") } } })
    get(run.ref("Service", "web"))
    e.api:put("services", run.service("web", { n = 5 }))
    run.await(function() return get(run.ref("Service", "web")).spec.n == 5 end, "the change")
    e.api:remove("services", "d", "web")
    run.await(function() return get(run.ref("Service", "web")) == nil end, "the deletion")
    assert.equal(0, e.api:count("^GET .*/services/web"))
  end)

  it("removes at a new list what it does not name", function()
    local e = watching({ { "services", run.service("web") }, { "services", run.service("stays") } })
    e.api:remove("services", "d", "web", true)
    e.api:cut()
    run.await(function() return get(run.ref("Service", "web")) == nil end, "the deletion")
    assert.equal("stays", get(run.ref("Service", "stays")).metadata.name)
  end)

  it("takes over at a new list what it had missed", function()
    local e = watching({ { "services", run.service("web") } })
    e.api:put("services", run.service("web", { n = 5 }), true)
    e.api:cut()
    run.await(function() return get(run.ref("Service", "web")).spec.n == 5 end, "the new version")
  end)

  it("never goes back to an older version", function()
    local e = watching({ { "services", run.service("web") } })
    local old = get(run.ref("Service", "web"))
    e.api:put("services", run.service("web", { n = 5 }))
    run.await(function() return get(run.ref("Service", "web")).spec.n == 5 end, "the new version")
    e.api:tell("MODIFIED", "services", old)
    run.settle()
    assert.equal(5, get(run.ref("Service", "web")).spec.n)
  end)

  it("compares versions as numbers, not as texts", function()
    local e = watching({ { "services", run.service("web") } })
    e.api.version = 998
    e.api:put("services", run.service("web", { n = 999 }))
    run.await(function() return get(run.ref("Service", "web")).spec.n == 999 end, "999")
    e.api:put("services", run.service("web", { n = 1000 }))
    run.await(function() return get(run.ref("Service", "web")).spec.n == 1000 end, "1000")
  end)

  it("is not moved by the deletion of an earlier object of the same name", function()
    local e = watching({ { "services", run.service("web") } })
    local old = get(run.ref("Service", "web"))
    e.api:put("services", run.service("web", { n = 5 }))
    run.await(function() return get(run.ref("Service", "web")).spec.n == 5 end, "the new version")
    e.api:tell("DELETED", "services", old)
    run.settle()
    assert.equal(5, get(run.ref("Service", "web")).spec.n)
  end)

  it("finds a kind that is installed later", function()
    local e = run.start({ plurals = { "canaries" } })
    assert.equal("kind Service is not installed", select(2, get(run.ref("Service", "web"))))
    e.api.kinds.services = {}
    e.api:put("services", run.service("web"))
    run.await(function() return get(run.ref("Service", "web")) end, "the kind")
  end)

  it("notices that a kind is uninstalled", function()
    local e = watching({ { "services", run.service("web") } })
    e.api.kinds.services = nil
    e.api:cut()
    run.await(function() return select(2, get(run.ref("Service", "web"))) == "kind Service is not installed" end, "it")
  end)

  it("tells at once that a kind may not be read", function()
    local e = run.start()
    e.api.lie = function(_, at) return at.plural == "services" and api.failure(403, "services is forbidden") or nil end
    local _, message, code = get(run.ref("Service", "web"))
    assert.same({ "services is forbidden", "FORBIDDEN" }, { message, code })
    assert.equal("FORBIDDEN", select(3, get(run.ref("Service", "web"))))
  end)

  it("lets go of what nobody looks at after the first minute", function()
    local e = run.start({ objects = { { "services", run.service("web") } } })
    get(run.ref("Service", "web"))
    assert.equal(1, state_of("Service").objects)
    pass_the_first_minute("Service")
    e.api:put("services", run.service("new"))
    run.settle()
    assert.equal(0, state_of("Service").objects)
  end)

  it("keeps what a canary looks at, and asks once for what a canary begins to look at", function()
    local wanted = "web"
    local e = run.start({
      objects = { { "services", run.service("web") }, { "services", run.service("late") },
        { "canaries", run.canary("c") } },
      tick = function() kube.get(run.ref("Service", wanted)) end })
    run.await(function() return #e.ticks == 1 end, "the first tick")
    clock.rate(1000)
    run.await(function() return state_of("Service").objects == 1 end, "the end of the first minute")
    clock.rate(1)
    wanted = "late"
    for n = 2, 3 do
      e.api:put("canaries", run.canary("c", { n = n }))
      run.await(function() return #e.ticks == n end, "tick " .. n)
    end
    run.await(function() return state_of("Service").objects == 1 end, "the first service to be dropped")
    assert.equal(0, e.api:count("^GET .*/services/web"))
    assert.equal(1, e.api:count("^GET .*/services/late"))
  end)

  it("asks once for an absent object that a canary looks at, and sees it appear", function()
    local found
    local e = run.start({ objects = { { "services", run.service("x") }, { "canaries", run.canary("c") } },
      tick = function(_, _, cause)
        if cause ~= "start" then found = kube.get(run.ref("Service", "web")) else kube.get(run.ref("Service", "x")) end
      end })
    run.await(function() return #e.ticks == 1 and state_of("Service") end, "the first tick")
    clock.rate(1000)
    T.spin(0.2)
    clock.rate(1)
    e.api:put("canaries", run.canary("c", { n = 2 }))
    run.await(function() return #e.ticks == 2 end, "the second tick")
    run.settle()
    e.api:put("canaries", run.canary("c", { n = 3 }))
    run.await(function() return #e.ticks == 3 end, "the third tick")
    assert.is_nil(found)
    e.api:put("services", run.service("web"))
    run.await(function() return found end, "the service")
    assert.is_true(e.api:count("^GET .*/services/web") <= 1)
  end)

  it("asks for the data of a metadata kind once per version", function()
    local e = run.start({ objects = { { "secrets", run.secret("key", { token = "YQ==" }) } } })
    for _ = 1, 3 do assert.equal("YQ==", get(run.ref("Secret", "key")).data.token) end
    assert.equal(1, e.api:count("^GET .*/secrets/key"))
    e.api:put("secrets", run.secret("key", { token = "Yg==" }))
    run.await(function() return get(run.ref("Secret", "key")).data.token == "Yg==" end, "the new data")
    get(run.ref("Secret", "key"))
    assert.equal(2, e.api:count("^GET .*/secrets/key"))
  end)

  it("asks once for several who want the same", function()
    local e = run.start({ objects = { { "secrets", run.secret("key", { token = "YQ==" }) } } })
    local seen = 0
    for _ = 1, 5 do
      engine.spawn(function() if kube.get(run.ref("Secret", "key")) then seen = seen + 1 end end)
    end
    run.await(function() return seen == 5 end, "all of them")
    assert.equal(1, e.api:count("^GET .*/secrets/key"))
  end)

  it("never sees the data of a metadata kind on its watch", function()
    local e = run.start({ objects = { { "secrets", run.secret("key", { token = "YQ==" }) } } })
    get(run.ref("Secret", "key"))
    for watch in pairs(e.api.watches) do assert.is_true(watch.plural ~= "secrets" or watch.metadata) end
  end)

  local odd = {
    ["no metadata"] = { kind = "Service" },
    ["a name that is a number"] = { kind = "Service", metadata = { namespace = "d", name = 5 } },
    ["no namespace"] = { kind = "Service", metadata = { name = "web" } },
    ["a slash in its name"] = { kind = "Service", metadata = { namespace = "d", name = "a/b" } },
    ["another kind"] = { kind = "Deployment", metadata = { namespace = "d", name = "web", resourceVersion = "99999" } },
    ["a name of a thousand bytes"] = { kind = "Service", metadata = { namespace = "d", name = ("x"):rep(1000) } },
  }
  for what, object in pairs(odd) do
    it("goes on after an object with " .. what, function()
      local e = watching({ { "services", run.service("web") } })
      for watch in pairs(e.api.watches) do
        watch.stream:write(json.encode({ type = "MODIFIED", object = object }) .. "\n")
      end
      e.api:put("services", run.service("web", { n = 5 }))
      run.await(function() return get(run.ref("Service", "web")).spec.n == 5 end, "the change after it")
    end)
  end

  it("counts its objects and bytes back to where they were", function()
    local e = watching({})
    local before = engine.stats()
    for i = 1, 20 do e.api:put("services", run.service("s" .. i)) end
    run.await(function() return engine.stats().cache_objects == before.cache_objects + 20 end, "the objects")
    for i = 1, 20 do e.api:remove("services", "d", "s" .. i) end
    run.await(function() return engine.stats().cache_objects == before.cache_objects end, "their end")
    assert.equal(before.cache_bytes, engine.stats().cache_bytes)
  end)
end)
