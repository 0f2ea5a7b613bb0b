local cron = require("util.cron")
local rfc3339 = require("util.rfc3339")

local function matches(text, time)
  return cron.matches(assert(cron.parse(text)), rfc3339.parse(time))
end

describe("util.cron", function()
  it("reads values, lists, ranges, steps and names", function()
    assert.is_true(matches("* * * * *", "2026-11-26T10:15:30Z"))
    assert.is_true(matches("15 10 26 11 *", "2026-11-26T10:15:30Z"))
    assert.is_false(matches("16 10 26 11 *", "2026-11-26T10:15:30Z"))
    assert.is_true(matches("0,15 9-17 * nov mon-fri", "2026-11-26T10:15:30Z"))
    assert.is_false(matches("0,15 9-17 * nov sat,sun", "2026-11-26T10:15:30Z"))
    assert.is_true(matches("*/5 * * * *", "2026-11-26T10:15:30Z"))
    assert.is_false(matches("*/7 * * * *", "2026-11-26T10:15:30Z"))
    assert.is_true(matches("3/4 * * * *", "2026-11-26T10:15:30Z"))
    assert.is_true(matches("* * * * 7", "2026-11-29T00:00:00Z"))
  end)

  it("takes either day when both are restricted", function()
    assert.is_true(matches("0 0 13 * fri", "2026-11-13T00:00:00Z"))
    assert.is_true(matches("0 0 13 * fri", "2026-11-20T00:00:00Z"))
    assert.is_true(matches("0 0 14 * fri", "2026-11-14T00:00:00Z"))
    assert.is_false(matches("0 0 14 * fri", "2026-11-15T00:00:00Z"))
  end)

  it("says what it does not understand", function()
    for text, sentence in pairs({
      ["* * * *"] = 'expected minute, hour, day, month and weekday, found "* * * *"',
      ["* * * * * *"] = 'expected minute, hour, day, month and weekday, found "* * * * * *"',
      ["60 * * * *"] = "minute: expected values from 0 to 59, found 60",
      ["* 5-3 * * *"] = "hour: expected values from 0 to 23, found 5-3",
      ["* * * * fry"] = "weekday: expected values from 0 to 7, found fry",
      ["*/0 * * * *"] = "minute: expected values from 0 to 59, found */0",
      ["1,, * * * *"] = "minute: expected values from 0 to 59, found 1,,",
    }) do
      local found, message = cron.parse(text)
      assert.is_nil(found)
      assert.equal(sentence, message)
    end
  end)
end)
