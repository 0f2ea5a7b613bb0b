local mann_whitney = require("stats.mann_whitney")
local near = require("spec.support.near")

describe("stats.mann_whitney", function()
  local x = { .80, .83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, .73, 1.46 }
  local y = { 1.15, .88, .90, .74, 1.21 }

  it("tests exactly without ties", function()
    local test = mann_whitney.test(x, y)
    assert.equal(35, test.u)
    near(.1272061272, test.p, 1e-9)
    near(.2544122544, test.two_sided, 1e-9)
    near(.2446236051, test.normal_two_sided, 1e-9)
    near(0.7, test.cles, 1e-14)
  end)

  it("separates arms that do not overlap", function()
    local test = mann_whitney.test({ 20, 22, 21, 25, 30 }, { 1, 2.2, 1.1, 2.5, 3 })
    assert.equal(25, test.u)
    near(.0079365079365, test.two_sided, 1e-9)
  end)

  it("turns its sign when the arms are exchanged", function()
    local long, short = {}, {}
    for index = 1, 30 do long[index], short[index] = index * 1.3 % 7, index * 2.1 % 9 end
    local forth, back = mann_whitney.test(long, short), mann_whitney.test(short, long)
    near(forth.two_sided, back.two_sided, 1e-12)
    near(900, forth.u + back.u, 1e-12)
  end)

  it("reproduces the tables of critical values", function()
    for _, row in ipairs({ { 4, 4, 0 }, { 5, 5, 2, 0 }, { 6, 6, 5 }, { 7, 12, 18 }, { 8, 8, 13, 7 }, { 10, 10, 23, 16 },
      { 20, 20, 127, 105 } }) do
      assert.equal(row[3], mann_whitney.critical(row[1], row[2], 0.05))
      if row[4] then assert.equal(row[4], mann_whitney.critical(row[1], row[2], 0.01)) end
    end
    assert.is_nil(mann_whitney.critical(4, 4, 0.01))
  end)

  it("gives the shift and its interval", function()
    local shift = mann_whitney.shift({ 10, 20, 30, 40 }, { 1, 2, 3, 4 }, 0.05)
    assert.same({ 22.5, 6, 39 }, { shift.estimate, shift.low, shift.high })
  end)

  it("puts the ends where the test turns significant", function()
    local a, b = {}, {}
    for index = 1, 25 do a[index], b[index] = index * 3.7 % 11 + 2, index * 2.9 % 10 end
    local shift = mann_whitney.shift(a, b, 0.05)
    local function two_sided(mu)
      local moved = {}
      for index, value in ipairs(a) do moved[index] = value - mu end
      return mann_whitney.test(moved, b).normal_two_sided
    end
    assert.is_true(two_sided(shift.low - 1e-6) <= 0.05)
    assert.is_true(two_sided(shift.low + 1e-6) > 0.05)
    assert.is_true(two_sided(shift.high - 1e-6) > 0.05)
    assert.is_true(two_sided(shift.high + 1e-6) <= 0.05)
  end)

  it("finds no shift between values that are all the same", function()
    local shift = mann_whitney.shift({ 1, 1, 1 }, { 1, 1 }, 0.02)
    assert.same({ 0, 0, 0 }, { shift.estimate, shift.low, shift.high })
    assert.equal(1.0, mann_whitney.test({ 1, 1, 1 }, { 1, 1 }).two_sided)
  end)
end)
