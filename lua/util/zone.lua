--- Time zones of the system's database: what a clock on a wall shows.
--
-- Files are TZif (RFC 9636); behind their last transition goes the rule of their footer (POSIX TZ, rules "Mm.w.d").

local zone = {}

local zone_methods = {}
local zone_mt = { __index = zone_methods }

local FOLDER = "/usr/share/zoneinfo/"
local MAX_SIZE = 65536
local DAY = 86400

-- "TZif", version, 15 unused bytes, six counts
local HEADER = ">c4c1c15I4I4I4I4I4I4"

local function header(data, at)
  local magic, version, _, ut, std, leap, times, types, chars, next_at = HEADER:unpack(data, at)
  if magic ~= "TZif" then return nil end
  return { version = version, ut = ut, std = std, leap = leap, times = times, types = types, chars = chars,
    at = next_at }
end

local function size(h, width)
  return h.times * (width + 1) + h.types * 6 + h.chars + h.leap * (width + 4) + h.std + h.ut
end

--- Seconds of "[+-]hh[:mm[:ss]]", and where the text goes on.
local function clock(text, at)
  local sign, h, m, s, after = text:match("^([+-]?)(%d+):?(%d*):?(%d*)()", at)
  if not h then return nil end
  local seconds = math.tointeger(h) * 3600 + (math.tointeger(m) or 0) * 60 + (math.tointeger(s) or 0)
  return sign == "-" and -seconds or seconds, after
end

local function rule(text)
  local month, week, day, time = text:match("^M(%d+)%.(%d)%.(%d)(.*)$")
  if not month then return nil end
  local seconds = 7200
  if time ~= "" then seconds = clock(time, 2) end
  return { month = math.tointeger(month), week = math.tointeger(week), day = math.tointeger(day), seconds = seconds }
end

--- "CET-1CEST,M3.5.0,M10.5.0/3" as { offset, summer?, from?, to? }; seconds east of Greenwich.
local function footer(text)
  local function name(at)
    return text:match("^<[%w+-]+>()", at) or text:match("^%a+()", at)
  end
  local at = name(1)
  local west, after = clock(text, at or 1)
  if not at or not west then return nil end
  local out = { offset = -west }
  at = name(after)
  if not at then return out end
  out.summer = out.offset + 3600
  west, after = clock(text, at)
  if west then out.summer, at = -west, after end
  local from, to = text:match("^,([^,]+),([^,]+)$", at)
  out.from, out.to = rule(from or ""), rule(to or "")
  return out.from and out.to and out or nil
end

local function days(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = year // 400
  local of_era = year - era * 400
  local of_year = (153 * (month + (month > 2 and -3 or 9)) + 2) // 5 + day - 1
  return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
end

--- Local seconds since the epoch at which a rule applies in a year.
local function moment(year, r)
  local first = days(year, r.month, 1)
  local weekday = (first + 4) % 7 -- 1970-01-01 was a Thursday
  local day = first + (r.day - weekday) % 7 + (r.week - 1) * 7
  local following = r.month == 12 and days(year + 1, 1, 1) or days(year, r.month + 1, 1)
  if day >= following then day = day - 7 end
  return day * DAY + r.seconds
end

local function by_rule(f, now)
  if not f.summer then return f.offset end
  local year = 1970 + math.floor((now + f.offset) / (365.2425 * DAY))
  local from, to = moment(year, f.from) - f.offset, moment(year, f.to) - f.summer
  local summer
  if from < to then summer = now >= from and now < to else summer = now >= from or now < to end
  return summer and f.summer or f.offset
end

--- Seconds east of Greenwich at `now`, in seconds since the epoch.
function zone_methods:offset(now)
  local times = self.times
  if #times == 0 or now >= times[#times] then
    return self.footer and by_rule(self.footer, now) or self.offsets[#times] or self.first
  end
  if now < times[1] then return self.first end
  local low, high = 1, #times
  while high - low > 1 do
    local middle = (low + high) // 2
    if times[middle] <= now then low = middle else high = middle end
  end
  return self.offsets[low]
end

local function parse(data)
  if #data < 44 then return nil end
  local h = header(data, 1)
  if not h or h.version < "2" then return nil end
  local at = h.at + size(h, 4)
  h = #data >= at + 43 and header(data, at)
  if not h or h.at + size(h, 8) > #data then return nil end
  local times, offsets, kinds = {}, {}, {}
  for i = 1, h.times do times[i] = (">i8"):unpack(data, h.at + (i - 1) * 8) end
  local types_at = h.at + h.times * 9
  for i = 1, h.types do kinds[i] = (">i4"):unpack(data, types_at + (i - 1) * 6) end
  for i = 1, h.times do offsets[i] = kinds[data:byte(h.at + h.times * 8 + i - 1) + 1] end
  local text = data:sub(h.at + size(h, 8)):match("^\n([^\n]*)\n")
  return setmetatable({ times = times, offsets = offsets, first = kinds[1], footer = footer(text or "") }, zone_mt)
end

local UTC = setmetatable({ times = {}, offsets = {}, first = 0 }, zone_mt)

--- A zone by its name ("Europe/Berlin"; "UTC" needs no database), or nil and a message.
--- @param folder string?  where the database is
function zone.open(name, folder)
  if name == "UTC" then return UTC end
  if type(name) ~= "string" or not (name .. "/"):find("^[%w_+-]+/[%w_+/-]*$") then
    return nil, ("expected the name of a time zone, found %s"):format(tostring(name))
  end
  local file = io.open((folder or FOLDER) .. name, "rb")
  local data = file and file:read(MAX_SIZE)
  if file then file:close() end
  local out = data and parse(data)
  if not out then return nil, ("expected a time zone of the system's database, found %s"):format(name) end
  return out
end

return zone
