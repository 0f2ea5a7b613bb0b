local rfc3339 = require("util.rfc3339")

describe("util.rfc3339", function()
  it("reads back what it wrote", function()
    for _, seconds in ipairs({ 0, 951782400, 1709164800, 4102444799, 1795453443 }) do
      assert.equal(seconds, rfc3339.parse(rfc3339.format(seconds)))
    end
  end)

  it("knows offsets and fractions", function()
    assert.equal(951822000.25, rfc3339.parse("2000-02-29T12:00:00.25+01:00"))
    assert.equal("1970-01-01T00:00:00.500000Z", rfc3339.format(0.5, 6))
  end)

  it("refuses what is no time", function()
    for _, text in ipairs({ "", "now", "2000-02-29", "2000-02-29T12:00:00", "2000-02-29T12:00:00+1",
      "2000-13-01T12:00:00Z",
      "2000-02-32T12:00:00Z", "2000-02-29T24:00:00Z", "2000-02-29T12:60:00Z" }) do
      assert.is_nil(rfc3339.parse(text))
    end
    assert.is_nil(rfc3339.parse(nil))
    assert.is_nil(rfc3339.parse(5))
  end)
end)
