--- Wald's sequential test of one rate against a known objective: is it p0, or as bad as p1? (Wald, Ann. Math. Stat.
--- 16:117, 1945.)

local check = require("stats.check")
local gamma = require("stats.gamma")

local sprt = {}

local function design_problem(p0, p1, alpha, beta)
  local bad = check.open("p0", p0) or check.open("p1", p1) or check.open("alpha", alpha) or check.open("beta", beta)
  if not bad and p0 >= p1 then bad = ("p1: expected more than p0 = %g, found %g"):format(p0, p1) end
  if not bad and alpha + beta >= 1 then bad = ("alpha + beta: expected less than 1, found %g"):format(alpha + beta) end
  return bad
end

local function slopes(p0, p1) return math.log(p1 / p0), gamma.log1p(-p1) - gamma.log1p(-p0) end

--- ln of the likelihood ratio of p1 to p0 after s failures of n; or nil, message.
function sprt.llr(s, n, p0, p1)
  local bad = check.part("s", s, "n", n) or check.open("p0", p0) or check.open("p1", p1)
  if bad then return nil, bad end
  local up, down = slopes(p0, p1)
  return s * up + (n - s) * down
end

--- The test as numbers: the bounds of the ratio; the same as lines s = slope n + low, high in the plane of requests and
--- failures; the mean number of requests until a decision at p0 and at p1. Or nil, message.
--- @param alpha number  chance to reject a rate p0
--- @param beta number   chance to accept a rate p1
--- @return table  { lower, upper, slope, low, high, requests_p0, requests_p1 }
function sprt.design(p0, p1, alpha, beta)
  local bad = design_problem(p0, p1, alpha, beta)
  if bad then return nil, bad end
  local up, down = slopes(p0, p1)
  local lower, upper = math.log(beta / (1 - alpha)), math.log((1 - beta) / alpha)
  return { lower = lower, upper = upper, slope = -down / (up - down), low = lower / (up - down),
    high = upper / (up - down),
    requests_p0 = ((1 - alpha) * lower + alpha * upper) / (p0 * up + (1 - p0) * down),
    requests_p1 = (beta * lower + (1 - beta) * upper) / (p1 * up + (1 - p1) * down) }
end

--- What s failures of n requests say: "worse" (p1), "met" (p0) or "undecided"; and ln of the ratio. Or nil, message.
function sprt.test(s, n, p0, p1, alpha, beta)
  local design, bad = sprt.design(p0, p1, alpha, beta)
  if not design then return nil, bad end
  local llr, message = sprt.llr(s, n, p0, p1)
  if not llr then return nil, message end
  return llr >= design.upper and "worse" or llr <= design.lower and "met" or "undecided", llr
end

return sprt
