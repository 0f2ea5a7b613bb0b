--- The default: the strategy that the spec's own fields describe.
--
-- Pure: the same observation always gives the same decision.

local ramp = require("util.ramp")

local flagger = { name = "flagger", api = 1, params = {} }

local function shift(canary, extra)
  local decision = { action = "shift", routes = { primary = 100 - canary, canary = canary, mirrored = false } }
  for key, value in pairs(extra) do decision[key] = value end
  return decision
end

local function weighted(analysis, now)
  if now.weight >= analysis.max_weight then
    return { action = "promote", reason = "the last step passed" }
  end
  if analysis.mirror and now.weight == 0 and not now.mirrored then
    return { action = "shift", routes = { primary = 100, canary = 0, mirrored = true }, weight = 0,
      reason = "mirror before the first step" }
  end
  local weight = ramp.next(analysis, now.weight)
  return shift(weight, { weight = weight, reason = "checks passed" })
end

local function blue_green(analysis, now)
  if now.iterations < analysis.iterations then
    if analysis.mirror and not now.mirrored then
      return { action = "shift", iterations = now.iterations + 1, reason = "checks passed",
        routes = { primary = 100, canary = 0, mirrored = true } }
    end
    return { action = "iterate", iterations = now.iterations + 1, reason = "checks passed" }
  end
  if now.iterations == analysis.iterations then
    return shift(100, { iterations = now.iterations + 1, gate = true, reason = "all iterations passed" })
  end
  return { action = "promote", approved = true, reason = "the canary carries all traffic" }
end

local function ab_testing(analysis, now)
  if now.iterations < analysis.iterations then
    return shift(100, { iterations = now.iterations + 1, reason = "checks passed" })
  end
  return { action = "promote", reason = "all iterations passed" }
end

local strategies = { canary = weighted, ["blue-green"] = blue_green, ["ab-testing"] = ab_testing }

--- What to do after a check.
--- @param input table  { strategy, analysis = the validated spec.analysis,
---   now = { weight, mirrored, iterations, failed_checks, passed } }
--- @return table  { action = "hold"|"shift"|"iterate"|"promote"|"rollback", routes?, weight?, iterations?,
---   gate? = confirm-promotion is asked before, approved? = it was asked already, reason }
function flagger.decide(input)
  local analysis, now = input.analysis, input.now
  if now.failed_checks >= analysis.threshold then
    return { action = "rollback", reason = ("failed checks threshold reached %d"):format(now.failed_checks) }
  end
  if not now.passed then return { action = "hold", reason = "a check did not pass" } end
  return strategies[input.strategy](analysis, now)
end

return flagger
