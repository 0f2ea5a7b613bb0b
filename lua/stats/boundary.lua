--- The point of the line p_c = ratio p_b + difference that is nearest to two observed rates.

local boundary = {}

local ROUNDS = 200

--- r n_c (c - rt - d) t (1 - t) + n_b (b - t) (rt + d) (1 - rt - d), and its slope at t. Its sign is that of the
--- descent of the divergence, so its one zero inside is the minimum.
local function descent(t, c, n_c, b, n_b, r, d)
  local pc = r * t + d
  local left, right = r * n_c * (c - pc), n_b * (b - t)
  local vt, vc = t * (1 - t), pc * (1 - pc)
  return left * vt + right * vc,
    -r * r * n_c * vt + left * (1 - 2 * t) - n_b * vc + right * r * (1 - 2 * pc)
end

--- The rates p_c, p_b on the line that minimise n_c KL(c, p_c) + n_b KL(b, p_b): the maximum likelihood under the
--- restriction (Miettinen & Nurminen, Stat. Med. 4:213, 1985; Farrington & Manning 1990), and the reverse information
--- projection of Turner & Gruenwald (arXiv 2203.09785). Newton's method, held in a bracket.
--- The caller has checked: 0 <= c, b <= 1, n > 0, r > 0, -1 < d < 1.
function boundary.nearest(c, n_c, b, n_b, r, d)
  if r == 1 and d == 0 then
    local both = (n_c * c + n_b * b) / (n_c + n_b)
    return both, both
  end
  local low, high = math.max(0, -d / r), math.min(1, (1 - d) / r)
  local t = math.max(low, math.min(high, b))
  if t == low or t == high then t = (low + high) / 2 end
  for _ = 1, ROUNDS do
    local value, slope = descent(t, c, n_c, b, n_b, r, d)
    if value == 0 then break end
    if value > 0 then low = t else high = t end
    local next_t = t - value / slope
    if not (next_t > low and next_t < high) then next_t = (low + high) / 2 end
    local moved = math.abs(next_t - t)
    t = next_t
    if moved <= 1e-16 + 2e-16 * t then break end
  end
  return math.min(1, math.max(0, r * t + d)), t
end

return boundary
