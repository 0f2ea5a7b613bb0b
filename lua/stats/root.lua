--- Where a function of one number is zero, or smallest.

local root = {}

local ROUNDS = 200
local EPS = 2.0 ^ -52

--- The step of inverse quadratic interpolation, or the secant's: p / q.
local function interpolation(a, b, c, fa, fb, fc)
  local s = fb / fa
  local p, q
  if a == c then
    p, q = (c - b) * s, 1 - s
  else
    local r, t = fa / fc, fb / fc
    p = s * ((c - b) * r * (r - t) - (b - a) * (t - 1))
    q = (r - 1) * (t - 1) * (s - 1)
  end
  if p > 0 then q = -q else p = -p end
  return p, q
end

--- The x in [low, high] with f(x) = 0 (Brent, Algorithms for Minimization without Derivatives, 1973, ch. 4);
--- or nil, message when f has the same sign at both ends. At most 200 calls of f after the first two.
--- @param tolerance number  of x
function root.find(f, low, high, tolerance)
  local a, b = low, high
  local fa, fb = f(a), f(b)
  if fa == 0 then return a end
  if fb == 0 then return b end
  if (fa < 0) == (fb < 0) or fa ~= fa or fb ~= fb then return nil, "no change of sign between the ends" end
  local c, fc = a, fa
  local d = b - a
  local e = d
  for _ = 1, ROUNDS do
    if (fb > 0) == (fc > 0) then
      c, fc, d = a, fa, b - a
      e = d
    end
    if math.abs(fc) < math.abs(fb) then
      a, b, c, fa, fb, fc = b, c, b, fb, fc, fb
    end
    local limit = 2 * EPS * math.abs(b) + tolerance / 2
    local half = (c - b) / 2
    if math.abs(half) <= limit or fb == 0 then return b end
    if math.abs(e) >= limit and math.abs(fa) > math.abs(fb) then
      local p, q = interpolation(a, b, c, fa, fb, fc)
      if 2 * p < math.min(3 * half * q - math.abs(limit * q), math.abs(e * q)) then
        e, d = d, p / q
      else
        d, e = half, half
      end
    else
      d, e = half, half
    end
    a, fa = b, fb
    if math.abs(d) > limit then b = b + d else b = b + (half > 0 and limit or -limit) end
    fb = f(b)
  end
  return b
end

local GOLDEN = (3 - math.sqrt(5)) / 2

--- The x in [low, high] at which a function with one valley is smallest, by golden sections; and its value there.
function root.minimum(f, low, high, tolerance)
  local x1, x2 = low + GOLDEN * (high - low), high - GOLDEN * (high - low)
  local f1, f2 = f(x1), f(x2)
  for _ = 1, ROUNDS do
    if high - low <= tolerance then break end
    if f1 < f2 then
      high, x2, f2 = x2, x1, f1
      x1 = low + GOLDEN * (high - low)
      f1 = f(x1)
    else
      low, x1, f1 = x1, x2, f2
      x2 = high - GOLDEN * (high - low)
      f2 = f(x2)
    end
  end
  if f1 < f2 then return x1, f1 end
  return x2, f2
end

return root
