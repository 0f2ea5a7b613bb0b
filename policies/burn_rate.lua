--- The canary may not burn its error budget: alerts over two windows each, as for a service level objective.
--
-- The burn rate is the share of failures divided by what the objective grants. A pair of windows speaks when both burn
-- faster than its factor: the long one is sure, the short one says that it goes on now (Site Reliability Workbook,
-- ch. 5, "Multiwindow, Multi-Burn-Rate Alerts"). Then the canary is rolled back. It goes on, by the weights of the
-- spec, when its shortest window has data and does not burn; it is promoted when the whole run kept to the objective.
-- Only new requests of the canary count. Pure: the same context always gives the same decision.

local counters = require("stats.counters")
local ramp = require("util.ramp")
local samples = require("stats.samples")
local windows = require("stats.windows")

local burn_rate = {
  name = "burn_rate", api = 1, strategies = { "canary" }, samples = true, absolute = true,
  params = {
    slo = { type = "number", default = 99.9, min = 50, max = 99.9999, unit = "%",
      doc = "share of requests that succeed" },
    windows = { type = "list", min = 1, max = 4,
      default = { { long = "10m", short = "1m", factor = 14.4 }, { long = "30m", short = "5m", factor = 6 } },
      of = { type = "object", fields = {
        long = { type = "duration", required = true, min = "10s", max = "72h" },
        short = { type = "duration", required = true, min = "5s", max = "72h" },
        factor = { type = "number", required = true, min = 0.1, max = 1000, unit = "times the budget" },
      } } },
    min_requests = { type = "integer", default = 100, min = 1, unit = "requests", doc = "of a window that is judged" },
    max_resets = { type = "integer", default = 0, min = 0,
      doc = "times the canary's counters fell and the primary's did not; above, no promotion" },
    slow = { type = "number", min = 0, unit = "ms",
      doc = "bound of the histogram above which a request counts as failed" },
  },
}

local function lengths(list)
  local shortest, longest = math.huge, 0
  for _, pair in ipairs(list) do
    shortest, longest = math.min(shortest, pair.short), math.max(longest, pair.long, pair.short)
  end
  return shortest, longest
end

--- The canary's new failures and requests. Metrics count the same requests: failed and slow ones add up, and there are
--- as many as the metric with the most says.
local function observed(ctx, old, state)
  local items, problems = samples.read(ctx.samples, ctx.now.t, ctx.params.slow)
  local memory, found = counters.step(old.counters, items, ctx.now.t, 0)
  local y, n = 0, 0
  for _, metric in pairs(found) do
    if metric.kind ~= "events" then y, n = y + metric.canary.y, math.max(n, metric.canary.n) end
  end
  state.resets = state.resets + counters.restarts(found)
  return memory, math.min(y, n), n, problems
end

local function burn(y, n, budget) return n > 0 and y / n / budget or 0 end

--- One pair of windows: evidence, and whether both burn.
local function judge(pair, slots, slot, ctx, budget)
  local t, least = ctx.now.t, ctx.params.min_requests
  local y_long, n_long = windows.sum(slots, t, pair.long, slot)
  local y_short, n_short = windows.sum(slots, t, pair.short, slot)
  local long, short = burn(y_long, n_long, budget), burn(y_short, n_short, budget)
  local out = { name = ("burn rate %.0fs/%.0fs"):format(pair.long, pair.short), verdict = "pass",
    rule = ("below %g times the budget in one of both"):format(pair.factor),
    value = ("%.2f of %d requests, %.2f of %d"):format(long, n_long, short, n_short) }
  if n_short < least or n_long < least then
    out.verdict = n_long == 0 and "nodata" or "inconclusive"
  elseif long >= pair.factor and short >= pair.factor then
    out.verdict = "fail"
  end
  return out
end

local function judge_all(ctx, slots, slot, budget)
  local list, burns, known = {}, nil, false
  for index, pair in ipairs(ctx.params.windows) do
    list[index] = judge(pair, slots, slot, ctx, budget)
    if list[index].verdict == "fail" then burns = burns or list[index] end
    known = known or list[index].verdict == "pass"
  end
  return list, burns, known
end

local function choose(ctx, state, burns, known, fresh, budget)
  local now = ctx.now
  if burns then return "rollback", ("%s is reached: %s"):format(burns.name, burns.value) end
  if now.failed_checks >= ctx.analysis.threshold then
    return "rollback", ("failed checks threshold reached %d"):format(now.failed_checks)
  end
  if not now.passed then return "hold", "a check did not pass" end
  if now.weight == 0 then return "shift", "the first step" end
  if not known or not fresh then return "hold", "not enough new requests to judge" end
  if now.weight < ctx.analysis.max_weight then return "shift", "the budget does not burn" end
  local used = burn(state.failed, state.total, budget)
  if used > 1 then return "hold", ("the whole run burns %.2f times its budget"):format(used) end
  if state.resets > ctx.params.max_resets then
    return "hold", ("the canary's counters fell %d times, at most %d"):format(state.resets, ctx.params.max_resets)
  end
  return "promote", ("the whole run burns %.2f times its budget"):format(used)
end

local function whole(value) return math.max(0, math.tointeger(value) or 0) end

local function evidence_of(list, problems)
  for _, problem in ipairs(problems) do
    list[#list + 1] = { name = "samples", verdict = "error", rule = "usable samples", value = problem:sub(1, 256) }
  end
  return list
end

--- What to do after a check; see policies/README.md for the context and the decision.
function burn_rate.decide(ctx)
  local p, now = ctx.params, ctx.now
  local shortest, longest = lengths(p.windows)
  local slot, message = windows.slot(shortest, longest)
  if not slot then
    return { action = "hold", reason = message,
      evidence = { { name = "windows", verdict = "error", rule = "windows that fit together", value = message } } }
  end
  local old = type(ctx.state) == "table" and ctx.state or {}
  local state = { failed = whole(old.failed), total = whole(old.total), resets = whole(old.resets) }
  local y, n, problems
  state.counters, y, n, problems = observed(ctx, old, state)
  state.slots = windows.add(old.slots, now.t, y, n, slot, longest)
  state.failed, state.total = state.failed + y, state.total + n
  local budget = 1 - p.slo / 100
  local list, burns, known = judge_all(ctx, state.slots, slot, budget)
  local action, reason = choose(ctx, state, burns, known, n > 0, budget)
  return { action = action, reason = reason, weight = action == "shift" and ramp.next(ctx.analysis, now.weight) or nil,
    evidence = evidence_of(list, problems), state = state }
end

return burn_rate
