--- Do the values of one arm tend to be larger than those of the other? (Mann & Whitney 1947; Hollander & Wolfe 1973.)
--
-- The values are to be independent: minutes of one time series are not.

local check = require("stats.check")
local normal = require("stats.normal")

local mann_whitney = {}

local MOST = 1000 -- values of an arm
local EXACT = 20 -- values of an arm up to which the exact distribution is used

--- U of x over y, and the sum of t^3 - t over the groups of equal values.
local function rank(x, y)
  local pool = {}
  for _, value in ipairs(x) do pool[#pool + 1] = { value, true } end
  for _, value in ipairs(y) do pool[#pool + 1] = { value, false } end
  table.sort(pool, function(a, b) return a[1] < b[1] end)
  local ranks, ties, first = 0, 0, 1
  while first <= #pool do
    local last, mine = first, 0
    while last <= #pool and pool[last][1] == pool[first][1] do
      if pool[last][2] then mine = mine + 1 end
      last = last + 1
    end
    local size = last - first
    ranks = ranks + mine * (first + last - 1) / 2
    ties, first = ties + (size ^ 3 - size), last
  end
  return ranks - #x * (#x + 1) / 2, ties
end

--- The deviation of U under no difference, less for ties.
local function deviation(n, m, ties)
  local all = n + m
  return math.sqrt(n * m / 12 * (all + 1 - (all > 1 and ties / (all * (all - 1)) or 0)))
end

--- How many orders of n and m values have U = 0, 1, ... nm: the coefficients of the Gaussian binomial, by one product
--- and one division per value, which is the recursion f(n, m, u) = f(n - 1, m, u - m) + f(n, m - 1, u).
local function orders(n, m)
  local size = n * m
  local f = { [0] = 1 }
  for u = 1, size do f[u] = 0 end
  for i = 1, n do
    for u = size, m + i, -1 do f[u] = f[u] - f[u - m - i] end
    for u = i, size do f[u] = f[u] + f[u - i] end
  end
  return f
end

local function exact(n, m, u)
  local f = orders(n, m)
  local all, upper, lower = 0, 0, 0
  for value = 0, n * m do
    all = all + f[value]
    if value >= u then upper = upper + f[value] end
    if value <= u then lower = lower + f[value] end
  end
  return upper / all, math.min(1, 2 * math.min(upper, lower) / all)
end

local function approximate(u, n, m, ties)
  local sigma, away = deviation(n, m, ties), u - n * m / 2
  if sigma == 0 then return 0.0, 0.5, 1.0 end
  local z = (away - 0.5) / sigma
  local both = (math.abs(away) - 0.5) / sigma
  return z, normal.upper(z), math.min(1, 2 * normal.upper(both))
end

local function samples(x, y)
  return check.values("x", x, MOST) or check.values("y", y, MOST)
end

--- The test of x larger than y. Exact for at most 20 values an arm without ties, else by the normal distribution
--- with continuity and ties corrected.
--- @return table  { test, u, z = of the approximation, p = one-sided, two_sided, normal_two_sided,
---   cles = U / nm, the chance that a value of x is above one of y, n, m }; or nil, message
function mann_whitney.test(x, y)
  local bad = samples(x, y)
  if bad then return nil, bad end
  local n, m = #x, #y
  local u, ties = rank(x, y)
  local z, p, two = approximate(u, n, m, ties)
  local out = { test = "Mann-Whitney", u = u, z = z, p = p, two_sided = two, normal_two_sided = two, cles = u / (n * m),
    n = n, m = m }
  if n <= EXACT and m <= EXACT and ties == 0 then
    out.test = "Mann-Whitney, exact"
    out.p, out.two_sided = exact(n, m, u)
  end
  return out
end

--- The largest U that is significant on both sides at `alpha`; nil, message when none is. At most 50 values an arm.
function mann_whitney.critical(n, m, alpha)
  local bad = check.count("n", n) or check.count("m", m) or check.open("alpha", alpha)
  if not bad and (n < 1 or m < 1 or n > 50 or m > 50) then
    bad = ("n, m: expected 1 to 50, found %d, %d"):format(n, m)
  end
  if bad then return nil, bad end
  local f, all, sum = orders(n, m), 0, 0
  for u = 0, n * m do all = all + f[u] end
  for u = 0, n * m do
    sum = sum + f[u]
    if 2 * sum / all > alpha then
      if u == 0 then return nil, "n, m: expected more values, found too few for any U to be significant" end
      return u - 1
    end
  end
end

local function differences(x, y)
  local out = {}
  for _, a in ipairs(x) do
    for _, b in ipairs(y) do out[#out + 1] = a - b end
  end
  table.sort(out)
  return out
end

local function median(sorted)
  local middle = #sorted // 2
  if #sorted % 2 == 1 then return sorted[middle + 1] end
  return (sorted[middle] + sorted[middle + 1]) / 2
end

--- (W -+ 0.5) / sigma of x - mu against y.
local function standing(x, y, mu)
  local moved = {}
  for index, value in ipairs(x) do moved[index] = value - mu end
  local u, ties = rank(moved, y)
  local away, sigma = u - #x * #y / 2, deviation(#x, #y, ties)
  if sigma == 0 then return 0.0 end
  if away > 0 then away = away - 0.5 elseif away < 0 then away = away + 0.5 end
  return away / sigma
end

--- Where `standing` falls through `target`: it is a step function whose steps are at the differences, so this is one
--- of them, found between the midpoints of its neighbours.
local function crossing(x, y, sorted, target)
  local low, high = 1, #sorted
  while low < high do
    local middle = (low + high) // 2
    local mu = (sorted[middle] + sorted[middle + 1]) / 2
    if standing(x, y, mu) > target then low = middle + 1 else high = middle end
  end
  return sorted[low]
end

--- The shift between the arms: Hodges & Lehmann's estimate (the median of all x_i - y_j), and the ends of its interval
--- of confidence 1 - alpha, where the test with the normal distribution, ties and continuity corrected turns
--- significant (Bauer 1972; R's wilcox.test(conf.int = TRUE, exact = FALSE) looks for the same points by a root finder
--- and ends within its tolerance, 1e-4, of them). At most 200 values an arm.
--- @return table  { estimate, low, high }; or nil, message
function mann_whitney.shift(x, y, alpha)
  local bad = check.values("x", x, 200) or check.values("y", y, 200) or check.open("alpha", alpha)
  if bad then return nil, bad end
  local z, sorted = -normal.quantile(alpha / 2), differences(x, y)
  return { estimate = median(sorted), low = crossing(x, y, sorted, z), high = crossing(x, y, sorted, -z) }
end

return mann_whitney
