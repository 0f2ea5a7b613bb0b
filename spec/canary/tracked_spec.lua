local tracked = require("canary.tracked")

describe("canary.tracked", function()
  it("sums data as Flagger does", function()
    assert.equal("241889ca0604e333", tracked.checksum({ data = { color = "red" } }))
    assert.equal("74234e98afe7498f", tracked.checksum({}))
  end)

  it("agrees with the recorded sums", function()
    assert.equal("f234cb93c08ad64e", tracked.checksum({ data = { color = "blue" } }))
    assert.equal("94e31e9c97dbae9f", tracked.checksum({ data = { key = "djE=" } }))
  end)

  it("sees binary data", function()
    local plain = tracked.checksum({ data = { a = "b" } })
    assert.not_equal(plain, tracked.checksum({ data = { a = "b" }, binaryData = { c = "AA==" } }))
    assert.equal(plain, tracked.checksum({ data = { a = "b" }, binaryData = {} }))
  end)
end)
