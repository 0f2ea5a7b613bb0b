--- Durations in Go's notation: `1m30s`, `350ms`, `1.5h`.

local duration = {}

local UNITS = {
  ns = 1, us = 1000, ["µs"] = 1000, ["μs"] = 1000, ms = 1000000,
  s = 1000000000, m = 60000000000, h = 3600000000000,
}
local SECOND = UNITS.s
local MOST = 2.0 ^ 63

--- Whole and fractional digits times the unit, in nanoseconds; nil when out of range.
local function part(whole, fraction, unit)
  local value = (tonumber(whole) or 0) * 1.0 * unit
  if value >= MOST then return nil end
  value = (math.tointeger(tonumber(whole)) or 0) * unit
  if fraction ~= "" then value = value + math.floor(tonumber("0." .. fraction) * unit + 1e-6) end
  return value
end

--- Seconds (an integer when whole), or nil and a message.
function duration.parse(text)
  local bad = ("not a duration: %s"):format(tostring(text))
  if type(text) ~= "string" then return nil, bad end
  local sign, rest = text:match("^([+-]?)(.*)$")
  if rest == "0" then return 0 end
  local total = 0
  if rest == "" then return nil, bad end
  while rest ~= "" do
    local whole, point, fraction, unit, after = rest:match("^(%d*)(%.?)(%d*)([^%d%.]+)(.*)$")
    if not whole or (whole == "" and fraction == "") or (point == "" and fraction ~= "") then return nil, bad end
    local one = UNITS[unit] and part(whole, fraction, UNITS[unit])
    if not one or one < 0 or (total + 0.0) + one >= MOST then return nil, bad end
    total, rest = total + one, after
  end
  if sign == "-" then total = -total end
  if total % SECOND == 0 then return total // SECOND end
  return total / SECOND
end

--- Up to `places` decimals of value / scale, trailing zeros dropped.
local function decimals(value, scale, places)
  local fraction = value % scale
  local text = ("%d"):format(value // scale)
  if fraction == 0 then return text end
  return text .. "." .. ("%0" .. places .. "d"):format(fraction):gsub("0+$", "")
end

local function below_second(ns)
  if ns >= UNITS.ms then return decimals(ns, UNITS.ms, 6) .. "ms" end
  if ns >= UNITS.us then return decimals(ns, UNITS.us, 3) .. "µs" end
  return ns .. "ns"
end

--- What Go prints: `1h0m0s`, `1m30s`, `1.5s`, `350ms`, `0s`.
--- @param seconds number
function duration.format(seconds)
  local ns = math.floor(seconds * SECOND + 0.5)
  if math.type(seconds) == "integer" then ns = seconds * SECOND end
  local sign = ns < 0 and "-" or ""
  if ns < 0 then ns = -ns end
  if ns == 0 then return "0s" end
  if ns < SECOND then return sign .. below_second(ns) end
  local hours, minutes = ns // UNITS.h, ns // UNITS.m % 60
  local out = sign
  if hours > 0 then out = out .. hours .. "h" end
  if hours > 0 or minutes > 0 then out = out .. minutes .. "m" end
  return out .. decimals(ns % UNITS.m, SECOND, 9) .. "s"
end

return duration
