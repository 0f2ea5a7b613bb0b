--- What a clock on a wall shows.

local zone = require("util.zone")

local wall = {}

--- { year, month, day, hour, minute, second, weekday = 1 (Monday) to 7 } in a time zone; or nil, message, CODE.
--- @param place string    "Europe/Berlin"
--- @param seconds number  since the epoch
function wall.at(place, seconds)
  local where, message = zone.open(place)
  if not where then return nil, message, "INVALID" end
  local whole = math.floor(seconds)
  local at = os.date("!*t", whole + where:offset(whole))
  return { year = at.year, month = at.month, day = at.day, hour = at.hour, minute = at.min, second = at.sec,
    weekday = (at.wday + 5) % 7 + 1 }
end

return wall
