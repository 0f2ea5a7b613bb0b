local json = require("json")
local screen = require("cli.screen")

local function seen(more)
  local out = {
    time = 12.4, phase = "Progressing", weight = 30, failed_checks = 1,
    events = { "one", "two", "three", "four", "five" },
    checks = { { name = "request-success-rate", verdict = "fail", value = "96.5", rule = ">= 99", query = "q" } },
    requests = { served = 1200, failed = 7, lost = 3 },
  }
  for key, value in pairs(more or {}) do out[key] = value end
  return out
end

local function text(...)
  return table.concat(screen.lines(...), "\n")
end

describe("cli.screen", function()
  for weight, filled in pairs({ [0] = 0, [1] = 0, [10] = 4, [50] = 20, [99] = 40, [100] = 40, [-5] = 0, [900] = 40 }) do
    it(("draws a weight of %d"):format(weight), function()
      assert.equal(("#"):rep(filled) .. ("-"):rep(40 - filled), screen.bar(weight))
    end)
  end

  it("shows time, phase, weight and failed checks", function()
    local line = screen.lines(seen(), false)[1]
    assert.truthy(line:find("12 s  Progressing", 1, true))
    assert.truthy(line:find("]  30 %  failed checks 1", 1, true))
  end)

  it("shows what became of the requests", function()
    assert.truthy(text(seen(), false):find("1200 served, of which 7 failed; 3 lost", 1, true))
  end)

  it("shows each check with its verdict, value and rule", function()
    assert.truthy(text(seen(), false):find("request%-success%-rate +fail +96%.50 +rule >= 99"))
  end)

  for _, value in ipairs({ "NaN", "no values", "" }) do
    it(("shows a value that is %q"):format(value), function()
      local checks = { { name = "c", verdict = "nodata", value = value ~= "" and value or nil } }
      assert.has_no.errors(function() screen.lines(seen({ checks = checks }), true) end)
    end)
  end

  it("shows a Canary that has no status yet", function()
    assert.equal(2, #screen.lines(seen({ phase = "", weight = 0, failed_checks = 0, checks = {}, events = {} }), true))
  end)

  it("uses colours and the newest events on a terminal only", function()
    assert.is_nil(text(seen(), false):find("\27", 1, true))
    assert.is_nil(text(seen(), false):find("five", 1, true))
    assert.truthy(text(seen(), true):find("\27[36mProgressing", 1, true))
    assert.truthy(text(seen(), true):find("two\n    three\n    four\n    five", 1, true))
  end)

  it("has the same state while nothing but time, traffic and values changes", function()
    local later = seen({ time = 99, requests = { served = 9, failed = 9, lost = 9 } })
    assert.equal(screen.state(seen()), screen.state(later))
  end)

  for what, change in pairs({ phase = { phase = "Failed" }, weight = { weight = 31 }, count = { failed_checks = 2 },
    verdict = { checks = { { name = "request-success-rate", verdict = "pass" } } } }) do
    it("has another state after a change of " .. what, function()
      assert.are_not.equal(screen.state(seen()), screen.state(seen(change)))
    end)
  end

  it("is JSON for programs", function()
    assert.same({
      type = "change", time = 12.4, phase = "Progressing", weight = 30, failedChecks = 1,
      checks = { { name = "request-success-rate", verdict = "fail", value = "96.5", rule = ">= 99" } },
      requests = { served = 1200, failed = 7, lost = 3 },
    }, json.decode(screen.json(seen())))
  end)

  it("has a list of checks in JSON when there are none", function()
    assert.truthy(screen.json(seen({ checks = {} })):find('"checks":[]', 1, true))
  end)

  for _, case in ipairs({ { "abcdef", "abc" }, { "ab", "ab" }, { "\27[31mabcdef\27[0m", "\27[31mabc\27[0m" },
    { "äöüß", "äöü" }, { "a\27[1mb\27[0mcd", "a\27[1mb\27[0mc" },
    { "\xff\xff\xff\xff", "\xff\xff\xff" }, { "", "" } }) do
    it(("cuts %q"):format(case[1]), function() assert.equal(case[2], screen.clip(case[1], 3)) end)
  end

  describe("redraw", function()
    local function draw(lines, before)
      local out = { text = "" }
      function out:write(bytes) self.text = self.text .. bytes end
      function out.flush() end
      return screen.redraw(out, lines, before, 80), out.text
    end

    it("writes lines and says how many", function()
      assert.same({ 2, "\27[2Ka\n\27[2Kb\n" }, { draw({ "a", "b" }, 0) })
    end)

    it("goes back over the picture before", function()
      assert.equal("\27[2A\27[2Ka\n\27[2Kb\n", (select(2, draw({ "a", "b" }, 2))))
    end)

    it("empties lines that are no longer needed", function()
      assert.same({ 3, "\27[3A\27[2Ka\n\27[2K\n\27[2K\n" }, { draw({ "a" }, 3) })
    end)
  end)
end)
