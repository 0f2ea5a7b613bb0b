--- Latency from the buckets of a histogram. A quantile is known only to its bucket; counts at a boundary are exact.
--
-- A histogram is a list of { upper bound, requests up to it }, bounds rising, the last one math.huge (`+Inf`).

local check = require("stats.check")
local normal = require("stats.normal")
local proportions = require("stats.proportions")

local histogram = {}

local MOST = 512 -- buckets

local function bucket_problem(name, bucket, before)
  if type(bucket) ~= "table" then return ("%s: expected a bound and a count, found %s"):format(name, type(bucket)) end
  local bound, count = bucket[1], bucket[2]
  if type(bound) ~= "number" or bound ~= bound or bound <= before[1] then
    return ("%s: expected a bound above %g, found %s"):format(name, before[1], tostring(bound))
  end
  if not check.is_finite(count) or count < before[2] then
    return ("%s: expected a count of at least %g, found %s"):format(name, before[2], tostring(count))
  end
end

--- What is wrong with a histogram, or nil.
function histogram.problem(name, buckets)
  if type(buckets) ~= "table" or #buckets == 0 then return ("%s: expected a list of buckets"):format(name) end
  if #buckets > MOST then return ("%s: expected at most %d buckets, found %d"):format(name, MOST, #buckets) end
  local before = { -math.huge, 0 }
  for index = 1, #buckets do
    local bad = bucket_problem(("%s[%d]"):format(name, index), buckets[index], before)
    if bad then return bad end
    before = buckets[index]
  end
  if before[1] ~= math.huge then return ("%s: expected a last bucket of +Inf, found %g"):format(name, before[1]) end
end

--- The quantile as Prometheus' histogram_quantile gives it: linear within the bucket, from 0 in the first; the highest
--- finite bound when it is in the last bucket. Returns the value and the ends of its bucket; or nil, message.
function histogram.quantile(buckets, q)
  local bad = histogram.problem("buckets", buckets) or check.open("q", q)
  if bad then return nil, bad end
  local total = buckets[#buckets][2]
  if total == 0 then return nil, "buckets: expected at least one request, found none" end
  local rank = q * total
  for index = 1, #buckets do
    local bound, count = buckets[index][1], buckets[index][2]
    if count >= rank then
      local before = index > 1 and buckets[index - 1] or { bound > 0 and 0 or bound, 0 }
      if bound == math.huge then return before[1], before[1], bound end
      if count == before[2] then return bound, before[1], bound end
      return before[1] + (bound - before[1]) * (rank - before[2]) / (count - before[2]), before[1], bound
    end
  end
end

--- Requests slower than a boundary, and all; nil, message when `bound` is none of the bounds.
function histogram.above(buckets, bound)
  local bad = histogram.problem("buckets", buckets)
  if bad then return nil, bad end
  for _, bucket in ipairs(buckets) do
    if bucket[1] == bound then return buckets[#buckets][2] - bucket[2], buckets[#buckets][2] end
  end
  return nil, ("bound: expected one of the buckets' bounds, found %s"):format(tostring(bound))
end

local function pair(canary, primary)
  local bad = histogram.problem("canary", canary) or histogram.problem("primary", primary)
  if not bad and #canary ~= #primary then
    bad = ("canary: expected the primary's %d buckets, found %d"):format(#primary, #canary)
  end
  if bad then return bad end
  for index = 1, #canary do
    if canary[index][1] ~= primary[index][1] then
      return ("canary[%d]: expected the primary's bound %g, found %g"):format(index, primary[index][1],
        canary[index][1])
    end
  end
  if canary[#canary][2] == 0 or primary[#primary][2] == 0 then return "expected requests in both arms, found none" end
end

--- The z test of a larger share of requests slower than `bound` (stats/proportions.lua); or nil, message.
function histogram.slower(canary, primary, bound)
  local bad = pair(canary, primary)
  if bad then return nil, bad end
  local x_c, n_c = histogram.above(canary, bound)
  if not x_c then return nil, n_c end
  local x_b, n_b = histogram.above(primary, bound)
  return proportions.z(x_c, n_c, x_b, n_b)
end

--- The one-sided Kolmogorov-Smirnov distance, D = max(F_primary - F_canary) over the bounds, p <= exp(-2 n_e D^2)
--- with n_e = n_c n_b / (n_c + n_b) (Smirnov 1944); conservative on grouped data.
--- @return table  { test, d, p, n_e, at = bound of the largest distance }; or nil, message
function histogram.distance(canary, primary)
  local bad = pair(canary, primary)
  if bad then return nil, bad end
  local n_c, n_b = canary[#canary][2], primary[#primary][2]
  local d, at = 0, canary[1][1]
  for index = 1, #canary do
    local gap = primary[index][2] / n_b - canary[index][2] / n_c
    if gap > d then d, at = gap, canary[index][1] end
  end
  local n_e = n_c * n_b / (n_c + n_b)
  return { test = "Kolmogorov-Smirnov", d = d, at = at, n_e = n_e, p = math.exp(-2 * n_e * d * d) }
end

--- Mann & Whitney's test with the buckets as ordered values and all requests of one bucket as ties, by the normal
--- distribution, ties and continuity corrected. Linear in the buckets.
--- @return table  { test, u, z, p = one-sided, cles, n_c, n_b }; or nil, message
function histogram.mann_whitney(canary, primary)
  local bad = pair(canary, primary)
  if bad then return nil, bad end
  local n, m = canary[#canary][2], primary[#primary][2]
  local u, ties, last_c, last_b = 0, 0, 0, 0
  for index = 1, #canary do
    local c, b = canary[index][2] - last_c, primary[index][2] - last_b
    u = u + c * (last_b + b / 2)
    ties = ties + ((c + b) ^ 3 - (c + b))
    last_c, last_b = canary[index][2], primary[index][2]
  end
  local all = n + m
  local spread = all > 1 and n * m / 12 * (all + 1 - ties / (all * (all - 1))) or 0
  local z = spread > 1e-9 and (u - n * m / 2 - 0.5) / math.sqrt(spread) or 0.0
  return { test = "Mann-Whitney, grouped", u = u, z = z, p = normal.upper(z), cles = u / (n * m), n_c = n, n_b = m }
end

return histogram
