--- The gamma function and the incomplete gamma functions.

local check = require("stats.check")
local root = require("stats.root")

local gamma = {}

local HALF_LN_2PI = 0.91893853320467274178
local ROUNDS = 100000
local EPS = 1e-16
local TINY = 1e-300

-- Stirling's series, B(2k) / (2k (2k - 1)) (Abramowitz & Stegun 6.1.41).
local STIRLING = { 1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400 }

--- What Stirling's formula leaves out of ln gamma(x), for x >= 10.
function gamma.correction(x)
  local square, power, sum = 1 / (x * x), 1 / x, 0
  for k = 1, #STIRLING do
    sum = sum + STIRLING[k] * power
    power = power * square
  end
  return sum
end

--- ln(1 + x) without loss for small x (Kahan).
function gamma.log1p(x)
  local u = 1 + x
  if u == 1 then return x end
  if u == math.huge then return math.log(u) end
  return math.log(u) * x / (u - 1)
end

local function ln(x)
  local product = 1
  while x < 10 do
    product = product * x
    x = x + 1
  end
  return (x - 0.5) * math.log(x) - x + HALF_LN_2PI + gamma.correction(x) - math.log(product)
end

--- ln gamma(x) for x > 0: Stirling's series from 10 on, below by gamma(x + 1) = x gamma(x); or nil, message.
function gamma.ln(x)
  local bad = check.positive("x", x)
  if bad then return nil, bad end
  return ln(x)
end

--- x^a e^-x / gamma(a).
local function front(a, x)
  if a >= 10 then
    -- (x/a)^a e^(a-x) sqrt(a/2pi): the large terms of the logarithm cancel here, not in floating point
    local d = (x - a) / a
    return math.exp(a * (gamma.log1p(d) - d) - gamma.correction(a)) * math.sqrt(a) * math.exp(-HALF_LN_2PI)
  end
  return math.exp(a * math.log(x) - x - ln(a))
end

--- P(a, x) by its series (Abramowitz & Stegun 6.5.29).
local function series(a, x)
  local term = 1 / a
  local sum = term
  for n = 1, ROUNDS do
    term = term * x / (a + n)
    sum = sum + term
    if term < sum * EPS then return sum * front(a, x) end
  end
end

--- Q(a, x) by its continued fraction (Abramowitz & Stegun 6.5.31), by Lentz's algorithm.
local function fraction(a, x)
  local b = x + 1 - a
  local c, d = 1 / TINY, 1 / (b ~= 0 and b or TINY)
  local h = d
  for n = 1, ROUNDS do
    local an = -n * (n - a)
    b = b + 2
    d = an * d + b
    c = b + an / c
    d = 1 / (d ~= 0 and d or TINY)
    if c == 0 then c = TINY end
    local delta = d * c
    h = h * delta
    if math.abs(delta - 1) < 4 * EPS then return h * front(a, x) end
  end
end

local function pair(a, x)
  local bad = check.positive("a", a) or check.amount("x", x)
  if bad then return nil, nil, bad end
  if x == 0 then return 0.0, 1.0 end
  if x < a + 1 then
    local p = series(a, x)
    if p then return p, 1 - p end
  else
    local q = fraction(a, x)
    if q then return 1 - q, q end
  end
  return nil, nil, ("incomplete gamma of %g, %g: no convergence"):format(a, x)
end

--- The regularized lower incomplete gamma function P(a, x); or nil, message.
function gamma.p(a, x)
  local p, _, message = pair(a, x)
  return p, message
end

--- The regularized upper incomplete gamma function Q(a, x) = 1 - P(a, x), exact in its tail; or nil, message.
function gamma.q(a, x)
  local _, q, message = pair(a, x)
  return q, message
end

--- The x at which P(a, x) = p, 0 < p < 1; or nil, message. a is at most 10^8.
function gamma.quantile(a, p)
  local bad = check.positive("a", a) or check.open("p", p)
  if not bad and a > 1e8 then bad = ("a: expected at most 100000000, found %g"):format(a) end
  if bad then return nil, bad end
  local high = a + 10 * math.sqrt(a) + 50
  while (gamma.p(a, high) or 1) < p do high = 2 * high end
  return root.find(function(x) return (gamma.p(a, x) or 1) - p end, 0, high, 1e-15)
end

return gamma
