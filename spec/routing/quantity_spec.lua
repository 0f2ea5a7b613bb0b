local quantity = require("routing.quantity")

describe("routing.quantity", function()
  it("reads numbers and quantities as thousandths", function()
    for milli, values in pairs({
      [0] = { 0, "0", "0m", 0.0 },
      [100000] = { 100, "100", "+100", 100.0, "100000m" },
      [900] = { "900m", 0.9, "0.9" },
      [1] = { "0.1m", 0.0001 }, -- rounded up
      [2000000] = { "2k" },
      [3000000000] = { "3M" },
    }) do
      for _, value in ipairs(values) do
        local found = quantity.milli(value)
        assert.equal(milli, found)
        assert.equal("integer", math.type(found))
      end
    end
  end)

  it("takes nothing else for a weight", function()
    for _, value in ipairs({ -1, "-1", "", "m", "1Gi", "1e3", "all", "1.2.3", ".", true, {}, 0 / 0, math.huge,
      "9999999999999", ("0"):rep(33) }) do
      assert.is_nil(quantity.milli(value))
    end
  end)
end)
