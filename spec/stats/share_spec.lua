local near = require("spec.support.near")
local share = require("stats.share")

local STEPS = { { w = .05, a = 4, b = 50 }, { w = .10, a = 9, b = 60 }, { w = .25, a = 30, b = 70 } }

describe("stats.share", function()
  it("weighs counts against a known split", function()
    for _, row in ipairs({ { 12, 38, .1, 1, 1, 2.180541237 }, { 12, 38, .1, 10, 90, 1.238385217 },
      { 5, 95, .05, 1, 1, -2.900421124 }, { 30, 20, .5, 1, 1, -.7583807469 }, { 60, 40, .5, 100, 100, .4662442922 },
      { 0, 10, .5, 1, 1, 4.533576533 } }) do
      near(row[6], share.binomial(row[1], row[2], row[3], row[4], row[5]))
    end
    near(2 ^ 10 / 11, math.exp(share.binomial(0, 10, .5, 1, 1)), 1e-12)
    near(8.851095499, math.exp(share.binomial(12, 38, .1, 1, 1)))
  end)

  it("weighs only what is worse", function()
    near(2.28467485, share.binomial(12, 38, .1, 1, 1, true))
    near(1.963076896, share.binomial(12, 38, .1, 10, 90, true))
    near(-.7096970359, share.binomial(2, 48, .1, 10, 90, true))
  end)

  it("says nothing without data", function()
    near(0, share.binomial(0, 0, .1, 1, 1, true), 1e-12)
    near(0, share.multinomial({ 0, 0 }, { .5, .5 }, { 1, 1 }), 1e-12)
    near(0, share.ln_e(share.step(nil, { w = .1, a = 0, b = 0 })), 1e-12)
  end)

  it("becomes the plain likelihood ratio when its prior is a point", function()
    local plain = 12 * math.log(.2 / .1) + 38 * math.log(.8 / .9)
    near(plain, share.binomial(12, 38, .1, .2 * 1e10, .8 * 1e10), 1e-5)
  end)

  it("weighs several arms", function()
    local third = { 1 / 3, 1 / 3, 1 / 3 }
    near(1.228969607, share.multinomial({ 30, 40, 60 }, third, { 1, 1, 1 }))
    near(-.7630441931, share.multinomial({ 120, 100, 110 }, third, { 100 / 3, 100 / 3, 100 / 3 }))
  end)

  it("goes on over changing weights", function()
    for r0, expected in pairs({ [1] = { -.166072446, -.147721227, .176679026 },
      [1.1] = { -.277985923, -.430853494, -.496497377 } }) do
      local state
      for index, step in ipairs(STEPS) do
        state = share.step(state, step, { r0 = r0 })
        near(expected[index], share.ln_e(state))
      end
    end
  end)

  it("gives the same for pieces and for their sums at one weight", function()
    local whole = share.of({ { w = .1, a = 13, b = 110 } })
    near(whole, share.of({ { w = .1, a = 4, b = 50 }, { w = .1, a = 9, b = 60 } }), 1e-12)
  end)

  it("speaks for a canary that is not worse", function()
    local worse = share.of({ { w = .5, a = 100, b = 100 } }, { r0 = 1.5, ratios = { .5, 1 } })
    assert.is_true(worse > math.log(20))
    assert.is_true(share.of({ { w = .5, a = 150, b = 100 } }, { r0 = 1.5, ratios = { .5, 1 } }) < 0)
  end)

  it("names what it cannot take", function()
    for _, row in ipairs({
      { { w = 0, a = 1, b = 1 }, nil, "w: expected a number between 0 and 1, found 0" },
      { { w = .1, a = -1, b = 1 }, nil, "a: expected a number >= 0, found -1" },
      { { w = .1, a = 0 / 0, b = 1 }, nil, "a: expected a number >= 0, found " },
      { { w = .1, a = 1, b = math.huge }, nil, "b: expected a number >= 0, found inf" },
      { { w = .1, a = 1, b = 1 }, { ratios = { 2, .5 } }, "ratios[2]: expected all on one side of 1, found 0.5" },
    }) do
      local state, message = share.step(nil, row[1], row[2])
      assert.is_nil(state)
      assert.equal(row[3], message:sub(1, #row[3]))
    end
  end)
end)
