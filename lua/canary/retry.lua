--- When an http request is worth another try, and how long to wait before it.

local http_date = require("util.http_date")

local retry = {}

local MAX_PAUSE = 30 -- seconds

--- True for an answer that may be another one a moment later: too many requests, a failure of the server.
function retry.worth(answer)
  return answer.status == 429 or (answer.status >= 500 and answer.status ~= 501)
end

--- Seconds before the next try: what the answer asks for, as a number or a date, else 1, 2, 4 and so on; 30 at most.
--- @param answer table?  nil when none came
--- @param try integer    how many were made
--- @param now number     seconds since the epoch
function retry.pause(answer, try, now)
  local header = answer and (answer.status == 429 or answer.status == 503) and answer.headers["retry-after"]
  local asked = header and (tonumber(header) or http_date.parse(header) and http_date.parse(header) - now)
  return math.max(0, math.min(asked or 2 ^ (try - 1), MAX_PAUSE))
end

return retry
