--- Events in two exposures: a in t_c of the canary, b in t_b of the primary. Exposure is time, requests or weight.

local beta = require("stats.beta")
local check = require("stats.check")
local gamma = require("stats.gamma")
local normal = require("stats.normal")

local poisson = {}

local SAME = 1 + 1e-7
local MOST_EVENTS = 100000 -- of the E-test, which walks over all likely counts

local function arms(a, t_c, b, t_b)
  return check.count("a", a) or check.positive("t_c", t_c) or check.count("b", b) or check.positive("t_b", t_b)
end

local function ln_binomial(k, n, p)
  return -math.log(n + 1) - beta.ln(n - k + 1, k + 1) + k * math.log(p) + (n - k) * gamma.log1p(-p)
end

local function upper(k, n, p) return k <= 0 and 1.0 or k > n and 0.0 or beta.lower(k, n - k + 1, p) end
local function lower(k, n, p) return k < 0 and 0.0 or k >= n and 1.0 or beta.upper(k + 1, n - k, p) end

--- Both tails of counts no likelier than k (the rule of R's binom.test).
local function either(k, n, p)
  local mode = math.tointeger(((n + 1) * p) // 1)
  mode = math.min(n, mode)
  if k == mode then return 1.0 end
  local limit = ln_binomial(k, n, p) + math.log(SAME)
  local near, far = mode, k > mode and 0 or n
  if ln_binomial(far, n, p) > limit then return k > mode and upper(k, n, p) or lower(k, n, p) end
  while math.abs(far - near) > 1 do
    local middle = (near + far) // 2
    if ln_binomial(middle, n, p) <= limit then far = middle else near = middle end
  end
  if k > mode then return math.min(1, upper(k, n, p) + lower(far, n, p)) end
  return math.min(1, lower(k, n, p) + upper(far, n, p))
end

--- The conditional test (Przyborowski & Wilenski 1940): a of a + b events is binomial with the canary's share of the
--- exposure, `ratio` times as large a rate granted.
--- @return table  { test, p = one-sided P(A >= a), two_sided, share }; or nil, message
function poisson.conditional(a, t_c, b, t_b, ratio)
  ratio = ratio or 1
  local bad = arms(a, t_c, b, t_b) or check.positive("ratio", ratio)
  if bad then return nil, bad end
  local share, n = ratio * t_c / (ratio * t_c + t_b), math.tointeger(a + b)
  if share <= 0 or share >= 1 then return nil, "t_c, t_b: expected exposures of comparable size" end
  local k = math.tointeger(a)
  return { test = "conditional", p = upper(k, n, share), two_sided = either(k, n, share), share = share }
end

--- P(T >= t, some event) over two Poisson counts, T = (i/t_c - j/t_b) / sqrt(i/t_c^2 + j/t_b^2), which rises in i and
--- falls in j: for each i the j that count are those up to some J, and J grows with i.
local function tail(t, t_c, t_b, mean_c, mean_b)
  local function reaches(i, j)
    local spread = i / (t_c * t_c) + j / (t_b * t_b)
    local value = spread > 0 and (i / t_c - j / t_b) / math.sqrt(spread) or 0
    return value >= t - 1e-12 * math.abs(t)
  end
  local function range(mean)
    local wide = 12 * math.sqrt(mean) + 60
    return math.max(0, math.floor(mean - wide)), math.ceil(mean + wide)
  end
  local first, last = range(mean_c)
  local low_j, high_j = range(mean_b)
  local sum, j = 0, low_j - 1
  for i = first, last do
    while j < high_j and reaches(i, j + 1) do j = j + 1 end
    if j >= low_j then
      local p = math.exp(i * math.log(mean_c) - mean_c - gamma.ln(i + 1))
      sum = sum + p * gamma.q(j + 1, mean_b)
    end
  end
  -- without any event there is nothing to compare
  if t <= 0 then sum = sum - math.exp(-mean_c - mean_b) end
  return math.max(0, math.min(1, sum))
end

--- The E-test (Krishnamoorthy & Thomson, J. Stat. Plan. Inf. 119:23, 2004). Its two-sided value is dominated by the
--- other tail when the exposures are unequal: use the one-sided.
--- @return table  { test, t, p, two_sided }; or nil, message (more than 100,000 events)
function poisson.e_test(a, t_c, b, t_b)
  local bad = arms(a, t_c, b, t_b)
  if not bad and a + b > MOST_EVENTS then bad = ("a + b: expected at most %d, found %d"):format(MOST_EVENTS, a + b) end
  if bad then return nil, bad end
  if a + b == 0 then return { test = "E", t = 0.0, p = 1.0, two_sided = 1.0 } end
  local rate = (a + b) / (t_c + t_b)
  local t = (a / t_c - b / t_b) / math.sqrt(a / (t_c * t_c) + b / (t_b * t_b))
  local size = math.abs(t)
  local mean_c, mean_b = rate * t_c, rate * t_b
  local both = tail(size, t_c, t_b, mean_c, mean_b) + tail(size, t_b, t_c, mean_b, mean_c)
  return { test = "E", t = t, p = tail(t, t_c, t_b, mean_c, mean_b), two_sided = math.min(1, both) }
end

--- The square-root test (Huffman 1984): 2 (sqrt(a + 3/8) - sqrt(t_c/t_b (b + 3/8))) / sqrt(1 + t_c/t_b).
--- @return table  { test, z, p = one-sided }; or nil, message
function poisson.square_root(a, t_c, b, t_b)
  local bad = arms(a, t_c, b, t_b)
  if bad then return nil, bad end
  local d = t_c / t_b
  local z = 2 * (math.sqrt(a + 3 / 8) - math.sqrt(d * (b + 3 / 8))) / math.sqrt(1 + d)
  return { test = "square root", z = z, p = normal.upper(z) }
end

--- Both ends of Garwood's interval for the mean of one count (Garwood 1936); or nil, message.
function poisson.garwood(count, alpha)
  local bad = check.count("count", count) or check.open("alpha", alpha)
  if bad then return nil, bad end
  local low = count > 0 and gamma.quantile(count, alpha / 2) or 0.0
  return low, gamma.quantile(count + 1, 1 - alpha / 2)
end

--- The ratio of the rates and both ends of its interval, by Clopper & Pearson's (1934) for the share of a in a + b;
--- or nil, message. Without events of the primary the ratio and the upper end are infinite.
function poisson.ratio(a, t_c, b, t_b, alpha)
  local bad = arms(a, t_c, b, t_b) or check.open("alpha", alpha)
  if bad then return nil, bad end
  if a + b == 0 then return nil, "a, b: expected at least one event, found none" end
  local low = a > 0 and beta.quantile(a, b + 1, alpha / 2) or 0.0
  local high = b > 0 and beta.quantile(a + 1, b, 1 - alpha / 2) or 1.0
  local function ratio(share) return share < 1 and share / (1 - share) * t_b / t_c or math.huge end
  return ratio(a / (a + b)), ratio(low), ratio(high)
end

return poisson
