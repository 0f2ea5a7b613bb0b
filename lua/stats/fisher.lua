--- Fisher's exact test of a two by two table, which needs no least count.

local beta = require("stats.beta")
local check = require("stats.check")

local fisher = {}

local ROUNDS = 1000000
local SAME = 1 + 1e-7 -- how far apart two probabilities still count as equal, as in R

local function ln_choose(n, k) return -math.log(n + 1) - beta.ln(n - k + 1, k + 1) end

--- The hypergeometric distribution: k of `x` failures fall to the canary's n_c of n_c + n_b requests.
local function hypergeometric(n_c, n_b, x)
  local it = { low = math.max(0, x - n_b), high = math.min(x, n_c) }
  local all = ln_choose(n_c + n_b, x)
  function it.p(k) return math.exp(ln_choose(n_c, k) + ln_choose(n_b, x - k) - all) end
  function it.up(k) return (n_c - k) * (x - k) / ((k + 1) * (n_b - x + k + 1)) end -- p(k + 1) / p(k)
  it.mode = math.min(it.high, math.max(it.low, (n_c + 1) * (x + 1) // (n_c + n_b + 2)))
  return it
end

--- Sum from k away from the mode, until the rest is nothing.
local function outward(it, k, step)
  if k < it.low or k > it.high then return 0.0 end
  local term = it.p(k)
  local sum = 0.0
  for _ = 1, ROUNDS do
    sum = sum + term
    if k == (step > 0 and it.high or it.low) then return sum end
    term = step > 0 and term * it.up(k) or term / it.up(k - 1)
    k = k + step
    if term < sum * 1e-18 then return sum end
  end
  return nil
end

local function greater(it, k)
  if k > it.mode then return outward(it, k, 1) end
  local rest = outward(it, k - 1, -1)
  return rest and math.min(1, 1 - rest)
end

--- The first k on the other side of the mode that is no likelier than `limit`: what lies between falls monotonously.
local function opposite(it, limit, step)
  local near, far = it.mode, step > 0 and it.high or it.low
  if it.p(far) > limit then return far + step end
  while math.abs(far - near) > 1 do
    local middle = (near + far) // 2
    if it.p(middle) <= limit then far = middle else near = middle end
  end
  return it.p(near) <= limit and near or far
end

local function either(it, k)
  if k == it.mode then return 1.0 end
  local step = k > it.mode and 1 or -1
  local mine = outward(it, k, step)
  local other = outward(it, opposite(it, it.p(k) * SAME, -step), -step)
  return mine and other and math.min(1, mine + other)
end

--- The probabilities of a table at least as bad as x_c of n_c against x_b of n_b failures when both arms fail alike.
--- @return table  { test, greater = one-sided, two_sided, effect = p_c - p_b, n_c, n_b }; or nil, message
function fisher.test(x_c, n_c, x_b, n_b)
  local bad = check.part("x_c", x_c, "n_c", n_c) or check.part("x_b", x_b, "n_b", n_b)
    or check.positive("n_c", n_c) or check.positive("n_b", n_b)
  if bad then return nil, bad end
  local it = hypergeometric(math.tointeger(n_c), math.tointeger(n_b), math.tointeger(x_c + x_b))
  local k = math.tointeger(x_c)
  local one, two = greater(it, k), either(it, k)
  if not one or not two then return nil, "x_c, x_b: expected fewer counts, found more than a million terms" end
  return { test = "Fisher", greater = one, two_sided = two, effect = x_c / n_c - x_b / n_b, n_c = n_c, n_b = n_b }
end

return fisher
