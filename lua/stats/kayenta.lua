--- The judge of Kayenta (NetflixACAJudge-v1.0), with the same answers for the same data: where Kayenta adds noise to
--- two constant arms, and looks for the ends of its interval by a root finder, this decides directly.
--
-- Made for equal traffic on both arms: on ratios of unequal traffic Mann & Whitney's test finds differences that are
-- none. It takes values for independent; minutes of a time series are not.

local check = require("stats.check")
local mann_whitney = require("stats.mann_whitney")

local kayenta = {}

local TOLERANCE, CONFIDENCE = 0.25, 0.98 -- as Kayenta has them
local MOST = 200 -- values of an arm

--- A quantile of sorted values by R's type 7.
local function quantile(sorted, q)
  local at = 1 + (#sorted - 1) * q
  local low = math.floor(at)
  local high = math.min(#sorted, low + 1)
  return sorted[low] + (at - low) * (sorted[high] - sorted[low])
end

--- Without the values outside [min(P1, Q1 - 3 IQR), max(P99, Q3 + 3 IQR)].
local function without_outliers(values)
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local q1, q3 = quantile(sorted, 0.25), quantile(sorted, 0.75)
  local low = math.min(quantile(sorted, 0.01), q1 - 3 * (q3 - q1))
  local high = math.max(quantile(sorted, 0.99), q3 + 3 * (q3 - q1))
  local out = {}
  for _, value in ipairs(values) do
    if value >= low and value <= high then out[#out + 1] = value end
  end
  return out
end

--- The finite values; NaN is dropped, or 0 with `replace`. At most the last 200.
local function cleaned(values, options)
  local out = {}
  for index = math.max(1, #values - MOST + 1), #values do
    local value = values[index]
    if check.is_finite(value) then
      out[#out + 1] = value
    elseif options.nan == "replace" then
      out[#out + 1] = 0
    end
  end
  if options.outliers == "remove" and #out > 0 then out = without_outliers(out) end
  return out
end

local function mean(values)
  local sum = 0
  for _, value in ipairs(values) do sum = sum + value end
  return sum / #values
end

--- True when both hold the same values, whatever their order.
local function identical(x, y)
  if #x ~= #y then return false end
  local a, b = table.move(x, 1, #x, 1, {}), table.move(y, 1, #y, 1, {})
  table.sort(a)
  table.sort(b)
  for index, value in ipairs(a) do
    if value ~= b[index] then return false end
  end
  return true
end

local function constant(values)
  for _, value in ipairs(values) do
    if value ~= values[1] then return false end
  end
  return true
end

--- nil when both means are not 0, as Kayenta's NaN.
local function mean_ratio(x, y)
  local c, b = mean(x), mean(y)
  if c == 0 or b == 0 then return nil end
  return c / b
end

local function shift_of(x, y)
  if constant(x) and constant(y) then
    local shift = x[1] - y[1]
    return { estimate = shift, low = shift, high = shift }
  end
  return mann_whitney.shift(x, y, 1 - CONFIDENCE)
end

--- Does an effect size pass its threshold? An unknown one (a mean of 0) always does.
local function beyond(effect, limit, up)
  if effect == nil then return true end
  if up then return effect >= limit end
  return effect <= limit
end

local function side(shift, direction)
  local band = TOLERANCE * math.abs(shift.estimate)
  if direction ~= "decrease" and shift.low > band then return "High" end
  if direction ~= "increase" and shift.high < -band then return "Low" end
end

local function empty(x, y, options)
  if #x > 0 and #y > 0 then return nil end
  if options.nan == "replace" then return { label = "Pass", critical = false, reason = "an arm has no values" } end
  local label = options.must_have_data and not options.critical and "NodataFailMetric" or "Nodata"
  return { label = label, critical = options.critical or false, reason = "an arm has no values" }
end

--- One metric: canary values against primary values.
--- @param options table?  { direction = "either" | "increase" | "decrease" (which change is bad), nan = "remove" |
---   "replace", outliers = "keep" | "remove", critical, must_have_data, allowed_increase = 1, allowed_decrease = 1,
---   critical_increase = 1, critical_decrease = 1 (mean ratios) }
--- @return table  { label = "Pass" | "High" | "Low" | "Nodata" | "NodataFailMetric", critical = true when it alone
---   fails the canary, ratio = of the means, shift?, n, m, reason }; or nil, message
function kayenta.metric(canary, primary, options)
  options = options or {}
  if type(canary) ~= "table" or type(primary) ~= "table" or type(options) ~= "table" then
    return nil, "canary, primary, options: expected tables"
  end
  local x, y = cleaned(canary, options), cleaned(primary, options)
  local out = empty(x, y, options)
  if out then
    out.n, out.m = #x, #y
    return out
  end
  out = { label = "Pass", critical = false, n = #x, m = #y, reason = "no difference" }
  if identical(x, y) then return out end
  local message
  out.shift, message = shift_of(x, y)
  if not out.shift then return nil, message end
  out.ratio = mean_ratio(x, y)
  local found = side(out.shift, options.direction or "either")
  local up = found == "High"
  if not found or not beyond(out.ratio, up and options.allowed_increase or options.allowed_decrease or 1, up) then
    return out
  end
  out.label, out.reason = found, up and "larger than the primary" or "smaller than the primary"
  out.critical = options.critical == true
    and beyond(out.ratio, up and options.critical_increase or options.critical_decrease or 1, up)
  return out
end

--- The score of all metrics: 100 passed / judged. 0 when a critical one fails, or when half of them have no data.
--- @param judged table  what `kayenta.metric` gave, one each
--- @return number  0 to 100, two decimals; and why it is 0, if for one of these reasons; or nil, message
function kayenta.score(judged)
  local bad = check.tables("judged", judged, 1000)
  if bad then return nil, bad end
  local passed, counted, silent = 0, 0, 0
  for _, metric in ipairs(judged) do
    if metric.critical then return 0.0, "a critical metric failed" end
    if metric.label == "Nodata" then silent = silent + 1 else counted = counted + 1 end
    if metric.label == "Pass" then passed = passed + 1 end
  end
  if silent * 2 >= #judged then return 0.0, "half of the metrics have no data" end
  return math.floor(10000 * passed / counted + 0.5) / 100
end

return kayenta
