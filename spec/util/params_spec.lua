local json = require("json")
local params = require("util.params")

local SCHEMA = {
  alpha = { type = "number", default = 0.01, min = 0.0001, max = 0.5 },
  margin = { type = "number", default = 1.1, min = 1, max = 10, unit = "times" },
  requests = { type = "integer", default = 100, min = 1 },
  dwell = { type = "duration", default = "5m", min = "1s", max = "24h" },
  early = { type = "boolean", default = true },
  mode = { type = "string", default = "remove", one_of = { "remove", "replace" } },
  steps = { type = "list", min = 1, max = 3, of = { type = "object", fields = {
    weight = { type = "integer", required = true, min = 0, max = 100, unit = "%" }, dwell = { type = "duration" },
  } } },
}

local function read(given) return params.read(SCHEMA, given, "analysis.policy.params") end

describe("util.params", function()
  it("fills in defaults, durations in seconds", function()
    assert.same({ alpha = 0.01, margin = 1.1, requests = 100, dwell = 300, early = true, mode = "remove" }, read(nil))
    assert.same(read(nil), read(json.null))
  end)

  it("takes what is given", function()
    local out = read({ alpha = 0.05, requests = 7.0, dwell = 90, early = false, mode = "replace",
      steps = { { weight = 5, dwell = "1m30s" } } })
    assert.same({ 0.05, 7, 90, false, "replace" }, { out.alpha, out.requests, out.dwell, out.early, out.mode })
    assert.equal("integer", math.type(out.requests))
    assert.same({ { weight = 5, dwell = 90 } }, out.steps)
  end)

  it("takes values at their bounds", function()
    assert.equal(1, read({ margin = 1 }).margin)
    assert.equal(10, read({ margin = 10 }).margin)
    assert.equal(86400, read({ dwell = "24h" }).dwell)
  end)

  it("says which parameter is wrong and why", function()
    for message, given in pairs({
      ["margn: expected a known parameter (did you mean margin?), found \"margn\""] = { margn = 2 },
      ["zzzzzzzz: expected a known parameter, found \"zzzzzzzz\""] = { zzzzzzzz = 2 },
      ["margin: expected at least 1 times, found 0.9"] = { margin = 0.9 },
      ["margin: expected at most 10 times, found 11"] = { margin = 11 },
      ["margin: expected a number, found \"2\""] = { margin = "2" },
      ["alpha: expected a number, found inf"] = { alpha = math.huge },
      ["requests: expected a whole number, found 1.5"] = { requests = 1.5 },
      ["requests: expected at least 1, found 0"] = { requests = 0 },
      ["dwell: expected a duration, found \"5 minutes\""] = { dwell = "5 minutes" },
      ["dwell: expected at most 24h0m0s, found 25h0m0s"] = { dwell = "25h" },
      ["dwell: expected at least 1s, found -3s"] = { dwell = -3 },
      ["early: expected true or false, found \"yes\""] = { early = "yes" },
      ["mode: expected one of remove, replace (did you mean remove?), found \"remve\""] = { mode = "remve" },
      ["steps: expected 1 to 3 entries, found 0"] = { steps = json.array() },
      ["steps: expected 1 to 3 entries, found 4"] = { steps = { {}, {}, {}, {} } },
      ["steps: expected a list, found an object"] = { steps = { weight = 5 } },
      ["steps[1].weight: expected a value, found none"] = { steps = { { weight = 1 }, { dwell = "1s" } } },
      ["steps[0].weight: expected at most 100 %, found 101"] = { steps = { { weight = 101 } } },
      ["steps[0].wieght: expected a known parameter (did you mean weight?), found \"wieght\""] =
        { steps = { { wieght = 1 } } },
    }) do
      local out, found = read(given)
      assert.is_nil(out)
      assert.equal("analysis.policy.params." .. message, found)
    end
  end)

  it("takes only an object", function()
    assert.same({ nil, "analysis.policy.params: expected an object, found fast" },
      { (read("x")), (select(2, read("fast")):gsub('"', "")) })
  end)
end)
