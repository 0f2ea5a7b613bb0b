--- The samples that a policy gets, read without trust: what cannot be used is named and left out, in one order.
--
-- A sample is { name, arm = "primary" | "canary", t, series?, and one of
--   value    a number: a reading
--   counts   { total =, failed = } or { events = }: cumulative counters of one process
--   buckets  { { upper bound, requests up to it }, ... }: a cumulative histogram of one process }.

local check = require("stats.check")
local histogram = require("stats.histogram")

local samples = {}

local MOST = 2000 -- samples of one call
local PROBLEMS = 8 -- that are told
local AHEAD = 60 -- seconds a clock may be ahead

local function label(item)
  return ("sample %s of %s"):format(tostring(item.name):sub(1, 64), tostring(item.arm):sub(1, 16))
end

local function counts_of(counts, out)
  if type(counts) ~= "table" then return "counts: expected a table" end
  if counts.events ~= nil then
    out.kind, out.n, out.y = "events", counts.events, counts.events
    return check.count("counts.events", counts.events)
  end
  out.kind, out.n, out.y = "failures", counts.total, counts.failed
  return check.part("counts.failed", counts.failed, "counts.total", counts.total)
end

local function buckets_of(buckets, slow, out)
  if not slow then return "buckets: expected a boundary in the parameters, found none" end
  local y, n = histogram.above(buckets, slow)
  if not y then return n end
  out.kind, out.n, out.y = "slow", n, y
  return check.part("buckets", y, "total", n)
end

local function content(item, slow, out)
  if item.counts ~= nil then return counts_of(item.counts, out) end
  if item.buckets ~= nil then return buckets_of(item.buckets, slow, out) end
  out.kind, out.value = "value", item.value
  return check.finite("value", item.value)
end

local function read(item, now, slow)
  if type(item) ~= "table" then return nil, "sample: expected a table, found " .. type(item) end
  local bad
  if type(item.name) ~= "string" or item.name == "" or #item.name > 128 then
    bad = "name: expected a text of at most 128 bytes"
  elseif item.arm ~= "primary" and item.arm ~= "canary" then
    bad = ("arm: expected primary or canary, found %s"):format(tostring(item.arm):sub(1, 16))
  elseif item.series ~= nil and (type(item.series) ~= "string" or #item.series > 512) then
    bad = "series: expected a text of at most 512 bytes"
  end
  bad = bad or check.finite("t", item.t)
  if not bad and item.t > now + AHEAD then bad = ("t: expected at most %.14g, found %.14g"):format(now, item.t) end
  if bad then return nil, label(item) .. ": " .. bad end
  local out = { name = item.name, arm = item.arm, series = item.series or "", t = item.t }
  bad = content(item, slow, out)
  if bad then return nil, label(item) .. ": " .. bad end
  return out
end

local function before(a, b)
  if a.name ~= b.name then return a.name < b.name end
  if a.arm ~= b.arm then return a.arm < b.arm end
  if a.series ~= b.series then return a.series < b.series end
  if a.t ~= b.t then return a.t < b.t end
  if a.kind ~= b.kind then return a.kind < b.kind end
  if a.kind == "value" then return a.value < b.value end
  if a.n ~= b.n then return a.n < b.n end
  return a.y < b.y
end

--- The usable samples, sorted by name, arm, series and time, each { name, arm, series, t, kind = "value" | "failures" |
--- "events" | "slow", value or n, y (total and failed; both the events; total and slow) }; and a list of at most 8
--- problems with the others. Never fails.
--- @param list any       what came
--- @param now number     the time of the call
--- @param slow number?   the bound above which requests of histograms are slow
function samples.read(list, now, slow)
  local out, problems = {}, {}
  local function tell(problem)
    if #problems < PROBLEMS then problems[#problems + 1] = problem end
  end
  if list == nil then return out, problems end
  if type(list) ~= "table" then return out, { "samples: expected a list, found " .. type(list) } end
  for index = 1, math.min(#list, MOST) do
    local item, problem = read(list[index], now, slow)
    if item then out[#out + 1] = item else tell(problem) end
  end
  if #list > MOST then tell(("samples: expected at most %d, found %d"):format(MOST, #list)) end
  table.sort(out, before)
  return out, problems
end

return samples
