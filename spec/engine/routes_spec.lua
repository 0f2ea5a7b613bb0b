local T = require("T")
local engine, kube = require("engine"), require("kube")
local api = require("spec.support.api")
local run = require("spec.support.run")

local ROUTE = { apiVersion = "example.com/v1", kind = "Route", namespace = "d", name = "web" }

local function route(spec)
  return { apiVersion = "example.com/v1", kind = "Route", metadata = { namespace = "d", name = "web" },
    spec = spec or { n = 1 } }
end

describe("a cluster for the routes", function()
  local there

  local function start(options)
    there = api.new({ "routes" })
    options = options or {}
    options.routes_kubeconfig = there.path
    return run.start(options)
  end

  before_each(function()
    kube.kinds({ { apiVersion = "example.com/v1", kind = "Route", plural = "routes", route = true } })
  end)

  after_each(function()
    kube.kinds({ { apiVersion = "example.com/v1", kind = "Route", plural = "routes", route = false } })
    run.stop()
    if there then there:close() os.remove(there.path) end
    there = nil
  end)

  it("gets what is read, watched and written of them, and nothing else", function()
    local self = start()
    there:put("routes", route())
    local found = T.run(function()
      kube.get(run.ref("Service", "web"))
      return kube.get(ROUTE)
    end)
    assert.equal(1, found.spec.n)
    T.run(function()
      assert(kube.patch(ROUTE, { spec = { n = 2 } }))
      assert(kube.create(run.service("other")))
    end)
    assert.equal(2, T.run(function() return kube.get(ROUTE) end).spec.n)
    T.run(function() assert(kube.delete(ROUTE)) end)
    assert.equal(0, self.api:count("/routes"))
    assert.equal(0, there:count("/services") + there:count("/canaries"))
    assert.is_true(there:count("^PATCH.*/routes/web") == 1 and there:count("^DELETE.*/routes/web") == 1)
  end)

  it("wakes the Canary that looked at a route", function()
    local self = start({ objects = { { "canaries", run.canary("app") } },
      tick = function() kube.get(ROUTE) end })
    there:put("routes", route())
    run.await(function() return there:watched("routes") end, "the watch")
    run.settle()
    local before = #self.ticks
    there:put("routes", route({ n = 3 }))
    run.await(function() return #self.ticks > before end, "a tick")
  end)

  it("is counted in what the process asks of API servers", function()
    start()
    run.settle()
    local before = engine.stats().requests
    T.run(function() kube.create(route()) end)
    assert.equal(before + 1, engine.stats().requests)
  end)

  it("that cannot be reached is named at the start", function()
    local ok, message = engine.start({ kubeconfig = api.new({ "canaries" }).path, qps = 10, burst = 10,
      canary = run.CANARY, tick = function() end, routes_kubeconfig = "/nowhere/kubeconfig" })
    assert.is_nil(ok)
    assert.matches("/nowhere/kubeconfig", message)
  end)
end)
