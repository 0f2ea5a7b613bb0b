--- What a policy may be fed that must not end in a promotion: each case is { name, relative, feed = function() ->
-- function(game) -> samples }.

local cases = {}

local ARMS = { "canary", "primary" }
local NAN, INF = 0 / 0, math.huge
local REQUESTS = 3000 -- of an arm in an interval
local NAMES = { "request-success-rate", "request-duration" }

local function sample(arm, t, total, failed)
  return { name = NAMES[1], arm = arm, series = "pod=" .. arm, t = t, counts = { total = total, failed = failed or 0 } }
end

local function histogram(arm, t, total)
  return { name = NAMES[2], arm = arm, series = "pod=" .. arm, t = t,
    buckets = { { 100, total - total // 50 }, { 500, total }, { INF, total } } }
end

local function reading(arm, t, value) return { name = "reading", arm = arm, t = t, value = value } end

--- Everything that a policy may be given of an arm: counters, a histogram, a reading.
local function all_of(arm, t, total)
  return { sample(arm, t, total, total // 100), histogram(arm, t, total), reading(arm, t, 5) }
end

local function append(out, list)
  for _, item in ipairs(list) do out[#out + 1] = item end
  return out
end

--- Counters of a canary without a fault: what the other cases spoil, and what a policy may promote.
function cases.healthy()
  return function(game)
    local out = {}
    for _, arm in ipairs(ARMS) do append(out, all_of(arm, game.t, REQUESTS * game.ticks)) end
    return out
  end
end

local list = {}
cases.list = list

--- @param relative boolean?  bad for policies that compare the arms; one that is `absolute` may promote on it
local function case(name, feed, relative)
  list[#list + 1] = { name = name, feed = feed, relative = relative or false }
end

case("no samples at all", function() return function() return nil end end)
case("an empty list", function() return function() return {} end end)
for _, arm in ipairs(ARMS) do
  case("samples of the " .. arm .. " alone", function()
    return function(game) return all_of(arm, game.t, REQUESTS * game.ticks) end
  end, arm == "canary")
end
case("counters that stand still", function()
  return function(game)
    local out = {}
    for _, arm in ipairs(ARMS) do append(out, { sample(arm, game.t, 1000000, 10), histogram(arm, game.t, 1000000) }) end
    return out
  end
end)

-- values that are no numbers of requests
for name, value in pairs({ NaN = NAN, infinity = INF, ["minus infinity"] = -INF, ["a negative number"] = -5,
  ["a fraction"] = 0.5, ["a number beyond all counters"] = 1e300, ["a text"] = "100", ["a table"] = {},
  ["a truth value"] = true }) do
  case(name .. " for a number", function()
    return function(game)
      local out = {}
      for _, arm in ipairs(ARMS) do
        append(out, { sample(arm, game.t, value, value), sample(arm, game.t, REQUESTS * game.ticks, value),
          reading(arm, game.t, type(value) == "number" and value - value == 0 and NAN or value),
          { name = NAMES[2], arm = arm, t = game.t, buckets = { { 100, value }, { INF, value } } } })
      end
      return out
    end
  end)
  case(name .. " for a time", function()
    return function(game)
      local out = {}
      for _, arm in ipairs(ARMS) do
        for _, item in ipairs(all_of(arm, value, REQUESTS * game.ticks)) do out[#out + 1] = item end
      end
      return out
    end
  end)
end

case("more failures than requests", function()
  return function(game)
    local n = REQUESTS * game.ticks
    return { sample("canary", game.t, n, n + 1), sample("primary", game.t, n, n + 1) }
  end
end)

-- times
case("late samples: all of one moment before the run", function()
  return function(game)
    local out = {}
    for _, arm in ipairs(ARMS) do append(out, all_of(arm, game.start - 3600, REQUESTS * game.ticks)) end
    return out
  end
end)
case("samples from the future", function()
  return function(game)
    local out = {}
    for _, arm in ipairs(ARMS) do append(out, all_of(arm, game.t + 86400, REQUESTS * game.ticks)) end
    return out
  end
end)
case("the same samples again and again", function()
  local same
  return function(game)
    same = game.ticks > 1 and same or append(all_of("canary", game.t, 9000), all_of("primary", game.t, 9000))
    return append(append({}, same), same)
  end
end)
case("samples in reverse: each older than the last", function()
  return function(game)
    local out, step = {}, 1000 - game.ticks
    for _, arm in ipairs(ARMS) do append(out, all_of(arm, game.start - 60000 + 30 * step, REQUESTS * step)) end
    return out
  end
end)

-- restarts
for name, alive in pairs({ ["at every look"] = 1, ["at every other look"] = 2, ["at every third look"] = 3 }) do
  case("counters of the canary that fall " .. name, function()
    return function(game)
      local n = REQUESTS * (game.ticks % alive + 1) - game.ticks
      return { sample("canary", game.t, n), histogram("canary", game.t, n),
        sample("primary", game.t, REQUESTS * game.ticks), histogram("primary", game.t, REQUESTS * game.ticks) }
    end
  end)
end
case("counters of both arms that fall at every look", function()
  return function(game)
    local n = REQUESTS - game.ticks
    return { sample("canary", game.t, n), sample("primary", game.t, n), histogram("canary", game.t, n),
      histogram("primary", game.t, n) }
  end
end)
case("another process at every look", function()
  return function(game)
    local out = {}
    for _, arm in ipairs(ARMS) do
      for _, item in ipairs({ sample(arm, game.t, 1000000), histogram(arm, game.t, 1000000) }) do
        item.series = "pod=" .. game.ticks
        out[#out + 1] = item
      end
    end
    return out
  end
end)

-- things that are no samples
case("a list of things that are no samples", function()
  return function(game)
    return { 7, "x", true, {}, { name = NAN }, { name = NAMES[1] }, { name = NAMES[1], arm = "both", t = game.t },
      { name = ("x"):rep(1000), arm = "canary", t = game.t, value = 1 }, { arm = {}, name = {}, t = {} },
      { name = NAMES[1], arm = "canary", t = game.t, counts = 5 }, { name = NAMES[1], arm = "canary", t = game.t,
        counts = {} }, { name = NAMES[2], arm = "canary", t = game.t, buckets = { { INF } } } }
  end
end)
case("no list", function() return function(game) return game.ticks % 2 == 0 and "samples" or { name = "x" } end end)
case("thousands of samples of thousands of processes", function()
  return function(game)
    local out = {}
    for index = 1, game.ticks % 20 == 5 and 2500 or 0 do
      out[index] = sample(ARMS[index % 2 + 1], game.t, game.ticks, 0)
      out[index].series = ("pod=%d-%d"):format(index, game.ticks)
    end
    return out
  end
end)

return cases
