local counters = require("stats.counters")
local frozen = require("spec.support.frozen")
local samples = require("stats.samples")

local function sample(t, total, failed, more)
  local out = { name = "errors", arm = "canary", t = t, counts = { total = total, failed = failed } }
  for key, value in pairs(more or {}) do out[key] = value end
  return out
end

local function after(memory, list, since)
  local items = samples.read(frozen(list), 1000)
  return counters.step(memory and frozen(memory), items, 1000, since or 0)
end

local function canary(memory, list, since)
  local next_memory, out = after(memory, list, since)
  return out.errors and out.errors.canary or {}, next_memory
end

describe("stats.counters", function()
  it("counts nothing at first sight and then what is new", function()
    local first, memory = canary(nil, { sample(10, 500, 7) })
    assert.same({ 0, 0, 1 }, { first.n, first.y, first.fresh })
    local second = canary(memory, { sample(20, 520, 9) })
    assert.same({ 20, 2, 10 }, { second.n, second.y, second.from })
  end)

  it("sums series and keeps arms apart", function()
    local memory = after(nil, { sample(10, 500, 7, { series = "a" }), sample(10, 40, 0, { series = "b" }),
      sample(10, 900, 1, { arm = "primary" }) })
    local _, out = after(memory, { sample(20, 510, 8, { series = "a" }), sample(20, 45, 0, { series = "b" }),
      sample(20, 1000, 2, { arm = "primary" }) })
    assert.same({ 15, 1, 100, 1 },
      { out.errors.canary.n, out.errors.canary.y, out.errors.primary.n, out.errors.primary.y })
  end)

  it("counts nothing over a reset, and then from the new value", function()
    local _, memory = canary(nil, { sample(10, 500, 7) })
    local reset
    reset, memory = canary(memory, { sample(20, 30, 1) })
    assert.same({ 0, 0, 1 }, { reset.n, reset.y, reset.resets })
    assert.same({ 20, 2 }, { (function(o) return o.n, o.y end)(canary(memory, { sample(30, 50, 3) })) })
  end)

  it("takes failures that fall, or grow by more than requests, for a reset", function()
    local _, memory = canary(nil, { sample(10, 500, 7) })
    assert.same({ 0, 1 }, { (function(o) return o.n, o.resets end)(canary(memory, { sample(20, 600, 6) })) })
    assert.same({ 0, 1 }, { (function(o) return o.n, o.resets end)(canary(memory, { sample(20, 505, 20) })) })
  end)

  it("counts what is late, repeated or out of order once", function()
    local _, memory = canary(nil, { sample(10, 500, 7) })
    local twice = { sample(30, 560, 9), sample(20, 530, 8), sample(30, 560, 9), sample(20, 530, 8), sample(5, 400, 1) }
    local out, later = canary(memory, twice)
    assert.same({ 60, 2, 3, 0 }, { out.n, out.y, out.stale, out.resets })
    assert.equal(0, (canary(later, twice)).n)
  end)

  it("leaves out what began before the weight changed", function()
    local _, memory = canary(nil, { sample(10, 500, 7) })
    local early
    early, memory = canary(memory, { sample(20, 520, 9) }, 15)
    assert.equal(0, early.n)
    assert.equal(10, (canary(memory, { sample(30, 530, 9) }, 20)).n)
  end)

  it("remembers at most 64 series, the newest", function()
    local list = {}
    for index = 1, 100 do list[index] = sample(index, 5, 0, { series = "pod-" .. index }) end
    local memory = after(nil, list)
    local count, oldest = 0, math.huge
    for _, entry in pairs(memory) do count, oldest = count + 1, math.min(oldest, entry[1]) end
    assert.same({ 64, 37 }, { count, oldest })
  end)

  it("begins anew where its memory makes no sense", function()
    local _, memory = canary(nil, { sample(10, 500, 7) })
    local key = next(memory)
    for _, broken in ipairs({ "x", { 1 }, { 0 / 0, 5, 1 }, { 5000, 5, 1 }, { 10, 1, 5 } }) do
      assert.equal(1, (canary({ [key] = broken }, { sample(20, 600, 8) })).fresh)
    end
    assert.equal(1, (canary("x", { sample(20, 600, 8) })).fresh)
  end)
end)

describe("stats.samples", function()
  it("reads readings, counts and histograms", function()
    local out, problems = samples.read(frozen({
      { name = "b", arm = "canary", t = 2, value = 3.5 },
      { name = "a", arm = "canary", t = 1, counts = { events = 4 } },
      { name = "a", arm = "primary", t = 1, buckets = { { 0.5, 7 }, { math.huge, 9 } } },
    }), 10, 0.5)
    assert.same({}, problems)
    assert.same({ { name = "a", arm = "canary", series = "", t = 1, kind = "events", n = 4, y = 4 },
      { name = "a", arm = "primary", series = "", t = 1, kind = "slow", n = 9, y = 2 },
      { name = "b", arm = "canary", series = "", t = 2, kind = "value", value = 3.5 } }, out)
  end)

  it("names what it leaves out", function()
    local good = { name = "e", arm = "canary", t = 1, counts = { total = 2, failed = 1 } }
    for message, change in pairs({
      ["name: expected a text of at most 128 bytes"] = { name = "" },
      ["arm: expected primary or canary, found both"] = { arm = "both" },
      ["t: expected a finite number, found nan"] = { t = "nan" },
      ["t: expected at most 10, found 71"] = { t = 71 },
      ["counts.failed: expected at most counts.total (2), found 3"] = { counts = { total = 2, failed = 3 } },
      ["counts.events: expected a whole number >= 0, found -1"] = { counts = { events = -1 } },
      ["buckets: expected a boundary in the parameters, found none"] = { counts = false, buckets = {} },
      ["value: expected a finite number, found inf"] = { counts = false, value = math.huge },
    }) do
      local item = {}
      for key, value in pairs(good) do item[key] = value end
      for key, value in pairs(change) do item[key] = value or nil end
      if item.t == "nan" then item.t = 0 / 0 end
      local out, problems = samples.read({ item, good }, 10)
      assert.equal(1, #out)
      assert.is_truthy(problems[1]:gsub("%-nan", "nan"):find(message, 1, true), problems[1])
    end
  end)

  it("takes anything for a list", function()
    for _, list in ipairs({ false, 3, "x", { 1, "x", {} } }) do assert.same({}, (samples.read(list, 10))) end
    assert.same({}, (samples.read(nil, 10)))
  end)

  it("reads at most 2000", function()
    local list = {}
    for index = 1, 2500 do list[index] = { name = "e", arm = "canary", t = index / 1000, value = 1 } end
    local out, problems = samples.read(list, 10)
    assert.same({ 2000, "samples: expected at most 2000, found 2500" }, { #out, problems[1] })
  end)
end)
