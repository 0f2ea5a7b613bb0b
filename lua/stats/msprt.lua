--- Two means, looked at any time: the mixture sequential ratio test with a normal mixture (Robbins, Ann. Math. Stat.
--- 41:1397, 1970; Johari, Koomen, Pekelis & Walsh, KDD 2017). For large numbers of observations.

local check = require("stats.check")

local msprt = {}

--- ln E of a difference of means d against 0, with N(0, tau2) over the difference; or nil, message.
--- @param s2 number    variance of the difference: var_c / n_c + var_b / n_b
function msprt.ln_e(d, s2, tau2)
  local bad = check.finite("d", d) or check.positive("s2", s2) or check.positive("tau2", tau2)
  if bad then return nil, bad end
  return check.result("d, s2, tau2", 0.5 * math.log(s2 / (s2 + tau2)) + tau2 * d * d / (2 * s2 * (s2 + tau2)))
end

--- Half the width of the interval of d that holds at all times with confidence 1 - alpha; or nil, message.
function msprt.half_width(s2, tau2, alpha)
  local bad = check.positive("s2", s2) or check.positive("tau2", tau2) or check.open("alpha", alpha)
  if bad then return nil, bad end
  local spread = s2 * (s2 + tau2) / tau2
  return check.result("s2, tau2", math.sqrt(spread * (math.log((s2 + tau2) / s2) - 2 * math.log(alpha))))
end

--- The always-valid p of a value of ln E, given the smallest so far (1 at first); or nil, message.
function msprt.p(ln_e, before)
  before = before or 1
  local bad = check.finite("ln_e", ln_e) or check.amount("before", before)
  if bad then return nil, bad end
  return math.min(before, math.exp(-ln_e))
end

return msprt
