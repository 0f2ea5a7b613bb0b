--- From an observed value to a verdict, in Flagger's words.

local bounds = require("metrics.bounds")
local duration = require("util.duration")
local text = require("util.text")

local judge = {}

local NO_VALUES = "no values found"
local SILENT = "Halt advancement no values found for %s metric %s probably %s is not receiving traffic"
local NOTHING_USABLE = "Metric query failed for no usable metrics template and query were configured"

-- A kind of check: which side a plain `threshold` is on, the unit of the rule, and its messages. `it` is the item's
-- { canary, metric, label = provider as messages call it, queries, ref = template }.
local kinds = {}

local function on_canary(it) return it.canary.name .. "." .. it.canary.namespace end
local function on_target(it) return it.canary.target.name .. "." .. it.canary.namespace end

local function wrapped(message) return "running query failed: " .. message end

kinds["success-rate"] = {
  side = "min", unit = "",
  broken = function(it, value, sign, limit)
    return ("Halt %s advancement success rate %s%% %s %s%%"):format(on_canary(it), text.fixed2(value), sign,
      text.shortest(limit))
  end,
  nodata = function(it)
    return SILENT:format(it.label, "request-success-rate", on_target(it)) .. ": "
      .. (it.queries.bare_errors and NO_VALUES or wrapped(NO_VALUES))
  end,
  failed = function(it, message)
    return "Prometheus query failed: " .. (it.queries.bare_errors and message or wrapped(message))
  end,
}

local function of_milliseconds(value)
  if value % 1000 == 0 then return duration.format(value // 1000) end
  return duration.format(value / 1000)
end

kinds.duration = {
  side = "max", unit = "ms",
  broken = function(it, value, sign, limit)
    return ("Halt %s advancement request duration %s %s %s"):format(on_canary(it), of_milliseconds(value), sign,
      of_milliseconds(limit))
  end,
  nodata = function(it) return SILENT:format(it.label, "request-duration", on_target(it)) end,
  failed = function(_, message) return "Prometheus query failed: " .. wrapped(message) end,
}

local function plain_broken(it, value, sign, limit)
  return ("Halt %s advancement %s %s %s %s"):format(on_canary(it), it.metric.name, text.fixed2(value), sign,
    text.shortest(limit))
end

kinds.query = {
  side = "max", unit = "", broken = plain_broken,
  nodata = function(it) return "Halt advancement no values found for metric: " .. it.metric.name end,
  failed = function(it, message) return ("Prometheus query failed for %s: %s"):format(it.metric.name, message) end,
}

kinds.template = {
  side = "max", unit = "", broken = plain_broken,
  nodata = function(it)
    return ("Halt advancement no values found for custom metric: %s: %s"):format(it.metric.name, NO_VALUES)
  end,
  failed = function(it, message) return ("Metric query failed for %s: %s"):format(it.metric.name, message) end,
}

local function verdict(it, word, message)
  return { verdict = word, name = it.metric.name, query = it.query, rule = it.rule, message = message }
end

--- An error verdict with a whole message.
function judge.error(it, message) return verdict(it, "error", message) end

--- The verdict for an entry that names nothing to ask.
function judge.nothing_usable(it) return judge.error(it, NOTHING_USABLE) end

--- An error verdict: why there was no value to look at.
function judge.failed(it, message) return judge.error(it, kinds[it.kind].failed(it, message)) end

--- Fills it.limits and it.rule. Returns true, or nil and a message.
function judge.prepare(it, path)
  local kind = kinds[it.kind]
  local message
  it.limits, message = bounds.of(it.metric, path, kind.side)
  if not it.limits then return nil, message end
  if it.kind == "duration" then it.limits = bounds.in_milliseconds(it.limits) end
  it.rule = bounds.rule(it.limits, kind.unit)
  return true
end

--- The value as it is compared, and as the gauge wants it.
local function measured(it, value)
  if it.kind ~= "duration" then return value, value end
  local ms = bounds.milliseconds(it.queries.duration_unit == "s" and value * 1000 or value)
  return ms, ms / 1000
end

local function is_infinite(value) return value == math.huge or value == -math.huge end

--- The verdict without a value. Of an entry that wants requests there were fewer.
local function silent(it)
  local least = it.metric.minRequests
  if least == nil then return verdict(it, "nodata", kinds[it.kind].nodata(it)) end
  return verdict(it, "nodata", ("Halt %s advancement %s: fewer than %d requests in %s"):format(on_canary(it),
    it.metric.name, least, it.metric.interval or "1m"))
end

--- The verdict on a number.
function judge.value(it, number)
  if number ~= number then return silent(it) end
  local value, gauge = measured(it, number)
  local sign, limit = bounds.violated(it.limits, value)
  local out = verdict(it, "pass")
  out.value, out.gauge = value, gauge
  if sign then
    out.verdict, out.message = "fail", kinds[it.kind].broken(it, value, sign, limit)
  elseif it.kind == "duration" and is_infinite(number) then
    -- an infinite time is no answer in time, whatever the bounds say
    out.verdict = "fail"
    out.message = ("Halt %s advancement request duration %s is not finite"):format(on_canary(it), text.shortest(number))
  end
  return out
end

--- The verdict on what a provider's `parse` gave.
function judge.parsed(it, number, message)
  if number then return judge.value(it, number) end
  if message == NO_VALUES then return silent(it) end
  return judge.failed(it, message)
end

return judge
