--- RFC 3339 times as seconds since the epoch, and back; UTC, proleptic Gregorian.

local rfc3339 = {}

--- Days since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms").
local function days(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = year // 400
  local of_era = year - era * 400
  local of_year = (153 * (month + (month > 2 and -3 or 9)) + 2) // 5 + day - 1
  return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
end

local function civil(day)
  day = day + 719468
  local era = day // 146097
  local of_era = day - era * 146097
  local year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
  local of_year = of_era - (365 * year + year // 4 - year // 100)
  local shifted = (5 * of_year + 2) // 153
  local month = shifted + (shifted < 10 and 3 or -9)
  return year + era * 400 + (month <= 2 and 1 or 0), month, of_year - (153 * shifted + 2) // 5 + 1
end

local function in_range(text, low, high)
  local value = math.tointeger(text)
  return value >= low and value <= high
end

--- Seconds (a float when the text has a fraction), or nil for anything that is not such a time.
function rfc3339.parse(text)
  if type(text) ~= "string" then return nil end
  local year, month, day, hour, minute, second, fraction, zone =
    text:match("^(%d%d%d%d)-(%d%d)-(%d%d)[Tt](%d%d):(%d%d):(%d%d)(%.?%d*)([Zz+-].*)$")
  if not year or not in_range(month, 1, 12) or not in_range(day, 1, 31) or not in_range(hour, 0, 23)
    or not in_range(minute, 0, 59) or not in_range(second, 0, 60) then return nil end
  local offset = 0
  if zone ~= "Z" and zone ~= "z" then
    local sign, h, m = zone:match("^([+-])(%d%d):(%d%d)$")
    if not sign then return nil end
    offset = (sign == "-" and -1 or 1) * (tonumber(h) * 3600 + tonumber(m) * 60)
  end
  local date = days(math.tointeger(year), math.tointeger(month), math.tointeger(day))
  local seconds = date * 86400 + math.tointeger(hour) * 3600 + math.tointeger(minute) * 60 + math.tointeger(second)
  seconds = seconds - math.tointeger(offset)
  if fraction == "" then return seconds end
  return seconds + (tonumber("0" .. fraction) or 0)
end

--- "2030-01-02T03:04:05Z"; with `digits` (0 to 6) of a fraction, rounded down.
function rfc3339.format(seconds, digits)
  local whole = math.floor(seconds)
  local day = whole // 86400
  local rest = whole - day * 86400
  local year, month, date = civil(day)
  local text = ("%04d-%02d-%02dT%02d:%02d:%02d"):format(year, month, date, rest // 3600, rest // 60 % 60, rest % 60)
  if digits and digits > 0 then
    text = text .. (".%0" .. digits .. "d"):format(math.floor((seconds - whole) * 10 ^ digits))
  end
  return text .. "Z"
end

return rfc3339
