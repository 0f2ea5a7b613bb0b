--- The beta function and the incomplete beta function.

local check = require("stats.check")
local gamma = require("stats.gamma")
local root = require("stats.root")

local beta = {}

local HALF_LN_2PI = 0.91893853320467274178
local ROUNDS = 100000
local EPS = 1e-16
local TINY = 1e-300

local function lgamma(x) return (gamma.ln(x)) end

local function ln(a, b)
  local p, q = math.min(a, b), math.max(a, b)
  if q < 10 then return lgamma(p) + lgamma(q) - lgamma(p + q) end
  local rest = (q - 0.5) * gamma.log1p(-p / (p + q))
  if p < 10 then
    return lgamma(p) + gamma.correction(q) - gamma.correction(p + q) + p - p * math.log(p + q) + rest
  end
  local correction = gamma.correction(p) + gamma.correction(q) - gamma.correction(p + q)
  return HALF_LN_2PI - 0.5 * math.log(q) + correction + (p - 0.5) * math.log(p / (p + q)) + rest
    + 0.5 * gamma.log1p(-p / (p + q))
end

--- ln B(a, b) for a, b > 0, with Stirling's large terms cancelled by hand so that nothing is lost for large
--- arguments; or nil, message.
function beta.ln(a, b)
  local bad = check.positive("a", a) or check.positive("b", b)
  if bad then return nil, bad end
  return ln(a, b)
end

--- The continued fraction of I_x(a, b) (Abramowitz & Stegun 26.5.8), by Lentz's algorithm.
local function fraction(a, b, x)
  local c, d = 1, 1 - (a + b) * x / (a + 1)
  d = 1 / (d ~= 0 and d or TINY)
  local h = d
  for m = 1, ROUNDS do
    local even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 + even * d
    c = 1 + even / c
    d = 1 / (d ~= 0 and d or TINY)
    if c == 0 then c = TINY end
    h = h * d * c
    local odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 + odd * d
    c = 1 + odd / c
    d = 1 / (d ~= 0 and d or TINY)
    if c == 0 then c = TINY end
    local delta = d * c
    h = h * delta
    if math.abs(delta - 1) < 4 * EPS then return h end
  end
end

--- ln of I_x(a, b) where its fraction converges fast, x < (a + 1) / (a + b + 2).
local function ln_lower(a, b, x)
  local h = fraction(a, b, x)
  if not h then return nil end
  return a * math.log(x) + b * gamma.log1p(-x) - ln(a, b) - math.log(a) + math.log(h)
end

local function ln_complement(value)
  -- 1 - e^value for value < 0
  return value > -1e-300 and -math.huge or gamma.log1p(-math.exp(value))
end

--- ln I and ln(1 - I) of the regularized incomplete beta function at x, each exact in its own tail; or nil, nil,
--- message.
local function both(a, b, x)
  local bad = check.positive("a", a) or check.positive("b", b)
  if not bad and not (check.is_finite(x) and x >= 0 and x <= 1) then
    bad = ("x: expected a number from 0 to 1, found %s"):format(tostring(x))
  end
  if bad then return nil, nil, bad end
  if x == 0 then return -math.huge, 0.0 end
  if x == 1 then return 0.0, -math.huge end
  if x < (a + 1) / (a + b + 2) then
    local low = ln_lower(a, b, x)
    if low then return low, ln_complement(low) end
  else
    local high = ln_lower(b, a, 1 - x)
    if high then return ln_complement(high), high end
  end
  return nil, nil, ("incomplete beta of %g, %g at %g: no convergence"):format(a, b, x)
end

--- I_x(a, b), the share of a Beta(a, b) below x; or nil, message.
function beta.lower(a, b, x)
  local low, _, message = both(a, b, x)
  if not low then return nil, message end
  return math.exp(low)
end

--- 1 - I_x(a, b), exact in its tail; or nil, message.
function beta.upper(a, b, x)
  local _, high, message = both(a, b, x)
  if not high then return nil, message end
  return math.exp(high)
end

--- ln(1 - I_x(a, b)); or nil, message.
function beta.ln_upper(a, b, x)
  local _, high, message = both(a, b, x)
  return high, message
end

--- ln I_x(a, b); or nil, message.
function beta.ln_lower(a, b, x)
  local low, _, message = both(a, b, x)
  return low, message
end

--- The x at which I_x(a, b) = p, 0 < p < 1; or nil, message. a + b is at most 10^8.
function beta.quantile(a, b, p)
  local bad = check.positive("a", a) or check.positive("b", b) or check.open("p", p)
  if not bad and a + b > 1e8 then bad = ("a + b: expected at most 100000000, found %g"):format(a + b) end
  if bad then return nil, bad end
  local failure
  local x, message = root.find(function(x)
    local low, why = beta.lower(a, b, x)
    failure = failure or why
    return (low or p) - p
  end, 0, 1, 1e-16)
  if failure then return nil, failure end
  return x, message
end

return beta
