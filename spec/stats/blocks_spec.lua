local blocks = require("stats.blocks")
local near = require("spec.support.near")
local random = require("sandbox.random")

local function walk(list, options, expected)
  local state
  for index, block in ipairs(list) do
    state = blocks.step(state, { y_c = block[1], n_c = block[2], y_b = block[3], n_b = block[4] }, options)
    near(expected[index], state.ln_e)
  end
end

describe("stats.blocks", function()
  it("grows as published for single requests", function()
    walk({ { 1, 1, 0, 1 }, { 1, 1, 0, 1 }, { 0, 1, 0, 1 }, { 1, 1, 0, 1 }, { 1, 1, 1, 1 }, { 1, 1, 0, 1 },
      { 1, 1, 0, 1 }, { 1, 1, 0, 1 } }, nil,
      { 0, 1.102353839, -.16414859, .827218169, -.768286649, .120702255, 1.096549974, 2.133361012 })
  end)

  it("grows as published for unequal blocks", function()
    local list = { { 3, 50, 10, 450 }, { 4, 50, 9, 450 }, { 5, 50, 11, 450 }, { 6, 50, 8, 450 } }
    walk(list, { prior = { 1, 1 } }, { 0, 2.143391768, 4.968427077, 9.698004726 })
    walk(list, { prior = { 2, 98 } }, { 0, 1.055548249, 3.20589116, 6.92614533 })
  end)

  it("learns nothing from one arm alone", function()
    local state = blocks.step(nil, { y_c = 3, n_c = 10, y_b = 0, n_b = 0 })
    assert.same({ 0.0, 3, 10 }, { state.ln_e, state.y_c, state.n_c })
  end)

  it("learns the primary's rate before it predicts the canary's from it", function()
    local block = { y_c = 5, n_c = 10, y_b = 1, n_b = 100 }
    local first = blocks.step(nil, block, { pull = 50 })
    assert.equal(0.0, first.ln_e)
    local second = blocks.step(first, block, { pull = 50 })
    assert.is_true(second.ln_e > 0)
    assert.is_true(blocks.step(second, block, { pull = 500 }).ln_e < blocks.step(second, block, { pull = 50 }).ln_e)
  end)

  it("counts only on its side", function()
    local better = { y_c = 0, n_c = 100, y_b = 30, n_b = 100 }
    local list = { better, better, better }
    assert.is_true(blocks.of(list, { side = "either" }).ln_e > 3)
    assert.equal(0.0, blocks.of(list, { side = "more" }).ln_e)
    assert.is_true(blocks.of(list, { side = "less" }).ln_e > 3)
  end)

  -- E of the next factor over all outcomes of a block, under a pair of rates of the null hypothesis.
  local function expectation(state, n_c, n_b, f_c, f_b, options)
    local function choose(n, k)
      local out = 1
      for i = 1, k do out = out * (n - k + i) / i end
      return out
    end
    local sum = 0
    for y_c = 0, n_c do
      for y_b = 0, n_b do
        local next_state = blocks.step(state, { y_c = y_c, n_c = n_c, y_b = y_b, n_b = n_b }, options)
        sum = sum + choose(n_c, y_c) * f_c ^ y_c * (1 - f_c) ^ (n_c - y_c) * choose(n_b, y_b) * f_b ^ y_b
          * (1 - f_b) ^ (n_b - y_b) * math.exp(next_state.ln_e - state.ln_e)
      end
    end
    return sum
  end

  it("is fair on its boundary and unfair beyond it, for any rates and sizes", function()
    local draw = random.new(7)
    for _ = 1, 60 do
      local ratio, difference = 0.5 + draw(), draw() * 0.2
      local options = { prior = { 1, 3 }, ratio = ratio, difference = difference, side = "less" }
      local state = { ln_e = 0, y_c = math.floor(draw() * 5), n_c = 20, y_b = math.floor(draw() * 20), n_b = 40 }
      local f_b = draw() * (1 - difference) / ratio * 0.9
      local edge = math.min(1, ratio * f_b + difference)
      assert.is_true(expectation(state, 3, 7, edge, f_b, options) <= 1 + 1e-9)
      assert.is_true(expectation(state, 3, 7, math.min(1, edge + draw() * 0.3), f_b, options) <= 1 + 1e-9)
      options.side = "more"
      assert.is_true(expectation(state, 5, 2, edge, f_b, options) <= 1 + 1e-9)
      assert.is_true(expectation(state, 5, 2, edge * draw(), f_b, options) <= 1 + 1e-9)
    end
  end)

  it("gains where the canary is better than the boundary", function()
    local state = { ln_e = 0, y_c = 2, n_c = 100, y_b = 20, n_b = 1000 }
    assert.is_true(expectation(state, 8, 8, .02, .02, { difference = .2, side = "less" }) > 1.2)
  end)

  it("names what it cannot take", function()
    for _, row in ipairs({
      { { y_c = 5, n_c = 4, y_b = 0, n_b = 1 }, nil, "y_c: expected at most n_c (4), found 5" },
      { { y_c = -1, n_c = 4, y_b = 0, n_b = 1 }, nil, "y_c: expected a whole number >= 0, found -1" },
      { { y_c = 0.5, n_c = 4, y_b = 0, n_b = 1 }, nil, "y_c: expected a whole number >= 0, found 0.5" },
      { { y_c = 0, n_c = 4, y_b = 0, n_b = 1 }, { side = "up" }, "side: expected either, more or less, found up" },
      { { y_c = 0, n_c = 4, y_b = 0, n_b = 1 }, { difference = 1 },
        "difference: expected a number between -1 and 1, found 1" },
    }) do
      local state, message = blocks.step(nil, row[1], row[2])
      assert.is_nil(state)
      assert.equal(row[3], message)
    end
  end)
end)
