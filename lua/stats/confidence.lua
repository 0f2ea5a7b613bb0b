--- Confidence sequences: intervals that hold at all times together.

local check = require("stats.check")
local mixture = require("stats.mixture")
local root = require("stats.root")

local confidence = {}

--- Both ends for a rate after x of n, by the beta-binomial mixture tightest at t_opt trials (Howard, Ramdas, McAuliffe
--- & Sekhon 2021); or nil, message.
function confidence.rate(x, n, alpha, t_opt)
  local bad = check.part("x", x, "n", n) or check.positive("n", n) or check.open("alpha", alpha)
    or check.positive("t_opt", t_opt)
  if bad then return nil, bad end
  local seen = x / n
  local function above(p)
    local v = p * (1 - p)
    if v <= 0 then return nil end
    return mixture.ln((seen - p) * n, v * n, { kind = "beta-binomial", v_opt = v * t_opt, alpha_opt = 0.05, g = p,
      h = 1 - p }) + math.log(alpha)
  end
  local low, high = 0.0, 1.0
  if x > 0 then low = root.find(function(p) return above(p) or 1 end, 0, seen, 1e-12) or 0.0 end
  if x < n then high = root.find(function(p) return above(p) or (p >= 1 and 1 or -1) end, seen, 1, 1e-12) or 1.0 end
  return low, high
end

--- How far the distribution of t values may be from the true one, at all its points and all times:
--- 0.85 sqrt((ln ln(e t) + 0.8 ln(1612 / alpha)) / t) (Howard & Ramdas, Bernoulli 28:1704, 2022); or nil, message.
function confidence.distribution(t, alpha)
  local bad = check.positive("t", t) or check.open("alpha", alpha)
  if not bad and t < 1 then bad = ("t: expected a number >= 1, found %g"):format(t) end
  if bad then return nil, bad end
  return 0.85 * math.sqrt((math.log(1 + math.log(t)) + 0.8 * math.log(1612 / alpha)) / t)
end

--- The error of the bound with constant C at stitching factor eta (the paper's theorem 2).
local function error_at(A, C, eta)
  local square = 2 / eta * (A - math.sqrt(2 * (eta - 1) / C)) ^ 2
  if square <= 1 or eta <= 1 then return math.huge end
  return 4 * math.exp(-square * C) * (1 + 1 / ((square - 1) * math.log(eta)))
end

--- The constant C of the bound A sqrt((ln(1 + ln(t / t_min)) + C) / t) that holds with confidence 1 - alpha; or nil,
--- message.
function confidence.constant(alpha, A)
  A = A or 0.85
  local bad = check.open("alpha", alpha) or check.finite("A", A)
  if not bad and (A <= math.sqrt(0.5) or A > 10) then
    bad = ("A: expected more than 0.7072 and at most 10, found %g"):format(A)
  end
  if bad then return nil, bad end
  return root.find(function(C)
    local last = root.find(function(eta) return math.sqrt(eta / 2) + math.sqrt(2 * (eta - 1) / C) - A end, 1, 2 * A * A,
      1e-14)
    local _, least = root.minimum(function(eta) return error_at(A, C, eta) end, 1, last, 1e-12)
    return math.log(math.min(least, 1e300)) - math.log(alpha)
  end, 1, 1000, 1e-12)
end

--- The sharper width for t >= t_min values; or nil, message.
function confidence.distribution_from(t, t_min, alpha)
  local bad = check.positive("t", t) or check.positive("t_min", t_min)
  if not bad and t < t_min then bad = ("t: expected at least t_min = %g, found %g"):format(t_min, t) end
  if bad then return nil, bad end
  local C, message = confidence.constant(alpha)
  if not C then return nil, message end
  return check.result("t, t_min", 0.85 * math.sqrt((math.log(1 + math.log(t / t_min)) + C) / t))
end

--- Half the width for the mean of t values with deviation s, tightest at t_opt: asymptotic, for any distribution
--- (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, Ann. Stat. 2024); and the tuning rho. Or nil, message.
function confidence.mean(s, t, alpha, t_opt)
  local bad = check.amount("s", s) or check.positive("t", t) or check.open("alpha", alpha)
    or check.positive("t_opt", t_opt)
  if bad then return nil, bad end
  local doubled = -2 * math.log(alpha)
  local rho = math.sqrt((doubled + math.log(doubled + 1)) / t_opt)
  local grown = t * rho * rho + 1
  local half = s * math.sqrt(2 * grown / (t * t * rho * rho) * math.log(math.sqrt(grown) / alpha))
  if not check.is_finite(half) then return check.result("s, t, t_opt", half) end
  return half, rho
end

return confidence
