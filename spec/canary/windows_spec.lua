local rfc3339 = require("util.rfc3339")
local windows = require("canary.windows")

local function closed(annotations, time)
  return windows.closed({ object = { metadata = { annotations = annotations } }, now = rfc3339.parse(time) })
end

local OFFICE = { ["serin.dev/window"] = "0 9 * * mon-fri for 8h in Europe/Berlin" }

describe("canary.windows", function()
  it("is open where nothing is said", function()
    assert.is_nil(closed(nil, "2026-11-26T03:00:00Z"))
    assert.is_nil(closed({}, "2026-11-26T03:00:00Z"))
  end)

  it("opens and closes by the clock of its zone, in summer and in winter", function()
    for time, open in pairs({
      ["2026-11-26T07:59:59Z"] = false, ["2026-11-26T08:00:00Z"] = true, ["2026-11-26T15:59:59Z"] = true,
      ["2026-11-26T16:00:00Z"] = false, ["2026-07-01T06:59:59Z"] = false, ["2026-07-01T07:00:00Z"] = true,
      ["2026-11-28T10:00:00Z"] = false,
    }) do
      assert.equal(open, closed(OFFICE, time) == nil, time)
    end
  end)

  it("is closed in a freeze, also within a window", function()
    local both = { ["serin.dev/window"] = "0 0 * * * for 24h", ["serin.dev/freeze"] =
      "0 0 24 dec * for 72h; 0 12 * * fri for 60h" }
    assert.equal("freeze", closed(both, "2026-12-25T12:00:00Z").closed)
    assert.equal("freeze", closed(both, "2026-11-28T10:00:00Z").closed)
    assert.is_nil(closed(both, "2026-12-30T12:00:00Z"))
  end)

  it("says when to look again: when it opens, or in an hour", function()
    assert.equal(900, closed(OFFICE, "2026-11-26T07:45:00Z").after)
    assert.equal(3600, closed(OFFICE, "2026-11-28T10:00:00Z").after)
  end)

  it("says what it does not understand, under the annotation's name", function()
    for text, found in pairs({
      ["every day"] = '"every day"', ["0 9 * * * for long"] = "long", ["0 9 * * * for 8h in Berlin"] = "Berlin",
      ["0 25 * * * for 8h"] = "25", [""] = '""', ["0 9 * * * for 9999h"] = "9999h",
    }) do
      local stop = closed({ ["serin.dev/window"] = text }, "2026-11-26T10:00:00Z")
      assert.equal("Window", stop.reason)
      assert.truthy(stop.problem:find("^metadata%.annotations%.serin%.dev/window: .*expected"), stop.problem)
      assert.equal(found, stop.problem:sub(-#found))
    end
  end)
end)
