--- Times as HTTP headers write them: "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).

local rfc3339 = require("util.rfc3339")

local http_date = {}

local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11,
  Dec = 12 }

--- Seconds since the epoch, or nil when the text is not such a time.
function http_date.parse(text)
  local day, name, year, clock = text:match("^%a%a%a, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$")
  local month = MONTHS[name or ""]
  return month and rfc3339.parse(("%s-%02d-%sT%sZ"):format(year, month, day, clock)) or nil
end

return http_date
