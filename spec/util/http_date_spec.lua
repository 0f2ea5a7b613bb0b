local http_date = require("util.http_date")

describe("util.http_date", function()
  it("reads the form that RFC 9110 prescribes", function()
    assert.equal(784111777, http_date.parse("Sun, 06 Nov 1994 08:49:37 GMT"))
    assert.equal(951782400, http_date.parse("Tue, 29 Feb 2000 00:00:00 GMT"))
  end)

  it("takes nothing else", function()
    for _, text in ipairs({ "", "7", "Sun, 06 Non 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
      "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 99 Nov 1994 08:49:37 GMT" }) do
      assert.is_nil(http_date.parse(text), text)
    end
  end)
end)
