--- Stated traffic: `rps=50 canary.errors=2% at=10m canary.errors=20% prometheus=down:5m..8m`.
--
--   rps=N                     requests per second of users at the apex (default 100)
--   tests=N                   requests per second of a load test at the canary's Service (default 0)
--   errors=S, latency=D       of both arms; canary.errors, primary.errors, canary.latency, primary.latency of one:
--                             `2%` or a share `0.02`; a duration `120ms` (default 0 and 5ms)
--   metric.NAME=X             what the query of the metric NAME is answered
--   prometheus=down|up        whether metrics can be asked
--   hooks=down|up             whether webhooks can be reached
--   at=D                      what follows holds from then on; times count from the new revision on
--   KEY=VALUE:FROM..TO        holds in that time only
-- Words stand between blanks or lines; # begins a comment.

local duration = require("util.duration")
local nearest = require("util.nearest")
local text = require("util.text")

local stated_traffic = {}

local MOST_CHANGES = 200

local readers = {}

local function between(value, low, high)
  return value and value == value and value >= low and value <= high and value or nil
end

function readers.rate(value) return between(tonumber(value), 0, 1e6), "a number from 0 to 1000000" end

function readers.share(value)
  local number = value:match("^(.*)%%$")
  local share = number and tonumber(number) and tonumber(number) / 100 or tonumber(value)
  return between(share, 0, 1), "a share like 2% or 0.02"
end

function readers.latency(value) return between(duration.parse(value), 0, 3600), "a duration like 120ms" end

function readers.number(value)
  local number = tonumber(value)
  return number and number == number and number or nil, "a number"
end

function readers.up(value)
  if value == "down" then return false end
  if value == "up" then return true end
  return nil, "down or up"
end

-- key -> reader, the fields of the state it sets
local KEYS = {
  rps = { "rate", "rps" }, tests = { "rate", "tests" },
  errors = { "share", "canary_errors", "primary_errors" }, latency = { "latency", "canary_latency", "primary_latency" },
  ["canary.errors"] = { "share", "canary_errors" }, ["primary.errors"] = { "share", "primary_errors" },
  ["canary.latency"] = { "latency", "canary_latency" }, ["primary.latency"] = { "latency", "primary_latency" },
  prometheus = { "up", "prometheus" }, hooks = { "up", "hooks" }, at = { "latency" },
}

local BASE = { rps = 100, tests = 0, canary_errors = 0.0, primary_errors = 0.0, canary_latency = 0.005,
  primary_latency = 0.005, prometheus = true, hooks = true }

local function rule_of(key)
  local metric = key:match("^metric%.(.+)$")
  if metric then return { "number", "metric " .. metric } end
  return KEYS[key]
end

local function unknown(word, key)
  local close = nearest.of(key, KEYS)
  return ("%s: expected one of at, errors, hooks, latency, metric.NAME, prometheus, rps, tests and canary. or primary. "
    .. "before errors and latency, found %s%s"):format(text.cut(word, 64), text.cut(key, 64),
    close and (" (did you mean %s?)"):format(close) or "")
end

--- value, from, to of `VALUE:FROM..TO`; or nil, nil, nil and a message.
local function ranged(word, value)
  local plain, from, to = value:match("^(.-):([^:]*)%.%.([^:]*)$")
  if not plain then return value end
  local first, last = duration.parse(from), duration.parse(to)
  if not first or not last or first < 0 or last <= first then
    return nil, nil, nil, ("%s: expected a time like 5m..8m, found %s..%s"):format(text.cut(word, 64),
      text.cut(from, 32), text.cut(to, 32))
  end
  return plain, first, last
end

--- Adds what one word says. Returns the time that the next words count from, or nil and a message.
local function take(changes, word, at)
  local key, value = word:match("^([^=]+)=(.+)$")
  if not key then return nil, ("expected KEY=VALUE, found %q"):format(text.cut(word, 64)) end
  local rule = rule_of(key)
  if not rule then return nil, unknown(word, key) end
  if key == "at" then
    local seconds = duration.parse(value)
    if seconds and seconds >= at then return seconds end
    return nil, ("%s: expected a time from %s on, found %s"):format(text.cut(word, 64), duration.format(at),
      text.cut(value, 32))
  end
  local plain, from, to, message = ranged(word, value)
  if message then return nil, message end
  local read, expected = readers[rule[1]](plain)
  if read == nil then
    return nil, ("%s: expected %s, found %q"):format(text.cut(key, 64), expected, text.cut(plain, 32))
  end
  for index = 2, #rule do
    changes[#changes + 1] = { field = rule[index], value = read, from = from or at, to = to or math.huge,
      ranged = to ~= nil }
  end
  if #changes > MOST_CHANGES then return nil, ("expected at most %d settings"):format(MOST_CHANGES) end
  return at
end

--- The state from `time` on: what was said for good first, then what was said for a while.
local function state_at(changes, time)
  local out = {}
  for key, value in pairs(BASE) do out[key] = value end
  for _, for_a_while in ipairs({ false, true }) do
    for _, change in ipairs(changes) do
      if change.ranged == for_a_while and change.from <= time and time < change.to then
        out[change.field] = change.value
      end
    end
  end
  return out
end

--- { { from, to, rps, tests, canary_errors, ... }, ... } that follow each other from 0 to infinity, and `metrics` = the
--- names that have values; or nil and a message.
function stated_traffic.parse(source)
  local changes, at, message = {}, 0
  for word in (source .. "\n"):gsub("#[^\n]*\n", "\n"):gmatch("%S+") do
    at, message = take(changes, word, at)
    if not at then return nil, message end
  end
  local set, times, metrics = { [0] = true }, { 0 }, {}
  for _, change in ipairs(changes) do
    local metric = change.field:match("^metric (.*)$")
    if metric then metrics[metric] = true end
    for _, time in ipairs({ change.from, change.to }) do
      if time < math.huge and not set[time] then
        set[time] = true
        times[#times + 1] = time
      end
    end
  end
  table.sort(times)
  local out = { metrics = metrics }
  for index, time in ipairs(times) do
    out[index] = state_at(changes, time)
    out[index].from, out[index].to = time, times[index + 1] or math.huge
  end
  return out
end

--- True when the canary is never worse than the primary: then each rollback is a false alarm.
function stated_traffic.is_fair(segments)
  for _, state in ipairs(segments) do
    if state.canary_errors > state.primary_errors or state.canary_latency > state.primary_latency then return false end
  end
  return true
end

return stated_traffic
