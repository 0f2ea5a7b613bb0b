--- Slow changes of one number: a moving average and a cumulative sum.

local check = require("stats.check")

local drift = {}

--- The exponentially weighted mean after one more value (Roberts, Technometrics 1:239, 1959); nil state at first. Or
--- nil, message.
--- @param lambda number  weight of the new value, between 0 and 1
function drift.ewma(mean, x, lambda)
  local bad = check.finite("x", x) or check.open("lambda", lambda)
  if not bad and mean ~= nil then bad = check.finite("mean", mean) end
  if bad then return nil, bad end
  return mean and mean + lambda * (x - mean) or x
end

--- The one-sided cumulative sum after one more value, max(0, sum + x - target - slack) (Page, Biometrika 41:100, 1954);
--- it signals a rise when above a limit, commonly 4 to 5 deviations. Or nil, message.
function drift.cusum(sum, x, target, slack)
  local bad = check.amount("sum", sum or 0) or check.finite("x", x) or check.finite("target", target)
    or check.amount("slack", slack)
  if bad then return nil, bad end
  return math.max(0, (sum or 0) + x - target - slack)
end

return drift
