local kayenta = require("stats.kayenta")
local near = require("spec.support.near")
local random = require("sandbox.random")

local function series(seed, n, level, width)
  local draw, out = random.new(seed), {}
  for index = 1, n do out[index] = level + width * (draw() - 0.5) end
  return out
end

local function label(canary, primary, options) return kayenta.metric(canary, primary, options).label end

describe("stats.kayenta", function()
  local same, other, high = series(1, 50, 10, 2), series(2, 50, 10, 2), series(3, 50, 15, 2)

  it("finds what is larger, smaller and neither", function()
    assert.equal("Pass", label(same, other))
    assert.equal("High", label(high, other))
    assert.equal("Low", label(other, high))
  end)

  it("minds only the direction that is bad", function()
    assert.equal("Pass", label(high, other, { direction = "decrease" }))
    assert.equal("High", label(high, other, { direction = "increase" }))
    assert.equal("Pass", label(other, high, { direction = "increase" }))
  end)

  it("gives the ratio of the means", function()
    near(12.0408163, kayenta.metric({ 20, 22, 21, 25, 30 }, { 1, 2.2, 1.1, 2.5, 3 }).ratio, 1e-8)
  end)

  it("lets small effects pass", function()
    assert.equal("Pass", label(high, other, { allowed_increase = 2 }))
    assert.equal("High", label(high, other, { allowed_increase = 1.2 }))
    assert.equal("Low", label(other, high, { allowed_decrease = 0.8 }))
    assert.equal("Pass", label(other, high, { allowed_decrease = 0.5 }))
  end)

  it("passes what is identical, and decides constants directly, the same each time", function()
    assert.equal("Pass", label({ 3, 1, 2 }, { 1, 2, 3 }))
    assert.equal("Pass", label({ 5, 5 }, { 5, 5, 5 }))
    for _ = 1, 5 do assert.equal("High", label({ 5, 5, 5 }, { 4, 4, 4 })) end
    assert.equal("Low", label({ 0, 0, 0 }, { 4, 4, 4 }))
  end)

  it("drops what is no number, or takes it for 0", function()
    local nan = 0 / 0
    assert.equal("Nodata", label({ nan, nan }, { 1, 2 }))
    assert.equal("Pass", label({}, { 1, 2 }, { nan = "replace" }))
    assert.equal(3, kayenta.metric({ nan, 1, math.huge, 2, 3 }, { 1, 2 }).n)
    assert.equal(5, kayenta.metric({ nan, 1, math.huge, 2, 3 }, { 1, 2 }, { nan = "replace" }).n)
  end)

  it("drops outliers when told to", function()
    local spiky = series(4, 60, 10, 2)
    spiky[7] = 1e6
    assert.equal(60, kayenta.metric(spiky, other).n)
    assert.equal(60, kayenta.metric(spiky, other, { outliers = "remove" }).n + 1)
  end)

  it("fails a metric that must have data", function()
    assert.equal("NodataFailMetric", label({}, { 1 }, { must_have_data = true }))
    local critical = kayenta.metric({}, { 1 }, { must_have_data = true, critical = true })
    assert.same({ "Nodata", true }, { critical.label, critical.critical })
  end)

  it("scores", function()
    local pass, fail, silent = { label = "Pass" }, { label = "High" }, { label = "Nodata" }
    assert.equal(66.67, kayenta.score({ pass, pass, fail }))
    assert.equal(100, kayenta.score({ pass, pass, silent }))
    assert.equal(50, kayenta.score({ pass, { label = "NodataFailMetric" } }))
    assert.same({ 0.0, "half of the metrics have no data" }, { kayenta.score({ pass, silent }) })
    local low = { label = "Low", critical = true }
    assert.same({ 0.0, "a critical metric failed" }, { kayenta.score({ pass, pass, low }) })
  end)

  it("makes a critical metric fail the canary only beyond its own ratio", function()
    assert.is_true(kayenta.metric(high, other, { critical = true }).critical)
    assert.is_false(kayenta.metric(high, other, { critical = true, critical_increase = 2 }).critical)
    assert.is_false(kayenta.metric(high, other, {}).critical)
  end)
end)
