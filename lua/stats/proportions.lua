--- Two shares: x of n requests, in the canary and in the primary, looked at once.
--
-- For repeated looks at a growing count see stats/blocks.lua: a test like these, repeated, finds something in the end.

local boundary = require("stats.boundary")
local check = require("stats.check")
local normal = require("stats.normal")

local proportions = {}

local function arms(x_c, n_c, x_b, n_b)
  local bad = check.part("x_c", x_c, "n_c", n_c) or check.part("x_b", x_b, "n_b", n_b)
    or check.positive("n_c", n_c) or check.positive("n_b", n_b)
  return bad
end

--- The pooled z test of p_c > p_b: (p_c - p_b) / sqrt(p(1-p)(1/n_c + 1/n_b)).
--- Only where every expected count is 5 or more; else stats/fisher.lua.
--- @param continuity boolean  brings the difference nearer to 0 by (1/n_c + 1/n_b)/2 (Yates)
--- @return table  { test, z, p = one-sided, effect = p_c - p_b, n_c, n_b }; or nil, message
function proportions.z(x_c, n_c, x_b, n_b, continuity)
  local bad = arms(x_c, n_c, x_b, n_b)
  if bad then return nil, bad end
  local both, inverse = (x_c + x_b) / (n_c + n_b), 1 / n_c + 1 / n_b
  local effect = x_c / n_c - x_b / n_b
  local size = math.abs(effect)
  if continuity then size = math.max(0, size - inverse / 2) end
  local deviation = math.sqrt(both * (1 - both) * inverse)
  local z = deviation > 0 and size / deviation or 0.0
  if effect < 0 then z = -z end
  return { test = continuity and "z, continuity" or "z", z = z, p = normal.upper(z), effect = effect,
    n_c = n_c, n_b = n_b }
end

--- Both ends of Wilson's score interval for x of n (Wilson 1927); or nil, message.
--- @param alpha number  0.05 for an interval of 95 %
function proportions.wilson(x, n, alpha)
  local bad = check.part("x", x, "n", n) or check.positive("n", n) or check.open("alpha", alpha)
  if bad then return nil, bad end
  local z = -normal.quantile(alpha / 2)
  local p, square = x / n, z * z / n
  local centre = (p + square / 2) / (1 + square)
  local half = z / (1 + square) * math.sqrt(p * (1 - p) / n + square / n / 4)
  return x == 0 and 0.0 or math.max(0, centre - half), x == n and 1.0 or math.min(1, centre + half)
end

--- Both ends of the hybrid score interval of p_c - p_b (Newcombe, Stat. Med. 17:873, 1998, method 10); or nil, message.
function proportions.newcombe(x_c, n_c, x_b, n_b, alpha)
  local bad = arms(x_c, n_c, x_b, n_b) or check.open("alpha", alpha)
  if bad then return nil, bad end
  local p1, p2 = x_c / n_c, x_b / n_b
  local l1, u1 = proportions.wilson(x_c, n_c, alpha)
  local l2, u2 = proportions.wilson(x_b, n_b, alpha)
  local d = p1 - p2
  return d - math.sqrt((p1 - l1) ^ 2 + (u2 - p2) ^ 2), d + math.sqrt((u1 - p1) ^ 2 + (p2 - l2) ^ 2)
end

--- The score test of "worse by `margin` or more", H0: p_c - p_b >= margin (Miettinen & Nurminen 1985, Farrington &
--- Manning 1990): the variance is that of the likeliest rates with p_c - p_b = margin.
--- @return table  { test, z, p, effect, restricted_c, restricted_b, n_c, n_b }, p <= alpha says not worse; or nil,
---   message
function proportions.noninferior(x_c, n_c, x_b, n_b, margin)
  local bad = arms(x_c, n_c, x_b, n_b) or check.finite("margin", margin)
  if not bad and (margin <= -1 or margin >= 1) then
    bad = ("margin: expected a number between -1 and 1, found %g"):format(margin)
  end
  if bad then return nil, bad end
  local c, b = x_c / n_c, x_b / n_b
  local rc, rb = boundary.nearest(c, n_c, b, n_b, 1, margin)
  local deviation = math.sqrt(rc * (1 - rc) / n_c + rb * (1 - rb) / n_b)
  local z = deviation > 0 and (c - b - margin) / deviation or 0.0
  return { test = "non-inferiority", z = z, p = normal.lower(z), effect = c - b, restricted_c = rc, restricted_b = rb,
    n_c = n_c, n_b = n_b }
end

return proportions
