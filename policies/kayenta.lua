--- Kayenta's judgement at each weight: a window of readings of both arms, Mann & Whitney's test for each metric, one
--- score. For those who come from there; lua/stats/kayenta.lua says what it is blind to, `sequential` is the better
--- choice.
--
-- A reading is a value, or the percentage of failures (of slow requests) among the new requests of one interval.
-- At each weight the readings of both arms are collected until there are `points` of each metric, then judged once: a
-- test that is repeated on a growing window finds something in the end. A score of `pass` moves on, one below
-- `marginal` rolls back, one between collects another window. Pure: the same context always gives the same decision.

local check = require("stats.check")
local counters = require("stats.counters")
local kayenta = require("stats.kayenta")
local ramp = require("util.ramp")
local samples = require("stats.samples")

local MOST_METRICS = 4 -- whose readings fit into the state
local DIGITS = "%.5g"

local policy = {
  name = "kayenta", api = 1, strategies = { "canary" }, samples = true,
  params = {
    points = { type = "integer", default = 50, min = 5, max = 60, unit = "readings",
      doc = "of each arm in a judgement" },
    pass = { type = "number", default = 95, min = 0, max = 100, doc = "least score to move on" },
    marginal = { type = "number", default = 75, min = 0, max = 100, doc = "least score not to be rolled back" },
    direction = { type = "string", default = "increase", one_of = { "increase", "decrease", "either" },
      doc = "which change is bad" },
    max_resets = { type = "integer", default = 0, min = 0,
      doc = "times the canary's counters fell and the primary's did not; above, no promotion" },
    slow = { type = "number", min = 0, unit = "ms",
      doc = "bound of the histogram above which a request is slow; none: latency is not compared" },
    outliers = { type = "string", default = "keep", one_of = { "keep", "remove" } },
    critical = { type = "list", default = {}, max = 20, of = { type = "string" },
      doc = "metrics that alone fail a canary" },
    allowed_increase = { type = "number", default = 1, min = 0, max = 1000, unit = "times", doc = "of the mean" },
    allowed_decrease = { type = "number", default = 1, min = 0, max = 1000, unit = "times", doc = "of the mean" },
  },
}

