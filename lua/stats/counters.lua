--- Only what is new: the increments of cumulative counters since the last look, each counted once.
--
-- A counter that falls was reset: its process restarted. What happened around a restart is unknown, so that interval
-- counts for nothing and the next one begins at the new value. The same for the first sight of a series.

local check = require("stats.check")
local fnv = require("util.fnv")

local counters = {}

local MOST = 64 -- series that are remembered

local function key_of(item) return ("%08x"):format(fnv.hash32(item.name .. "\0" .. item.arm .. "\0" .. item.series)) end

--- What is remembered of a series, { t, n, y }, if it can be believed.
local function known(memory, key, now)
  local entry = memory[key]
  if type(entry) ~= "table" then return nil end
  if check.finite("t", entry[1]) or check.part("y", entry[3], "n", entry[2]) or entry[1] > now + 60 then return nil end
  return entry
end

local function arm() return { n = 0, y = 0, resets = 0, stale = 0, fresh = 0 } end

local function metric(out, item)
  local found = out[item.name]
  if not found then
    found = { kind = item.kind, canary = arm(), primary = arm() }
    out[item.name] = found
  end
  return found
end

--- Takes one sample in: into the sums of its arm, or as the new beginning of its series.
local function take(sums, last, item, since)
  if not last then
    sums.fresh = sums.fresh + 1
  elseif item.t <= last[1] then
    sums.stale = sums.stale + 1
    return last
  elseif item.n < last[2] or item.y < last[3] or item.y - last[3] > item.n - last[2] then
    sums.resets = sums.resets + 1
  elseif last[1] >= since then
    sums.n, sums.y = sums.n + item.n - last[2], sums.y + item.y - last[3]
    sums.from = math.min(sums.from or last[1], last[1])
  end
  return { item.t, item.n, item.y }
end

--- The newest series, at most 64; what is dropped begins anew when it comes again.
local function newest(memory)
  local keys = {}
  for key in pairs(memory) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if memory[a][1] ~= memory[b][1] then return memory[a][1] > memory[b][1] end
    return a < b
  end)
  local out = {}
  for index = 1, math.min(MOST, #keys) do out[keys[index]] = memory[keys[index]] end
  return out
end

--- The new requests and failures of each metric, summed over its series.
--- @param memory table?  what the last call gave; nil at first
--- @param items table    of stats.samples.read; those of kind "value" are left out
--- @param now number     the time of the call
--- @param since number   an interval that began before this time is left out (the weight was another)
--- @return table  the next memory, { [hash of the series] = { t, n, y } }
--- @return table  { [name] = { kind, canary, primary } }, an arm { n, y, resets, stale, fresh, from = first moment };
---   a sample of another kind than the first of its name is left out
function counters.step(memory, items, now, since)
  local next_memory, out = {}, {}
  for key in pairs(type(memory) == "table" and memory or {}) do next_memory[key] = known(memory, key, now) end
  for _, item in ipairs(items) do
    if item.kind ~= "value" then
      local found = metric(out, item)
      if found.kind == item.kind then
        local key = key_of(item)
        next_memory[key] = take(found[item.arm], next_memory[key], item, since)
      end
    end
  end
  return newest(next_memory), out
end

--- How often counters fell that only the canary's restarts explain. One restart shows in every metric; that of a proxy
--- that counts for both arms shows in both.
--- @param found table  what `step` gave
function counters.restarts(found)
  local most = 0
  for _, one in pairs(found) do most = math.max(most, one.canary.resets - one.primary.resets) end
  return most
end

return counters
