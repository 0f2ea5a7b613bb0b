--- When a Canary may move on: annotations that open windows and freeze.
--
--   serin.dev/window: "0 9 * * mon-fri for 8h in Europe/Berlin"     releases go on only then
--   serin.dev/freeze: "0 0 20 dec * for 400h in UTC; 0 12 * * fri for 60h"    and never then
--
-- Five fields of cron say when it begins, then how long it lasts (a week at most) and where (UTC without it); several
-- are separated by ";". A run that has begun keeps being judged and may be rolled back at any time.

local cron = require("util.cron")
local duration = require("util.duration")
local zone = require("util.zone")

local windows = {}

local WINDOW, FREEZE = "serin.dev/window", "serin.dev/freeze"
local LONGEST, HORIZON = 31 * 86400, 14 * 86400 -- seconds
local RECHECK = 3600

local function one(text)
  local fields, length, place = text:match("^%s*(.-)%s+for%s+(%S+)%s+in%s+(%S+)%s*$")
  if not fields then
    fields, length = text:match("^%s*(.-)%s+for%s+(%S+)%s*$")
    place = "UTC"
  end
  if not fields then return nil, ('expected "<minute hour day month weekday> for <duration> in <zone>", found %q')
    :format(text) end
  local parsed, message = cron.parse(fields)
  if not parsed then return nil, message end
  local seconds = duration.parse(length)
  if not seconds or seconds < 60 or seconds > LONGEST then
    return nil, ("expected a duration from 1m to 744h, found %s"):format(length)
  end
  local where
  where, message = zone.open(place)
  if not where then return nil, message end
  return { fields = parsed, seconds = math.floor(seconds), zone = where }
end

--- A list of windows, or nil and a message.
function windows.parse(text)
  local out = {}
  for part in (text .. ";"):gmatch("([^;]*);") do
    if part:find("%S") then
      local window, message = one(part)
      if not window then return nil, message end
      out[#out + 1] = window
    end
  end
  if #out == 0 then return nil, ("expected at least one window, found %q"):format(text) end
  return out
end

--- True when a window began so lately that it is still open.
local function open(window, now)
  local minute = now // 60 * 60
  for back = 0, window.seconds - 1, 60 do
    local at = minute - back
    if at + window.seconds > now and cron.matches(window.fields, at + window.zone:offset(at)) then return true end
  end
  return false
end

local function any_open(list, now)
  for _, window in ipairs(list) do
    if open(window, now) then return true end
  end
  return false
end

local function lists(annotations)
  local out = {}
  for key, name in pairs({ window = WINDOW, freeze = FREEZE }) do
    local text = annotations[name]
    if text ~= nil then
      local list, message = windows.parse(text)
      if not list then return nil, ("metadata.annotations.%s: %s"):format(name, message) end
      out[key] = list
    end
  end
  return out
end

local function is_open(parsed, now)
  if parsed.freeze and any_open(parsed.freeze, now) then return false end
  return parsed.window == nil or any_open(parsed.window, now)
end

--- Seconds until the state may change: to the next quarter of an hour that is open, or an hour.
local function wait(parsed, now)
  for at = (now // 900 + 1) * 900, math.min(now + HORIZON, now + RECHECK), 900 do
    if is_open(parsed, at) then return at - now end
  end
  return RECHECK
end

--- nil when the Canary may move on now. Else a stop that says why: { closed, after } or { problem, reason }.
function windows.closed(ctx)
  local annotations = ctx.object.metadata.annotations or {}
  if annotations[WINDOW] == nil and annotations[FREEZE] == nil then return nil end
  local parsed, message = lists(annotations)
  if not parsed then return { problem = message, reason = "Window" } end
  local now = math.floor(ctx.now)
  if is_open(parsed, now) then return nil end
  return { closed = parsed.freeze and any_open(parsed.freeze, now) and "freeze" or "window", after = wait(parsed, now) }
end

return windows