local function numbers_of(list)
  local out = {}
  for index = 1, type(list) == "table" and math.min(#list, 60) or 0 do
    if check.is_finite(list[index]) then out[#out + 1] = list[index] end
  end
  return out
end

local function fresh() return { canary = {}, primary = {}, last = {} } end

--- When the weight became what it is; without word from the engine, now.
local function began(now)
  local since = now.since
  return type(since) == "number" and since >= 0 and since <= now.t and since or now.t
end

--- The readings collected at this weight: { [metric] = { canary, primary = lists, last = { canary, primary } times } }.
local function remembered(ctx)
  local state, now = type(ctx.state) == "table" and ctx.state or {}, ctx.now
  local same = state.weight == now.weight and check.is_finite(state.since) and state.since <= now.t
  local out = { weight = now.weight, since = same and state.since or began(now), readings = {},
    counters = state.counters, resets = math.max(0, math.tointeger(state.resets) or 0) }
  for name, arms in pairs(same and type(state.readings) == "table" and state.readings or {}) do
    if type(arms) == "table" then
      local last = type(arms.last) == "table" and arms.last or {}
      out.readings[name] = { canary = numbers_of(arms.canary), primary = numbers_of(arms.primary), last = {
        canary = check.is_finite(last.canary) and last.canary or nil,
        primary = check.is_finite(last.primary) and last.primary or nil } }
    end
  end
  return out
end

local function names_of(map)
  local out = {}
  for name in pairs(map) do out[#out + 1] = name end
  table.sort(out)
  return out
end

--- What the counters say of the last interval, as readings.
local function rates_of(ctx, state, items, out)
  local found
  state.counters, found = counters.step(state.counters, items, ctx.now.t, state.since)
  state.resets = state.resets + counters.restarts(found)
  for _, name in ipairs(names_of(found)) do
    for _, arm in ipairs({ "canary", "primary" }) do
      local sums = found[name][arm]
      if found[name].kind ~= "events" and sums.n > 0 then
        out[#out + 1] = { name = name, arm = arm, t = ctx.now.t, value = 100 * sums.y / sums.n }
      end
    end
  end
end

--- Adds what is newer than the newest of its metric and arm, and of this weight. Returns the problems.
local function collect(ctx, state)
  local items, problems = samples.read(ctx.samples, ctx.now.t, ctx.params.slow)
  local readings, count = state.readings, #names_of(state.readings)
  local list = {}
  for _, item in ipairs(items) do
    if item.kind == "value" then list[#list + 1] = item end
  end
  rates_of(ctx, state, items, list)
  for _, item in ipairs(list) do
    if not readings[item.name] and count < MOST_METRICS then
      readings[item.name], count = fresh(), count + 1
    end
    local arms = readings[item.name]
    local arm = arms and arms[item.arm]
    if arm and item.t > math.max(state.since, arms.last[item.arm] or state.since) and #arm < ctx.params.points then
      arm[#arm + 1], arms.last[item.arm] = tonumber(DIGITS:format(item.value)), item.t
    end
  end
  return problems
end

local function contains(list, name)
  for _, one in ipairs(list) do
    if one == name then return true end
  end
  return false
end

local VERDICTS = { Pass = "pass", High = "fail", Low = "fail", NodataFailMetric = "fail" }

--- Evidence of one metric whose windows are full.
local function judge(name, arms, p)
  local it, message = kayenta.metric(arms.canary, arms.primary, { direction = p.direction, outliers = p.outliers,
    critical = contains(p.critical, name), allowed_increase = p.allowed_increase, allowed_decrease = p.allowed_decrease,
    critical_increase = p.allowed_increase, critical_decrease = p.allowed_decrease })
  if not it then it = { label = "Nodata", reason = message } end
  local shift = it.shift
  shift = shift and (", shift %.4g (%.4g to %.4g)"):format(shift.estimate, shift.low, shift.high) or ""
  return it, { name = name, verdict = VERDICTS[it.label] or "nodata", rule = "Mann-Whitney, confidence 0.98",
    value = ("%s: %s%s"):format(it.label, it.reason, shift) }
end

--- True when every metric has its readings; and evidence of what is there.
local function progress(state, p)
  local list, full = {}, next(state.readings) ~= nil
  for _, name in ipairs(names_of(state.readings)) do
    local arms = state.readings[name]
    local c, b = #arms.canary, #arms.primary
    full = full and c >= p.points and b >= p.points
    list[#list + 1] = { name = name, verdict = (c == 0 or b == 0) and "nodata" or "inconclusive",
      rule = ("%d readings of each arm"):format(p.points), value = ("canary %d, primary %d"):format(c, b) }
  end
  return full, list
end

--- The score of full windows, evidence; the next window begins.
local function judge_all(state, p)
  local judged, list = {}, {}
  for index, name in ipairs(names_of(state.readings)) do
    local arms = state.readings[name]
    judged[index], list[index] = judge(name, arms, p)
    state.readings[name] = { canary = {}, primary = {}, last = arms.last }
  end
  return kayenta.score(judged), list
end

local function scored(ctx, score, resets)
  local p = ctx.params
  local text = ("score %g"):format(score)
  if score < p.marginal then return "rollback", ("%s, below %g"):format(text, p.marginal) end
  if score < p.pass then return "hold", ("%s, below %g: another window"):format(text, p.pass) end
  if ctx.now.weight < ctx.analysis.max_weight then return "shift", text end
  if resets > p.max_resets then
    return "hold", ("the canary's counters fell %d times, at most %d"):format(resets, p.max_resets)
  end
  return "promote", text
end

local function stopped(ctx)
  if ctx.now.failed_checks >= ctx.analysis.threshold then
    return "rollback", ("failed checks threshold reached %d"):format(ctx.now.failed_checks)
  end
  if not ctx.now.passed then return "hold", "a check did not pass" end
  if ctx.now.weight == 0 then return "shift", "the first step" end
end

--- What to do after a check; see policies/README.md for the context and the decision.
function policy.decide(ctx)
  local state = remembered(ctx)
  local problems = collect(ctx, state)
  local full, list = progress(state, ctx.params)
  local action, reason = stopped(ctx)
  if not action and not full then action, reason = "hold", "not all readings are there" end
  if not action then
    local score
    score, list = judge_all(state, ctx.params)
    action, reason = scored(ctx, score, state.resets)
  end
  for _, problem in ipairs(problems) do
    list[#list + 1] = { name = "samples", verdict = "error", rule = "usable samples", value = problem:sub(1, 256) }
  end
  return { action = action, reason = reason, evidence = list, state = state,
    weight = action == "shift" and ramp.next(ctx.analysis, ctx.now.weight) or nil }
end

return policy
