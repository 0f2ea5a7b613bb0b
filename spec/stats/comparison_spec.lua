local blocks = require("stats.blocks")
local comparison = require("stats.comparison")
local frozen = require("spec.support.frozen")
local near = require("spec.support.near")
local share = require("stats.share")
local windows = require("stats.windows")

local LIMITS = { margin = 1, tolerance = 0.005, events_tolerance = 1.5, slow_margin = 0.01, slow_tolerance = 0.02 }

local function after(kind, list, weight, limits)
  local options = comparison.options(limits or LIMITS)
  local memory = comparison.start(kind)
  for _, block in ipairs(list) do
    memory = comparison.step(frozen(memory), { y_c = block[1], n_c = block[2], y_b = block[3], n_b = block[4] },
      weight or 0.1, options)
  end
  return comparison.result(memory, options), memory
end

describe("stats.comparison", function()
  it("weighs failures at the share of the block's requests", function()
    local it = after("failures", { { 4, 50, 50, 950 }, { 9, 100, 60, 900 }, { 30, 250, 70, 750 } })
    near(0.176679026, it.worse, 1e-9)
    near(0.1075, it.rate_c, 1e-12)
  end)

  it("weighs events at the router's weight", function()
    local it = after("events", { { 9, 9, 60, 60 } }, 0.1)
    near(share.of({ { w = 0.1, a = 9, b = 60 } }), it.worse, 1e-12)
    near(share.of({ { w = 0.1, a = 9, b = 60 } }, { r0 = 1.5, ratios = { 0.3, 0.6, 0.9, 1.2 } }), it.fine, 1e-9)
    assert.is_nil(it.rate_c)
  end)

  it("learns nothing from events at no or at full weight", function()
    assert.same({ 0, 0 }, { (function(it) return it.worse, it.fine end)(after("events", { { 9, 9, 60, 60 } }, 0)) })
    assert.equal(0, (after("events", { { 9, 9, 0, 0 } }, 1)).worse)
  end)

  it("weighs slow requests against both boundaries", function()
    local list = { { 5, 100, 40, 900 }, { 9, 100, 40, 900 }, { 9, 100, 40, 900 } }
    local function alone(difference, side)
      local state
      for _, b in ipairs(list) do
        state = blocks.step(state, { y_c = b[1], n_c = b[2], y_b = b[3], n_b = b[4] },
          { prior_b = { .5, .5 }, pull = 50, difference = difference, side = side })
      end
      return state.ln_e
    end
    local it = after("slow", list)
    near(alone(0.01, "more"), it.worse, 1e-12)
    near(alone(0.02, "less"), it.fine, 1e-12)
    assert.is_true(it.worse > 0.3)
  end)

  it("tests against an objective", function()
    local limits = { slo = 0.001, slo_ratio = 2 }
    for key, value in pairs(LIMITS) do limits[key] = value end
    local it = after("failures", { { 10, 1000, 0, 9000 } }, 0.1, limits)
    near(10 * math.log(2) + 990 * math.log(0.998 / 0.999), it.slo, 1e-9)
  end)

  it("sees bursts", function()
    local calm, wild = {}, {}
    for index = 1, 30 do
      calm[index] = { index % 2 * 2, 100, 9, 900 }
      wild[index] = { index % 10 == 0 and 10 or 0, 100, 9, 900 }
    end
    assert.is_true(after("failures", calm).dispersion < 2)
    assert.is_true(after("failures", wild).dispersion > 2)
  end)

  it("knows a memory it can go on with", function()
    for _, kind in ipairs({ "failures", "events", "slow" }) do
      local _, memory = after(kind, { { 1, 10, 2, 90 } })
      assert.is_true(comparison.is_memory(memory))
      for key, value in pairs({ kind = "x", worse = "x", fine = { 1 }, c = { 3, 1 }, b = { -1, 4 }, chi = -1,
        blocks = 0.5 }) do
        local broken = {}
        for name, part in pairs(memory) do broken[name] = part end
        broken[key] = value
        assert.is_false(comparison.is_memory(broken), key)
      end
    end
  end)
end)

describe("stats.windows", function()
  it("sums the last minutes", function()
    local slot, memory = assert(windows.slot(60, 600))
    assert.equal(15, slot)
    for t = 0, 1200, 15 do memory = windows.add(memory and frozen(memory), t, 1, 10, slot, 600) end
    assert.same({ 4, 40 }, { windows.sum(memory, 1200, 60, slot) })
    assert.same({ 40, 400 }, { windows.sum(memory, 1200, 600, slot) })
    local count = 0
    for _ in pairs(memory) do count = count + 1 end
    assert.is_true(count <= 42)
  end)

  it("drops what makes no sense", function()
    local memory = { ["5"] = { 3, 1 }, x = { 1, 2 }, ["6"] = "x", ["7"] = { 1, 2 }, ["99"] = { 1, 1 } }
    assert.same({ ["7"] = { 1, 2 } }, windows.add(memory, 120, 0, 0, 15, 600))
  end)

  it("refuses windows that are too far apart", function()
    assert.same({ nil, "windows: expected a longest of at most 96 times the shortest 10s, found 961s" },
      { windows.slot(10, 961) })
    assert.equal(10, windows.slot(10, 960))
  end)
end)
