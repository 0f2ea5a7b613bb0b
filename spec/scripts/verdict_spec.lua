local verdict = require("scripts.verdict")

local function wrong(answer) return (select(2, verdict.check(answer))) end

describe("scripts.verdict", function()
  it("asks nothing of a pass", function() assert.is_table(verdict.check({ verdict = "pass" })) end)

  for _, word in ipairs({ "fail", "inconclusive", "nodata", "error" }) do
    it("asks for the rule of " .. word, function()
      assert.equal(("rule: expected a text, as %s needs evidence, found nothing"):format(word),
        wrong({ verdict = word, value = 1 }))
    end)
  end

  for _, word in ipairs({ "fail", "inconclusive" }) do
    it("asks for the value of " .. word, function()
      assert.equal(("value: expected a number or a text, as %s needs evidence, found nothing"):format(word),
        wrong({ verdict = word, rule = "r" }))
      assert.is_table(verdict.check({ verdict = word, rule = "r", value = 0 }))
    end)
  end

  for message, answer in pairs({
    ["valu: expected a field of a verdict (did you mean value?)"] = { verdict = "pass", valu = 1 },
    ["rule: expected a text of 1 to 1024 bytes, found a table"] = { verdict = "pass", rule = {} },
    ["query: expected a text of 1 to 1024 bytes, found one of 1025"] = { verdict = "pass", query = ("x"):rep(1025) },
    ["value: expected a number or a text, found table"] = { verdict = "pass", value = {} },
    ["n: expected a number of 0 or more, found -1"] = { verdict = "pass", n = -1 },
    ["expected a verdict, found string"] = "pass",
  }) do
    it("says: " .. message, function() assert.equal(message, wrong(answer)) end)
  end
end)
