--- The module T, by which specs turn the engine's loop.
local T = require("T")
local clock, engine = require("clock"), require("engine")
local run = require("spec.support.run")

describe("turning the loop for a time", function()
  it("ends with that time, also when the loop's next event is later", function()
    local over
    engine.spawn(function()
      clock.sleep(3)
      over = true
    end)
    T.spin(0)
    assert.is_nil(over)
    run.await(function() return over end, "the end of the sleep")
  end)
end)
