--- Requests and failures of the last minutes or hours, in slots of equal length: a few numbers for any window up to a
--- longest one.

local check = require("stats.check")

local windows = {}

local MOST_SLOTS = 96

--- The length of a slot that keeps the shortest window exact to a quarter, or coarser when the longest asks for it.
--- @return number  seconds; or nil, message when the two are too far apart
function windows.slot(shortest, longest)
  local bad = check.positive("shortest", shortest) or check.positive("longest", longest)
  if bad then return nil, bad end
  local slot = math.max(shortest / 4, longest / MOST_SLOTS)
  if slot > shortest then
    return nil, ("windows: expected a longest of at most %d times the shortest %gs, found %gs"):format(MOST_SLOTS,
      shortest, longest)
  end
  return slot
end

--- The memory after new requests at time t: { [slot number as text] = { y, n } }, nothing older than `longest`.
--- @param memory table?  what the last call gave
function windows.add(memory, t, y, n, slot, longest)
  local out, at = {}, math.floor(t / slot)
  local oldest = math.floor((t - longest) / slot)
  for key, entry in pairs(type(memory) == "table" and memory or {}) do
    local number = math.tointeger(tonumber(key))
    local known = number and type(entry) == "table" and not check.part("y", entry[1], "n", entry[2])
    if known and number >= oldest and number <= at then out[("%d"):format(number)] = { entry[1], entry[2] } end
  end
  if n > 0 then
    local key = ("%d"):format(at)
    local entry = out[key] or { 0, 0 }
    out[key] = { entry[1] + y, entry[2] + n }
  end
  return out
end

--- Failures and requests of the window that ends at t.
function windows.sum(memory, t, length, slot)
  local first, y, n = math.floor((t - length) / slot) + 1, 0, 0
  for key, entry in pairs(memory) do
    if tonumber(key) >= first then y, n = y + entry[1], n + entry[2] end
  end
  return y, n
end

return windows
