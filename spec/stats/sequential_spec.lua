local betting = require("stats.betting")
local combine = require("stats.combine")
local confidence = require("stats.confidence")
local mixture = require("stats.mixture")
local msprt = require("stats.msprt")
local near = require("spec.support.near")
local sprt = require("stats.sprt")

describe("stats.sprt", function()
  it("draws Wald's lines", function()
    local design = sprt.design(.1, .3, .02, .03)
    near(-3.48635519, design.lower, 1e-8)
    near(3.88156380, design.upper, 1e-8)
    near(.186168942, design.slope)
    near(-2.58262552, design.low, 1e-8)
    near(2.87538853, design.high, 1e-8)
  end)

  it("knows how long it takes", function()
    local design = sprt.design(.01, .02, .05, .2)
    near(.0144353447, design.slope)
    near(-2.21547790, design.low, 1e-8)
    near(3.94225862, design.high, 1e-8)
    near(430.1, design.requests_p0, 1e-4)
    near(487.1, design.requests_p1, 1e-4)
    design = sprt.design(.001, .002, .05, .1)
    near(6488.3, design.requests_p0, 1e-5)
    near(6143.3, design.requests_p1, 1e-5)
  end)

  it("decides at its lines and not before", function()
    local design = sprt.design(.01, .02, .05, .2)
    local last = math.floor(design.slope * 1000 + design.high)
    assert.equal("undecided", (sprt.test(last, 1000, .01, .02, .05, .2)))
    assert.equal("worse", (sprt.test(last + 1, 1000, .01, .02, .05, .2)))
    local first = math.ceil(design.slope * 1000 + design.low)
    assert.equal("undecided", (sprt.test(first, 1000, .01, .02, .05, .2)))
    assert.equal("met", (sprt.test(first - 1, 1000, .01, .02, .05, .2)))
  end)
end)

describe("stats.msprt", function()
  it("weighs a difference of means", function()
    for _, row in ipairs({ { 100, .3, 2, .1, 2.662113258, .3756414183 },
      { 1000, .1, 2, .01, 3.278721628, .3049969206 }, { 5000, .005, .034375, .0001, 1.390048463, .7193993782 } }) do
      local ln_e = msprt.ln_e(row[2], row[3] / row[1], row[4])
      near(row[5], math.exp(ln_e))
      near(row[6], msprt.p(ln_e))
    end
  end)

  it("has the interval at whose end E is 1/alpha", function()
    local half = msprt.half_width(2 / 1000, .01, .05)
    near(.1366738367, half)
    near(20, math.exp(msprt.ln_e(half, 2 / 1000, .01)), 1e-12)
  end)

  it("keeps the smallest p", function()
    assert.equal(0.2, msprt.p(-1, 0.2))
  end)
end)

describe("stats.mixture", function()
  local function options(kind) return { kind = kind, v_opt = 100, alpha_opt = .05, c = 2, g = .2, h = .8 } end

  it("is that of the authors' tests", function()
    for kind, row in pairs({ normal = { -.6510052, 30.35209 }, ["one-sided normal"] = { -.06502391, 27.66071 },
      ["gamma-poisson"] = { -.06991219, 30.1949 }, ["beta-binomial"] = { -.6941012, 31.4308 } }) do
      near(row[1], mixture.ln(10, 100, options(kind)), 1e-5)
      near(row[2], mixture.bound(100, .05, options(kind)), 1e-5)
    end
  end)

  it("reaches 1/alpha at its bound", function()
    for _, kind in ipairs({ "normal", "one-sided normal", "gamma-poisson", "beta-binomial" }) do
      near(math.log(100), mixture.ln(mixture.bound(50, .01, options(kind)), 50, options(kind)), 1e-9)
    end
  end)
end)

describe("stats.confidence", function()
  it("gives the authors' intervals of a rate", function()
    for _, row in ipairs({ { 700, 1000, 100, .651629, .745949 }, { 15, 50, 50, .129556, .511896 },
      { 5, 50, 50, .013021, .269264 }, { 1, 50, 50, 0, .13489 }, { 100, 200, 1, .328923, .671076 } }) do
      local low, high = confidence.rate(row[1], row[2], .05, row[3])
      near(row[4], low, 1e-5)
      near(row[5], high, 1e-5)
    end
    assert.equal(0.0, (confidence.rate(0, 50, .05, 50)))
    assert.equal(1.0, (select(2, confidence.rate(50, 50, .05, 50))))
  end)

  it("bounds a whole distribution", function()
    for t, width in pairs({ [100] = .269176, [1000] = .086569, [1e4] = .027711, [1e5] = .008846 }) do
      near(width, confidence.distribution(t, .05), 1e-6)
    end
  end)

  it("bounds it closer from a first number of values on", function()
    near(8.12272, confidence.constant(.05), 1e-6)
    near(.08204779, confidence.distribution_from(1000, 100, .05), 1e-8)
  end)

  it("bounds a mean", function()
    local _, rho = confidence.mean(1, 100, .05, 1000)
    near(.0890850975, rho)
    for t, width in pairs({ [100] = .385505, [1000] = .095982, [1e4] = .032417 }) do
      near(width, (confidence.mean(1, t, .05, 1000)), 1e-6)
    end
  end)
end)

describe("stats.combine", function()
  it("averages E", function()
    near(math.log((20 + 1 + 0.5) / 3), combine.mean({ math.log(20), 0, math.log(0.5) }), 1e-12)
    near(900, combine.mean({ 900, 900 }), 1e-12)
  end)

  it("adjusts p by Holm's method", function()
    local out = combine.holm({ 0.01, 0.04, 0.03, 0.005 })
    for index, expected in ipairs({ 0.03, 0.06, 0.06, 0.02 }) do near(expected, out[index], 1e-12) end
  end)

  it("finds discoveries among E", function()
    assert.same({ true, false, true }, combine.e_bh({ math.log(61), math.log(19), math.log(30) }, 0.05))
    assert.same({ false, false, false }, combine.e_bh({ math.log(59), math.log(19), math.log(29) }, 0.05))
  end)
end)

describe("stats.betting", function()
  it("wins against a bound below the mean and not against one above", function()
    local low, high
    for index = 1, 200 do
      local x = index % 5 == 0 and 1 or 0.2
      low, high = betting.step(low, x, 0.25), betting.step(high, x, 0.4)
    end
    assert.is_true(low.ln_e > math.log(20))
    assert.is_true(high.ln_e <= 0.1)
  end)

  it("expects nothing on the bound, whatever was seen before", function()
    for sum = 0, 10 do
      local state = { ln_e = 0, n = 10, sum = sum, squares = 1 }
      local won, lost = betting.step(state, 1, 0.3), betting.step(state, 0, 0.3)
      near(1, 0.3 * math.exp(won.ln_e) + 0.7 * math.exp(lost.ln_e), 1e-12)
    end
  end)

  it("never bets on a mean below the bound", function()
    assert.equal(0.0, betting.step({ ln_e = 0.0, n = 50, sum = 5, squares = 2 }, 1, 0.3).ln_e)
  end)

  it("never loses more than half at once", function()
    local state = { ln_e = 0, n = 1000, sum = 1000, squares = 0 }
    assert.is_true(betting.step(state, 0, 0.1).ln_e >= math.log(0.5) - 1e-12)
  end)
end)
