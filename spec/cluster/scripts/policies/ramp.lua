--- Doubles the canary's weight from params.start up to params.max and promotes there.
--
--   policy: {name: ramp, params: {start: 5, max: 40}}
--
-- A check without data holds the step. A check that fails `patience` times in a row ends the release at once, long
-- before analysis.threshold would; one that fails once and recovers costs an interval.

local ramp = {
  name = "ramp", api = 1,
  doc = "doubling weights, with a short patience for failing checks",
  own_weights = true,
  strategies = { "canary" },
  params = {
    start = { type = "integer", default = 5, min = 1, max = 50, unit = "%", doc = "the first weight" },
    max = { type = "integer", default = 50, min = 2, max = 100, unit = "%", doc = "the weight to be promoted at" },
    factor = { type = "number", default = 2, min = 1.1, max = 10, unit = "times", doc = "from one weight to the next" },
    patience = { type = "integer", default = 2, min = 1, max = 10, unit = "checks", doc = "failures in a row" },
    dwell = { type = "duration", default = "0s", max = "24h", doc = "least time at a weight" },
  },
}

--- How often in a row each check has failed, this interval counted; and the worst of them.
local function failures(ctx)
  local before, after = (ctx.state or {}).failures or {}, {}
  local worst, most = nil, 0
  for _, check in ipairs(ctx.checks) do
    if check.verdict == "fail" then
      after[check.name] = (before[check.name] or 0) + 1
      if after[check.name] > most then worst, most = check, after[check.name] end
    end
  end
  return after, worst, most
end

local function without_data(checks)
  for _, check in ipairs(checks) do
    if check.verdict == "nodata" then return check.name end
  end
end

local function next_weight(params, weight)
  if weight < params.start then return params.start end
  return math.min(params.max, math.max(weight + 1, math.floor(weight * params.factor)))
end

local function choose(ctx, worst, most)
  local now, params = ctx.now, ctx.params
  if worst and most >= params.patience then
    return { action = "rollback", reason = ("%s failed %d times in a row: %s, expected %s"):format(worst.name, most,
      tostring(worst.value), tostring(worst.rule)) }
  end
  local silent = without_data(ctx.checks)
  if silent then return { action = "hold", reason = silent .. " has no data" } end
  if not now.passed then return { action = "hold", reason = "a check did not pass" } end
  if now.weight > 0 and now.since and now.t - now.since < params.dwell then
    return { action = "hold", after = params.dwell - (now.t - now.since), reason = "the dwell is not over" }
  end
  if now.weight >= params.max then
    return { action = "promote", reason = ("%d %% passed"):format(now.weight) }
  end
  local weight = next_weight(params, now.weight)
  return { action = "shift", weight = weight, reason = ("from %d to %d %%"):format(now.weight, weight) }
end

function ramp.decide(ctx)
  local after, worst, most = failures(ctx)
  local decision = choose(ctx, worst, most)
  decision.state = { failures = after }
  decision.evidence = { { name = "failures in a row", verdict = most == 0 and "pass" or "fail",
    rule = ("< %d"):format(ctx.params.patience), value = ("%d"):format(most) } }
  return decision
end

function ramp.check(params, path)
  if params.start > params.max then
    return ("%s.start: expected at most max (%d), found %d"):format(path, params.max, params.start)
  end
end

function ramp.selftest()
  assert(next_weight({ start = 5, max = 40, factor = 2 }, 0) == 5)
  assert(next_weight({ start = 5, max = 40, factor = 2 }, 5) == 10)
  assert(next_weight({ start = 5, max = 40, factor = 2 }, 30) == 40)
end

return ramp
