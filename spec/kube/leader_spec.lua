local leader = require("kube.leader")
local object = require("util.object")

--- A Lease in memory, a clock that is moved, and replicas at it.
local function stage()
  local self = { now = 0, version = 0, lease = nil, lost = {}, down = false }
  local function store(lease)
    self.version = self.version + 1
    lease.metadata.resourceVersion = tostring(self.version)
    self.lease = lease
    return object.copy(lease)
  end
  local kube = {}
  function kube.read(path)
    assert(path == "/apis/coordination.k8s.io/v1/namespaces/sys/leases/flagger-leader-election")
    if self.down then return nil, "unreachable", "UNREACHABLE" end
    if not self.lease then return nil, "gone", "NOT_FOUND" end
    return object.copy(self.lease)
  end
  function kube.create(lease)
    if self.lease then return nil, "there", "EXISTS" end
    return store(object.copy(lease))
  end
  function kube.patch(_, patch)
    if self.down then return nil, "unreachable", "UNREACHABLE" end
    local want = patch.metadata and patch.metadata.resourceVersion
    if want and want ~= self.lease.metadata.resourceVersion then return nil, "changed", "CONFLICT" end
    return store(object.merged(self.lease, patch))
  end
  local silent = function() end
  function self.replica(name)
    return leader.new({ kube = kube, namespace = "sys", identity = name,
      clock = { now = function() return self.now end, monotonic = function() return self.now end,
        sleep = function(seconds) coroutine.yield(seconds) end },
      log = { info = silent, warn = silent, error = silent },
      lost = function() self.lost[#self.lost + 1] = name end })
  end
  return self
end

describe("kube.leader", function()
  it("gives the Lease to the first, and to another only when that one is gone for its duration", function()
    local on = stage()
    local a, b = on.replica("a"), on.replica("b")
    assert.is_true(a:try())
    assert.is_false(b:try())
    assert.same({ true, false }, { a:held(), b:held() })
    on.now = 59
    assert.is_false(b:try())
    on.now = 61
    assert.is_true(b:try())
    assert.equal("b", on.lease.spec.holderIdentity)
    assert.equal(1, on.lease.spec.leaseTransitions)
    assert.is_false(a:held())
    assert.is_false(a:try())
  end)

  it("is not held any more by one that slept, long before another may have it", function()
    local on = stage()
    local a = on.replica("a")
    a:try()
    on.now = 44
    assert.is_true(a:held())
    on.now = 46
    assert.is_false(a:held())
  end)

  it("gives one Lease to one of two that ask at once", function()
    local on = stage()
    on.replica("z"):try()
    on.lease.spec.holderIdentity = ""
    local a, b = on.replica("a"), on.replica("b")
    assert.same({ true, false }, { a:try(), b:try() })
  end)

  it("does not believe the clock of others", function()
    local on = stage()
    on.replica("a"):try()
    on.lease.spec.renewTime = "1970-01-01T00:00:00.000000Z"
    assert.is_false(on.replica("b"):try())
  end)

  it("is kept by renewing, and its loss is told once", function()
    local on = stage()
    local a = on.replica("a")
    local job = coroutine.create(function() a:run() end)
    for _ = 1, 10 do
      local _, seconds = coroutine.resume(job)
      on.now = on.now + seconds
      assert.is_true(a:held())
    end
    on.down = true
    for _ = 1, 10 do
      if coroutine.status(job) == "dead" then break end
      local _, seconds = coroutine.resume(job)
      on.now = on.now + (seconds or 0)
    end
    assert.same({ "a" }, on.lost)
    assert.is_false(a:held())
  end)

  it("is handed over at once when it is given up", function()
    local on = stage()
    local a = on.replica("a")
    a:try()
    a:release()
    assert.is_true(on.replica("b"):try())
  end)
end)
