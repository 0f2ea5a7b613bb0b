local histogram = require("stats.histogram")
local mann_whitney = require("stats.mann_whitney")
local near = require("spec.support.near")

local BOUNDS = { .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, math.huge }

local function of(counts)
  local out = {}
  for index, count in ipairs(counts) do out[index] = { BOUNDS[index], count } end
  return out
end

local primary = of({ 1200, 4100, 7900, 9000, 9500, 9800, 9900, 9950, 9985, 9995, 9999, 10000 })
local canary = of({ 90, 350, 700, 840, 900, 940, 965, 985, 995, 998, 1000, 1000 })

describe("stats.histogram", function()
  it("gives the quantiles of Prometheus", function()
    for _, row in ipairs({ { .5, .013553, .016429 }, { .9, .05, .10 }, { .95, .10, .35 }, { .99, .50, 1.75 },
      { .999, 3.75, 7.50 } }) do
      near(row[2], (histogram.quantile(primary, row[1])), 5e-7)
      near(row[3], (histogram.quantile(canary, row[1])), 5e-7)
    end
  end)

  it("gives the bucket of a quantile", function()
    assert.same({ 0.5, 0.25, 0.5 }, { histogram.quantile(primary, .99) })
    assert.same({ 10, 10, math.huge }, { histogram.quantile(primary, .99995) })
  end)

  it("tests slow requests at a boundary", function()
    near(7.939031, histogram.slower(canary, primary, .25).z, 1e-6)
    near(6.846279, histogram.slower(canary, primary, .5).z, 1e-6)
    near(3.933963, histogram.slower(canary, primary, 1).z, 1e-6)
  end)

  it("measures the distance of the distributions", function()
    local test = histogram.distance(canary, primary)
    near(.09, test.d, 1e-12)
    near(909.0909, test.n_e, 1e-6)
    near(1, test.p / 4.0182e-7, 2e-5)
    assert.equal(.025, test.at)
  end)

  it("ranks all requests by their buckets", function()
    local test = histogram.mann_whitney(canary, primary)
    assert.equal(5561389, test.u)
    near(6.114900, test.z, 1e-6)
    near(1, test.p / 4.83089e-10, 1e-5)
    near(.556139, test.cles, 1e-6)
  end)

  it("ranks as Mann and Whitney do with one value in each bucket", function()
    local x, y, c, b = { 1, 4, 6, 7, 9, 12, 13, 15, 17, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40 }, {}, {}, {}
    for value = 1, 40 do
      local mine = false
      for _, own in ipairs(x) do mine = mine or own == value end
      if not mine then y[#y + 1] = value end
      c[value] = { value, (value > 1 and c[value - 1][2] or 0) + (mine and 1 or 0) }
      b[value] = { value, value - c[value][2] }
    end
    c[41], b[41] = { math.huge, c[40][2] }, { math.huge, b[40][2] }
    local grouped, plain = histogram.mann_whitney(c, b), mann_whitney.test(x, y)
    assert.equal(plain.u, grouped.u)
    near(plain.z, grouped.z, 1e-12)
  end)

  it("names what is wrong with buckets", function()
    for _, row in ipairs({
      { {}, "buckets: expected a list of buckets" },
      { { { 1, 5 } }, "buckets: expected a last bucket of +Inf, found 1" },
      { { { 1, 5 }, { 1, 6 }, { math.huge, 6 } }, "buckets[2]: expected a bound above 1, found 1" },
      { { { 1, 5 }, { math.huge, 4 } }, "buckets[2]: expected a count of at least 5, found 4" },
      { { { 1, -1 }, { math.huge, 4 } }, "buckets[1]: expected a count of at least 0, found -1" },
    }) do
      local value, message = histogram.quantile(row[1], .5)
      assert.is_nil(value)
      assert.equal(row[2], message)
    end
  end)

  it("compares only equal bounds", function()
    local value, message = histogram.distance(of({ 1, 2 }), { { .004, 1 }, { .01, 2 } })
    assert.is_nil(value)
    assert.equal("canary: expected a last bucket of +Inf, found 0.01", message)
    value, message = histogram.distance({ { 1, 1 }, { math.huge, 2 } }, { { 2, 1 }, { math.huge, 2 } })
    assert.is_nil(value)
    assert.equal("canary[1]: expected the primary's bound 2, found 1", message)
  end)
end)
