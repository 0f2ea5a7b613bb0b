local percent = require("util.percent")

describe("util.percent", function()
  it("makes one number of a share, whatever way led to it", function()
    for count = 0, 10000 do
      local share = percent.of_hundredths(count)
      assert.equal(count, percent.hundredths(share))
      assert.equal(share, percent.exact(share, true))
      assert.equal(share, percent.less(100, percent.less(100, share)))
    end
  end)

  it("keeps whole shares integers", function()
    assert.equal("integer", math.type(percent.of_hundredths(500)))
    assert.equal("integer", math.type(percent.exact(5.0, true)))
    assert.equal("integer", math.type(percent.less(12.5, 2.5)))
  end)

  it("takes no other shares", function()
    for _, value in ipairs({ -1, 100.01, 0.001, 0 / 0, math.huge, "5", {} }) do
      assert.is_nil(percent.exact(value, true))
    end
    assert.is_nil(percent.exact(0.5))
    assert.equal(50, percent.exact(50))
  end)
end)
