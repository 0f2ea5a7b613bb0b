--- Cron's five fields: minute, hour, day of the month, month, day of the week.
--
-- As in cron(5): lists, ranges, steps, names of months and days; of two restricted days either is enough.

local cron = {}

local NAMES = {
  month = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9, oct = 10, nov = 11,
    dec = 12 },
  weekday = { sun = 0, mon = 1, tue = 2, wed = 3, thu = 4, fri = 5, sat = 6 },
}

local FIELDS = { { "minute", 0, 59 }, { "hour", 0, 23 }, { "day", 1, 31 }, { "month", 1, 12 }, { "weekday", 0, 7 } }

local function number(text, field)
  local names = NAMES[field[1]]
  local value = names and names[text:lower()] or (text:find("^%d+$") and math.tointeger(text))
  if value and value >= field[2] and value <= field[3] then return value end
end

--- Adds "a", "a-b", "*", each with "/step", to `set`. False when it is none of them.
local function add(set, text, field)
  local range, step = text:match("^([^/]+)/(%d+)$")
  range, step = range or text, math.tointeger(step or 1)
  local first, last = range:match("^(%w+)%-(%w+)$")
  local low, high
  if range == "*" then
    low, high = field[2], field[3]
  elseif first then
    low, high = number(first, field), number(last, field)
  else
    low = number(range, field)
    high = step > 1 and field[3] or low
  end
  if not low or not high or low > high or step < 1 then return false end
  for value = low, high, step do set[value] = true end
  return true
end

local function field_of(text, field)
  local set = {}
  for item in (text .. ","):gmatch("([^,]*),") do
    if not add(set, item, field) then
      return nil, ("%s: expected values from %d to %d, found %s"):format(field[1], field[2], field[3], text)
    end
  end
  if field[1] == "weekday" and set[7] then set[0] = true end
  return set
end

--- Five fields as a table for cron.matches, or nil and a message.
function cron.parse(text)
  local out, count = {}, 0
  for word in text:gmatch("%S+") do
    count = count + 1
    local field = FIELDS[count]
    if not field then break end
    local set, message = field_of(word, field)
    if not set then return nil, message end
    out[field[1]] = set
    if field[1] == "day" then out.any_day = word:sub(1, 1) == "*" end
    if field[1] == "weekday" then out.any_weekday = word:sub(1, 1) == "*" end
  end
  if count ~= 5 then return nil, ("expected minute, hour, day, month and weekday, found %q"):format(text) end
  return out
end

--- Whether a time, in seconds since the epoch as the wall's clock shows it, is in a minute that is meant.
function cron.matches(fields, seconds)
  local at = os.date("!*t", math.floor(seconds))
  if not fields.minute[at.min] or not fields.hour[at.hour] or not fields.month[at.month] then return false end
  local day, weekday = fields.day[at.day] ~= nil, fields.weekday[at.wday - 1] ~= nil
  if fields.any_day or fields.any_weekday then return day and weekday end
  return day or weekday
end

return cron
