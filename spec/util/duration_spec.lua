local duration = require("util.duration")

describe("util.duration", function()
  it("reads every unit", function()
    local seconds = { ["1h"] = 3600, ["2m"] = 120, ["30s"] = 30, ["350ms"] = 0.35, ["5us"] = 5e-6, ["5µs"] = 5e-6,
      ["5μs"] = 5e-6, ["7ns"] = 7e-9 }
    for text, value in pairs(seconds) do assert.equal(value, duration.parse(text)) end
  end)

  it("adds up parts", function()
    assert.equal(5400, duration.parse("1h30m"))
    assert.equal(61.5, duration.parse("1m1s500ms"))
  end)

  it("reads fractions", function()
    assert.equal(1.5, duration.parse("1.5s"))
    assert.equal(5400, duration.parse("1.5h"))
    assert.equal(0.5, duration.parse(".5s"))
    assert.equal(1, duration.parse("1.s"))
  end)

  it("gives integers for whole seconds", function()
    assert.equal("integer", math.type(duration.parse("60s")))
    assert.equal("integer", math.type(duration.parse("1000ms")))
    assert.equal("float", math.type(duration.parse("1.5s")))
  end)

  it("reads signs and a bare zero", function()
    assert.equal(-90, duration.parse("-1m30s"))
    assert.equal(5, duration.parse("+5s"))
    assert.equal(0, duration.parse("0"))
  end)

  it("refuses what is no duration, and says what", function()
    for _, text in ipairs({ "", "-", "5", "s", ".s", "1.2.3s", "5 s", "5x", "1m30", "1s-1s", "s5" }) do
      assert.same({ nil, "not a duration: " .. text }, { duration.parse(text) })
    end
    assert.same({ nil, "not a duration: 5" }, { duration.parse(5) })
    assert.same({ nil, "not a duration: nil" }, { duration.parse(nil) })
  end)

  it("refuses what Go cannot hold", function()
    assert.equal(9223372036, duration.parse("9223372036s"))
    for _, text in ipairs({ "9223372037s", "99999999999999999999h", "2562047h2562047h" }) do
      assert.is_nil(duration.parse(text))
    end
  end)

  it("prints as Go does", function()
    local texts = { [0] = "0s", [1] = "1s", [60] = "1m0s", [90] = "1m30s", [3600] = "1h0m0s", [86400] = "24h0m0s",
      [1.5] = "1.5s", [61.25] = "1m1.25s", [0.35] = "350ms", [0.0015] = "1.5ms", [0.000005] = "5µs",
      [0.0000015] = "1.5µs", [7e-9] = "7ns", [-90] = "-1m30s" }
    for seconds, text in pairs(texts) do assert.equal(text, duration.format(seconds)) end
  end)

  it("reads what it prints", function()
    for _, seconds in ipairs({ 0, 1, 59, 60, 61, 3599, 3600, 90061, 0.001, 0.25, 12.125 }) do
      assert.equal(seconds, duration.parse(duration.format(seconds)))
    end
  end)
end)
