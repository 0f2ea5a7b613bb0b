local near = require("spec.support.near")
local poisson = require("stats.poisson")

describe("stats.poisson", function()
  local rows = {
    { 8, 1, 2, 1, .0546875, .109375, .0297800024, .0595600047, 1.913227 },
    { 30, 10, 200, 90, .0803020428, .123937123, .066792561, .177362998, 1.504402 },
    { 15, 5, 95, 95, 3.94359085e-4, 3.94359085e-4, 2.36334426e-4, .0418778796, 3.276131 },
    { 0, 100, 3, 100, 1, .25, .93403162, .0883790095, -1.732051 },
  }

  it("tests the share of events", function()
    for _, row in ipairs(rows) do
      local test = poisson.conditional(row[1], row[2], row[3], row[4])
      near(row[5], test.p)
      near(row[6], test.two_sided)
    end
  end)

  it("grants a ratio", function()
    local doubled = poisson.conditional(8, 1, 2, 1, 2)
    near(2 / 3, doubled.share, 1e-14)
    assert.is_true(doubled.p > 0.25)
  end)

  it("tests by the E-test", function()
    for _, row in ipairs(rows) do
      local test = poisson.e_test(row[1], row[2], row[3], row[4])
      near(row[7], test.p)
      near(row[8], test.two_sided)
    end
  end)

  it("tests by square roots", function()
    for _, row in ipairs(rows) do near(row[9], poisson.square_root(row[1], row[2], row[3], row[4]).z, 5e-7) end
  end)

  it("gives the ratio with its interval", function()
    local ratio, low, high = poisson.ratio(15, 5, 95, 95, 0.05)
    near(3, ratio, 1e-14)
    near(1.61578817, low, 1e-8)
    near(5.20135926, high, 1e-8)
    assert.equal(math.huge, (poisson.ratio(1, 5, 0, 95, 0.05)))
  end)

  it("gives Garwood's interval", function()
    for count, ends in pairs({ [0] = { 0, 3.6889 }, [1] = { .0253, 5.5716 }, [5] = { 1.6235, 11.6683 },
      [10] = { 4.7954, 18.3904 }, [20] = { 12.2165, 30.8884 } }) do
      local low, high = poisson.garwood(count, 0.05)
      near(ends[1], low, 5e-5)
      near(ends[2], high, 5e-5)
    end
  end)

  it("says nothing without events", function()
    assert.equal(1.0, poisson.e_test(0, 1, 0, 9).p)
    assert.equal(1.0, poisson.conditional(0, 1, 0, 9).p)
  end)
end)
