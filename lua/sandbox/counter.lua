--- Counters over virtual time: straight lines between the moments at which a rate changes, so that an idle hour
--- costs nothing and every value is exact. Scrapes are thought to happen at whole seconds.

local counter = {}

local counter_methods = {}
local counter_mt = { __index = counter_methods }

local KEEP = 3600 -- seconds of history

--- A counter at zero from `now` on.
function counter.new(now)
  return setmetatable({ started = now, times = { now }, values = { 0.0 }, rates = { 0.0 } }, counter_mt)
end

local function segment(self, t)
  local low, high = 1, #self.times
  while low < high do
    local middle = (low + high + 1) // 2
    if self.times[middle] <= t then low = middle else high = middle - 1 end
  end
  return low
end

--- Its value at `t`, which must not be before `started`.
function counter_methods:value(t)
  local at = segment(self, t)
  return self.values[at] + self.rates[at] * (t - self.times[at])
end

function counter_methods:rate()
  return self.rates[#self.rates]
end

local function forget(self, before)
  while #self.times > 1 and self.times[2] < before do
    table.remove(self.times, 1)
    table.remove(self.values, 1)
    table.remove(self.rates, 1)
  end
end

--- Counts `rate` per second from `now` on.
function counter_methods:set_rate(rate, now)
  local last = #self.times
  if self.rates[last] == rate then return end
  if self.times[last] == now then
    self.rates[last] = rate
    return
  end
  self.values[last + 1] = self:value(now)
  self.times[last + 1], self.rates[last + 1] = now, rate
  if last > 64 then forget(self, now - KEEP) end
end

--- Nothing is scraped from `now` on: its pod is gone.
function counter_methods:stop(now)
  self:set_rate(0.0, now)
  self.gone = self.gone or now
end

--- The scrapes in (from, to] as first and last second, or nil.
local function scrapes(self, from, to)
  local first = math.max(math.floor(from) + 1, math.ceil(self.started))
  local last = math.floor(to)
  if self.gone then last = math.min(last, math.ceil(self.gone) - 1) end
  if last < first then return nil end
  return first, last
end

--- A series of a metric over counters that are scraped together. `factor` turns counts into its unit.
function counter.series(labels, counters, factor)
  local function sum(t)
    local total = 0.0
    for _, one in ipairs(counters) do
      if t >= one.started then total = total + one:value(t) end
    end
    return total * factor
  end
  local function span(from, to)
    local first, last
    for _, one in ipairs(counters) do
      local a, b = scrapes(one, from, to)
      if a then first, last = math.min(first or a, a), math.max(last or b, b) end
    end
    return first, last
  end
  local series = { labels = labels }
  function series.at(now)
    local _, last = span(now - 300, now)
    -- One that has stopped is stale at once.
    if not last or last < math.floor(now) then return nil end
    return sum(last)
  end
  function series.window(from, to)
    local first, last = span(from, to)
    if not first then return nil end
    local start, stop = sum(first), sum(last)
    return {
      first_at = first, first = start, last_at = last, last = stop, n = last - first + 1, increase = stop - start,
      before_last_at = last - 1, before_last = last > first and sum(last - 1) or stop,
    }
  end
  return series
end

--- A series of given samples { { time, value }, ... } in order; a smaller value than the one before is a reset.
function counter.samples(labels, samples)
  local series = { labels = labels }
  function series.at(now)
    for at = #samples, 1, -1 do
      if samples[at][1] <= now then return now - samples[at][1] < 300 and samples[at][2] or nil end
    end
  end
  function series.window(from, to)
    local inside, increase = {}, 0.0
    for _, sample in ipairs(samples) do
      if sample[1] > from and sample[1] <= to then inside[#inside + 1] = sample end
    end
    for at = 2, #inside do
      local difference = inside[at][2] - inside[at - 1][2]
      increase = increase + (difference < 0 and inside[at][2] or difference)
    end
    if #inside < 2 then return nil end
    local first, last, before = inside[1], inside[#inside], inside[#inside - 1]
    return { first_at = first[1], first = first[2], last_at = last[1], last = last[2], n = #inside,
      increase = increase, before_last_at = before[1], before_last = before[2] }
  end
  return series
end

return counter
