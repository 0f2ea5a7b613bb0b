local exported = require("exported")
local families = require("exported.families")

local FAMILIES = {
  { "weight", "gauge", "A weight." },
  { "found", "counter", "Some \\ that\nwere found." },
  { "took", "histogram", "How long.", buckets = { 0.5, 1, 10 } },
}
local DROPPED = "# HELP serin_series_dropped_total Writes of series that found no room.\n"
  .. "# TYPE serin_series_dropped_total counter\nserin_series_dropped_total %d\n"

local function new(most) return exported.new({ families = FAMILIES, most = most }) end

--- The text without the registry's own series.
local function text(registry)
  return (registry:render():gsub("# HELP serin_series_dropped_total.*", ""))
end

describe("exported", function()
  it("renders nothing but its own series when nothing was written", function()
    assert.equal(DROPPED:format(0), new():render())
  end)

  it("renders help, type and the last value of a gauge", function()
    local registry = new()
    registry:set("weight", { workload = "a" }, 5)
    registry:set("weight", { workload = "a" }, 10)
    assert.equal('# HELP weight A weight.\n# TYPE weight gauge\nweight{workload="a"} 10\n', text(registry))
  end)

  it("renders the sum of a counter, and escapes its help", function()
    local registry = new()
    registry:count("found", {}, 1)
    registry:count("found", {}, 2)
    assert.equal("# HELP found Some \\\\ that\\nwere found.\n# TYPE found counter\nfound 3\n", text(registry))
  end)

  it("counts an observation in its bucket and all above", function()
    local registry = new()
    for _, seconds in ipairs({ 0.25, 1, 2, 11 }) do registry:observe("took", { name = "a" }, seconds) end
    assert.equal([[
# HELP took How long.
# TYPE took histogram
took_bucket{name="a",le="0.5"} 1
took_bucket{name="a",le="1"} 2
took_bucket{name="a",le="10"} 3
took_bucket{name="a",le="+Inf"} 4
took_sum{name="a"} 14.25
took_count{name="a"} 4
]], text(registry))
  end)

  it("renders what was written since the last time it was asked", function()
    local registry = new()
    local function write()
      registry:set("weight", {}, (registry.n or 0) + 1)
      registry:count("found", {}, 1)
      registry:observe("took", {}, 1)
      registry.n = 1
      return text(registry)
    end
    assert.matches("found 1\n.*took_count 1\n.*weight 1\n", write())
    assert.matches("found 2\n.*took_count 2\n.*weight 2\n", write())
  end)

  it("renders a histogram without labels", function()
    local registry = new()
    registry:observe("took", {}, 3)
    assert.matches('_bucket{le="10"} 1\ntook_bucket{le="+Inf"} 1\ntook_sum 3\ntook_count 1\n', text(registry), 1, true)
  end)

  it("escapes label values", function()
    local registry = new()
    registry:set("weight", { workload = 'a"b\\c\nd' }, 1)
    assert.matches('weight{workload="a\\"b\\\\c\\nd"} 1\n', text(registry), 1, true)
  end)

  it("cuts long label values between characters", function()
    local registry = new()
    registry:set("weight", { workload = "x" .. ("é"):rep(1000) }, 1)
    assert.matches('{workload="x' .. ("é"):rep(127) .. '..."} 1\n', text(registry), 1, true)
  end)

  it("sorts families, series and labels", function()
    local registry = new()
    registry:set("weight", { workload = "b", namespace = "n" }, 1)
    registry:set("weight", { workload = "a", namespace = "n" }, 2)
    registry:count("found", {}, 1)
    local lines = {}
    for line in text(registry):gmatch("[^\n]+") do if line:sub(1, 1) ~= "#" then lines[#lines + 1] = line end end
    assert.same({ "found 1", 'weight{namespace="n",workload="a"} 2', 'weight{namespace="n",workload="b"} 1' }, lines)
  end)

  it("sorts series that came after the last time it was asked", function()
    local registry = new()
    registry:set("weight", { workload = "b" }, 1)
    registry:render()
    registry:set("weight", { workload = "a" }, 2)
    assert.matches('"a"} 2\nweight{workload="b"} 1\n', text(registry), 1, true)
  end)

  for _, case in ipairs({ { 1, "1" }, { 2.0, "2" }, { 0.1, "0.1" }, { 1 / 3, "0.33333333333333331" },
    { math.huge, "+Inf" }, { -math.huge, "-Inf" }, { 1e21, "1e+21" } }) do
    it("writes the number " .. case[2], function()
      local registry = new()
      registry:set("weight", {}, case[1])
      assert.matches("\nweight " .. case[2] .. "\n", text(registry), 1, true)
    end)
  end

  it("writes what is no number", function()
    local registry = new()
    registry:set("weight", {}, 0 / 0)
    assert.matches("\nweight NaN\n", text(registry))
  end)

  it("removes the series whose labels contain those given, and no other", function()
    local registry = new()
    registry:set("weight", { workload = "a", namespace = "n" }, 1)
    registry:set("weight", { workload = "a", namespace = "m" }, 2)
    registry:count("found", { workload = "a", namespace = "n", more = "x" }, 3)
    registry:remove({ workload = "a", namespace = "n" })
    assert.equal('# HELP weight A weight.\n# TYPE weight gauge\nweight{namespace="m",workload="a"} 2\n', text(registry))
  end)

  it("forgets what it counted of a removed series", function()
    local registry = new()
    registry:count("found", { a = "1" }, 5)
    registry:remove({ a = "1" })
    registry:count("found", { a = "1" }, 1)
    assert.matches('found{a="1"} 1\n', text(registry), 1, true)
  end)

  it("renders what is left after a removal", function()
    local registry = new()
    registry:set("weight", { workload = "a" }, 1)
    registry:set("weight", { workload = "b" }, 2)
    registry:render()
    registry:remove({ workload = "a" })
    assert.equal('# HELP weight A weight.\n# TYPE weight gauge\nweight{workload="b"} 2\n', text(registry))
  end)

  it("keeps no trace of what was removed", function()
    local registry = new()
    registry:set("weight", { workload = "a" }, 1)
    registry:remove({ workload = "a" })
    assert.same({ 0, nil, nil },
      { registry.bytes, next(registry.index.workload), next(registry.families.weight.series) })
  end)

  it("removes nothing for labels that no series has", function()
    local registry = new()
    registry:set("weight", { workload = "a" }, 1)
    registry:remove({ workload = "b" })
    registry:remove({ namespace = "a" })
    registry:remove({})
    assert.matches('weight{workload="a"} 1\n', text(registry), 1, true)
  end)

  it("drops new series when there is no more room, and counts the writes", function()
    local registry = new(60)
    registry:set("weight", { workload = "a" }, 1)
    registry:set("weight", { workload = "b" }, 1)
    registry:observe("took", { workload = "b" }, 1)
    registry:set("weight", { workload = "a" }, 2)
    assert.equal('# HELP weight A weight.\n# TYPE weight gauge\nweight{workload="a"} 2\n' .. DROPPED:format(2),
      registry:render())
  end)

  it("never renders more than its room and the heads of its families", function()
    local registry = new(10000)
    for n = 1, 200 do registry:observe("took", { name = "x" .. n }, 1 / 3) end
    assert.is_true(#registry:render() < 10000 + 400)
  end)

  it("has room again after a removal", function()
    local registry = new(60)
    registry:set("weight", { workload = "a" }, 1)
    registry:remove({ workload = "a" })
    registry:set("weight", { workload = "b" }, 7)
    assert.matches('weight{workload="b"} 7\n', text(registry), 1, true)
  end)

  it("raises on a family it does not have, and on the wrong kind of write", function()
    local registry = new()
    assert.has_error(function() registry:set("nothing", {}, 1) end, "no such family: nothing")
    assert.has_error(function() registry:set("found", {}, 1) end, "found is a counter")
    assert.has_error(function() registry:count("weight", {}, 1) end, "weight is a gauge")
    assert.has_error(function() registry:observe("weight", {}, 1) end, "weight is a gauge")
    assert.has_error(function() registry:count("found", {}, -1) end, "a counter does not go down")
  end)
end)

describe("exported.families", function()
  it("has Flagger's names and types", function()
    local have = {}
    for _, row in ipairs(families) do
      if row[1]:find("^flagger_") then have[#have + 1] = row[1] .. " " .. row[2] end
    end
    assert.same({ "flagger_info gauge", "flagger_canary_total gauge", "flagger_canary_status gauge",
      "flagger_canary_weight gauge", "flagger_canary_metric_analysis gauge",
      "flagger_canary_duration_seconds histogram", "flagger_canary_successes_total counter",
      "flagger_canary_failures_total counter" }, have)
  end)

  it("has Flagger's buckets where Flagger has some, and some up to a day for releases", function()
    for _, row in ipairs(families) do
      local ours = row[1]:find("^serin_") ~= nil
      if row.buckets and ours then
        assert.same({ 60, 86400 }, { row.buckets[1], row.buckets[#row.buckets] })
      elseif row.buckets then
        assert.same({ 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 }, row.buckets)
      end
    end
  end)
end)
