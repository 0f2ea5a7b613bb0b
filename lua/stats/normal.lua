--- The standard normal distribution.

local check = require("stats.check")
local gamma = require("stats.gamma")

local normal = {}

local SQRT_2PI = math.sqrt(2 * math.pi)

--- 1 - Phi(z), exact far out: Q(1/2, z^2/2) / 2 (Abramowitz & Stegun 7.1, 6.5.17).
local function upper(z)
  if z < 0 then return 1 - upper(-z) end
  if z > 38.5 then return 0.0 end
  return gamma.q(0.5, z * z / 2) / 2
end

--- P(Z > z); or nil, message. An infinite z is none.
function normal.upper(z)
  local bad = check.finite("z", z)
  if bad then return nil, bad end
  return upper(z + 0.0)
end

--- P(Z <= z); or nil, message.
function normal.lower(z)
  local bad = check.finite("z", z)
  if bad then return nil, bad end
  return upper(-(z + 0.0))
end

-- Acklam's rational approximation is a start (1e-9); one step of Halley's method ends at 1e-16.
local A = { -3.969683028665376e+01, 2.209460984245205e+02, -2.759285104469687e+02, 1.383577518672690e+02,
  -3.066479806614716e+01, 2.506628277459239e+00 }
local B = { -5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02, 6.680131188771972e+01,
  -1.328068155288572e+01, 1 }
local C = { -7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00, -2.549732539343734e+00,
  4.374664141464968e+00, 2.938163982698783e+00 }
local D = { 7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00, 1 }

local function polynomial(coefficients, x)
  local sum = 0
  for index = 1, #coefficients do sum = sum * x + coefficients[index] end
  return sum
end

local function start(p)
  if p < 0.02425 then
    local q = math.sqrt(-2 * math.log(p))
    return polynomial(C, q) / polynomial(D, q)
  end
  local q = p - 0.5
  return polynomial(A, q * q) * q / polynomial(B, q * q)
end

--- The z with P(Z <= z) = p, 0 < p < 1; or nil, message. (Acklam 2003, refined by Halley's method.)
function normal.quantile(p)
  local bad = check.open("p", p)
  if bad then return nil, bad end
  if p > 0.5 then return -normal.quantile(1 - p) end
  local z = start(p)
  for _ = 1, 2 do
    local u = (upper(-z) - p) * SQRT_2PI * math.exp(z * z / 2)
    z = z - u / (1 + z * u / 2)
  end
  return z
end

return normal
