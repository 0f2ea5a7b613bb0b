local kubernetes = require("routers.kubernetes")
local routing = require("spec.support.routing")

describe("routers.kubernetes", function()
  local function routes(iterations)
    local canary = routing.canary({ provider = "kubernetes", status = { iterations = iterations } })
    return kubernetes.routes(canary, {})
  end

  it("says that all requests go to the primary before the first iteration", function()
    assert.same({ primary = 100, canary = 0, mirrored = false }, routes(0))
  end)

  it("says that all requests go to the canary from the first iteration on", function()
    assert.same({ primary = 0, canary = 100, mirrored = false }, routes(1))
  end)

  it("takes an iteration count below zero for none", function()
    assert.same({ primary = 100, canary = 0, mirrored = false }, routes(-1))
  end)

  it("reads and writes nothing", function()
    assert.same({}, kubernetes.reads())
    assert.same({}, kubernetes.prepare())
    assert.same({}, kubernetes.shift())
  end)
end)
