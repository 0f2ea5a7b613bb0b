--- The requests of one arm, as pieces of time with what was counted in them; and what queries over a window say.

local draws = require("offline.draws")

local arm = {}

local arm_methods = {}
local arm_mt = { __index = arm_methods }

local QUANTILE = 0.99 -- of the builtin request-duration

--- @param random function?  -> [0, 1); without one every count is its mean
--- @param bounds table?  of the histogram of durations, in its unit
--- @param scale number?  of that unit in a second
function arm.new(random, bounds, scale)
  return setmetatable({ random = random, bounds = bounds, scale = scale or 1, n = 0, ends = {}, starts = {}, good = {},
    bad = {}, bucket = {}, total = 0, failed = 0, below = {}, buckets = {} }, arm_mt)
end

--- Forgets everything, for the next run.
function arm_methods:reset()
  self.n, self.total, self.failed = 0, 0, 0
  for at = 1, self.bounds and #self.bounds + 1 or 0 do self.buckets[at] = 0 end
end

--- The bucket that a latency falls in.
local function bucket_of(self, latency)
  local known = self.below[latency]
  if known then return known end
  local value, at = latency * self.scale, 1
  while self.bounds[at] and value > self.bounds[at] do at = at + 1 end
  self.below[latency] = at
  return at
end

--- Serves `rate` requests per second from `from` to `to`, of which the share `errors` fails.
function arm_methods:serve(from, to, rate, errors, latency)
  local mean = rate * (to - from)
  if mean <= 0 then return end
  local good, bad, random = mean * (1 - errors), mean * errors, self.random
  if random then good, bad = draws.poisson(random, good), draws.poisson(random, bad) end
  local n = self.n + 1
  self.n = n
  self.starts[n], self.ends[n], self.good[n], self.bad[n] = from, to, good, bad
  self.total, self.failed = self.total + good + bad, self.failed + bad
  if self.bounds then
    local at = bucket_of(self, latency)
    self.bucket[n], self.buckets[at] = at, self.buckets[at] + good + bad
  end
end

--- The requests of the window: those that did not fail, and all.
function arm_methods:requests(now, window)
  local since, good, all = now - window, 0, 0
  for at = self.n, 1, -1 do
    local from, to = self.starts[at], self.ends[at]
    if to <= since then break end
    local part = from < since and (to - since) / (to - from) or 1
    good = good + self.good[at] * part
    all = all + (self.good[at] + self.bad[at]) * part
  end
  return good, all
end

--- Percent of requests that did not fail in the window; NaN without any.
function arm_methods:success(now, window)
  local good, all = self:requests(now, window)
  return good / all * 100
end

--- Cumulative counts of the window by bucket, and their sum.
local function counted(self, now, window)
  local since, counts, total = now - window, {}, 0
  for at = self.n, 1, -1 do
    local from, to = self.starts[at], self.ends[at]
    if to <= since then break end
    local part = from < since and (to - since) / (to - from) or 1
    local count = (self.good[at] + self.bad[at]) * part
    counts[self.bucket[at]] = (counts[self.bucket[at]] or 0) + count
    total = total + count
  end
  return counts, total
end

--- The 99th percentile of durations as histogram_quantile gives it, in the histogram's unit; NaN without requests.
function arm_methods:duration(now, window)
  local counts, total = counted(self, now, window)
  if total == 0 then return 0 / 0 end
  local rank, below, bounds = QUANTILE * total, 0, self.bounds
  for at = 1, #bounds do
    local own = counts[at] or 0
    if below + own >= rank and own > 0 then
      local start = at > 1 and bounds[at - 1] or 0
      return start + (bounds[at] - start) * ((rank - below) / own)
    end
    below = below + own
  end
  return bounds[#bounds]
end

--- Cumulative counters as policies get them (metrics/series.lua).
--- @param out table      the list of samples
--- @param histogram boolean  buckets too
function arm_methods:sample(out, name, now, histogram, milliseconds)
  if self.total == 0 then return end
  out[#out + 1] = { name = "request-success-rate", arm = name, t = now, series = name,
    counts = { total = self.total, failed = self.failed } }
  if not histogram or not self.bounds then return end
  local list, sum = {}, 0
  for at = 1, #self.bounds + 1 do
    sum = sum + self.buckets[at]
    list[at] = { (self.bounds[at] or math.huge) * milliseconds, sum }
  end
  out[#out + 1] = { name = "request-duration", arm = name, t = now, series = name, buckets = list }
end

return arm
