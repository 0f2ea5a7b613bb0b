local fisher = require("stats.fisher")
local near = require("spec.support.near")
local power = require("stats.power")
local proportions = require("stats.proportions")

describe("stats.proportions", function()
  it("tests a larger share with and without continuity", function()
    for _, row in ipairs({
      { 15, 1000, 10, 1000, 1.00630921, .157133426, .805047369, .210396173 },
      { 30, 1000, 10, 1000, 3.19438282, 7.0065079e-4, 3.03466368, 1.20402023e-3 },
      { 12, 500, 90, 9500, 3.15085542, 8.13965272e-4, 2.92253256, 1.73598658e-3 },
      { 5, 200, 20, 9800, 6.43662224, 6.1080729e-11, 5.72144199, 5.28118606e-9 },
    }) do
      local plain = proportions.z(row[1], row[2], row[3], row[4])
      local careful = proportions.z(row[1], row[2], row[3], row[4], true)
      near(row[5], plain.z, 2e-9)
      near(1, plain.p / row[6], 5e-9)
      near(row[7], careful.z, 2e-9)
      near(1, careful.p / row[8], 5e-9)
    end
  end)

  it("turns its sign when the arms are exchanged", function()
    near(-proportions.z(15, 1000, 90, 9500).z, proportions.z(90, 9500, 15, 1000).z, 1e-14)
  end)

  it("finds nothing where nothing or everything failed", function()
    assert.same({ 0.0, 0.5 }, { proportions.z(0, 10, 0, 10).z, proportions.z(10, 10, 10, 10).p })
  end)

  it("gives Wilson's interval", function()
    for _, row in ipairs({ { 81, 263, .2553, .3662 }, { 15, 148, .0624, .1605 }, { 0, 20, 0, .1611 },
      { 1, 29, .0061, .1718 } }) do
      local low, high = proportions.wilson(row[1], row[2], 0.05)
      near(row[3], low, 5e-5)
      near(row[4], high, 5e-5)
    end
  end)

  it("gives the intervals of Newcombe's table II", function()
    for _, row in ipairs({ { 56, 70, 48, 80, .0524, .3339 }, { 9, 10, 3, 10, .1705, .8090 },
      { 6, 7, 2, 7, .0582, .8062 }, { 5, 56, 0, 29, -.0381, .1926 }, { 0, 10, 0, 20, -.1611, .2775 },
      { 0, 10, 0, 10, -.2775, .2775 }, { 10, 10, 0, 20, .6791, 1 }, { 10, 10, 0, 10, .6075, 1 } }) do
      local low, high = proportions.newcombe(row[1], row[2], row[3], row[4], 0.05)
      near(row[5], low, 5e-5)
      near(row[6], high, 5e-5)
    end
  end)

  it("tests for being worse by a margin", function()
    local test = proportions.noninferior(12, 1000, 10, 1000, .01)
    near(-1.60705700, test.z, 1e-8)
    near(.0540209328, test.p, 1e-9)
    near(.0175735539, test.restricted_c, 1e-9)
    near(.0075735539, test.restricted_b, 1e-9)
    test = proportions.noninferior(30, 2000, 190, 18000, .005)
    near(-.193819940, test.z, 5e-9)
    near(.423158437, test.p, 1e-9)
  end)

  it("needs more data without failures than none", function()
    assert.is_true(proportions.noninferior(0, 10, 0, 100, .01).p > 0.3)
    assert.is_true(proportions.noninferior(0, 1000, 0, 10000, .01).p < 0.01)
  end)
end)

describe("stats.fisher", function()
  it("tests the tea", function()
    local tea = fisher.test(3, 4, 1, 4)
    near(.485714286, tea.two_sided, 1e-9)
    near(.242857143, tea.greater, 1e-9)
  end)

  it("is right where the normal test is wrong by six orders of magnitude", function()
    near(1, fisher.test(5, 200, 20, 9800).greater / 1.16737330e-4, 1e-8)
  end)

  it("tests slow requests at a boundary", function()
    near(1, fisher.test(60, 1000, 200, 10000).greater / 7.10441e-12, 1e-6)
    near(1, fisher.test(35, 1000, 100, 10000).greater / 7.48176e-9, 1e-6)
    near(1, fisher.test(15, 1000, 50, 10000).greater / 5.80933e-4, 1e-6)
  end)

  it("is certain of nothing", function()
    local none = fisher.test(0, 10, 0, 10)
    assert.same({ 1, 1 }, { none.greater, none.two_sided })
    near(1, fisher.test(0, 4, 4, 4).greater, 1e-14)
  end)

  it("answers for thousands of millions of requests", function()
    near(1, fisher.test(500000000, 1000000000, 499900000, 1000000000).two_sided / 7.7458345e-06, 1e-4)
  end)
end)

describe("stats.power", function()
  it("says how many canary requests are needed", function()
    near(1825.9, power.requests(.02, .01, 1, .05, .8), 1e-4)
    near(911.6, power.requests(.02, .01, 9, .05, .8), 1e-4)
    near(512.4, power.requests(.01, .001, 9, .05, .9), 1e-4)
    near(32335, power.requests(.0015, .001, 9, .05, .8), 1e-5)
  end)
end)
