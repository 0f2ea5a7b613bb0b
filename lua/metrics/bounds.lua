--- The thresholds of a metric: reading them, applying them, saying them.

local json = require("json")
local text = require("util.text")

local bounds = {}

local function absent(value) return value == nil or value == json.null end

local function shown(value)
  if type(value) == "table" then return json.is_array(value) and "a list" or "an object" end
  return type(value) == "string" and text.cut(value, 64) or tostring(value)
end

local function number(value, path)
  if type(value) == "number" and value == value then return value + 0.0 end
  return nil, ("%s: expected a number, found %s"):format(path, shown(value))
end

local function of_range(range, path)
  if type(range) ~= "table" or json.is_array(range) then
    return nil, ("%s: expected an object, found %s"):format(path, shown(range))
  end
  local out = {}
  for _, key in ipairs({ "min", "max" }) do
    if not absent(range[key]) then
      local message
      out[key], message = number(range[key], path .. "." .. key)
      if not out[key] then return nil, message end
    end
  end
  return out
end

--- { min =, max = } as floats, either absent; or nil and a message that names the field.
--- @param metric table    an entry of analysis.metrics
--- @param path string     where it stands, for the message
--- @param side string     "min" or "max": what a plain `threshold` is
function bounds.of(metric, path, side)
  if not absent(metric.thresholdRange) then return of_range(metric.thresholdRange, path .. ".thresholdRange") end
  local threshold = absent(metric.threshold) and 0 or metric.threshold
  local limit, message = number(threshold, path .. ".threshold")
  if not limit then return nil, message end
  return { [side] = limit }
end

-- The whole milliseconds that a Go duration can hold.
local MOST_MS = 9223372036854

--- A number of milliseconds as an integer: fractions dropped, what is out of range at its end.
function bounds.milliseconds(value)
  if value >= MOST_MS then return MOST_MS end
  if value <= -MOST_MS then return -MOST_MS end
  return math.tointeger(value >= 0 and math.floor(value) or math.ceil(value))
end

--- The same bounds in whole milliseconds.
function bounds.in_milliseconds(limits)
  return {
    min = limits.min and bounds.milliseconds(limits.min),
    max = limits.max and bounds.milliseconds(limits.max),
  }
end

--- nil when `value` is within, else "<" or ">" and the limit. A value equal to a limit is within.
function bounds.violated(limits, value)
  if limits.min and value < limits.min then return "<", limits.min end
  if limits.max and value > limits.max then return ">", limits.max end
end

--- The bounds as people read them: `>= 99`, `<= 500ms`, `>= 1 and <= 2`.
function bounds.rule(limits, unit)
  local parts = {}
  if limits.min then parts[1] = ">= " .. text.shortest(limits.min) .. unit end
  if limits.max then parts[#parts + 1] = "<= " .. text.shortest(limits.max) .. unit end
  return #parts > 0 and table.concat(parts, " and ") or "any value"
end

return bounds
