--- The series that /metrics shows beside the host's own: a registry, and its text in Prometheus' exposition format.
--
--   local registry = exported.new()
--   registry:set("flagger_canary_weight", { workload = "podinfo", namespace = "test" }, 20)
--   registry:render()

local families = require("exported.families")
local words = require("util.text")

local exported = {}

local LINE = 32               -- bytes of a line beside name and labels: a number, a suffix, an `le`
local MOST_BYTES = 15 << 20   -- of text; what is over that is dropped and counted
local LONGEST_VALUE = 256     -- bytes of a label value

local DROPPED = { name = "serin_series_dropped_total", type = "counter", help = "Writes of series that found no room." }

local exported_methods = {}
local exported_mt = { __index = exported_methods }

local ESCAPES = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }

local function number(value)
  if value ~= value then return "NaN" end
  if value == math.huge then return "+Inf" end
  if value == -math.huge then return "-Inf" end
  if math.type(value) == "integer" then return ("%d"):format(value) end
  local short = ("%.15g"):format(value)
  return tonumber(short) == value and short or ("%.17g"):format(value)
end

--- `a="1",b="2"`, sorted by name.
local function pairs_text(labels)
  local out = {}
  for name, value in pairs(labels) do
    out[#out + 1] = ('%s="%s"'):format(name, (words.cut(tostring(value), LONGEST_VALUE):gsub('[\\"\n]', ESCAPES)))
  end
  table.sort(out)
  return table.concat(out, ",")
end

--- A registry. Families are { name, type, help, buckets = } rows; others than those given cannot be written.
--- @param options table?  { families =, most = bytes }
function exported.new(options)
  options = options or {}
  local self = setmetatable({ families = {}, names = {}, index = {}, bytes = 0, most = options.most or MOST_BYTES,
    dropped = 0 }, exported_mt)
  for _, row in ipairs(options.families or families) do
    self.families[row[1]] = { name = row[1], type = row[2], help = row[3], buckets = row.buckets, series = {} }
    self.names[#self.names + 1] = row[1]
  end
  table.sort(self.names)
  return self
end

local function set_of(self, name, value)
  local values = self.index[name] or {}
  self.index[name] = values
  values[value] = values[value] or {}
  return values[value]
end

local function add(self, family, text, labels)
  local lines = family.buckets and #family.buckets + 3 or 1
  local series = { family = family, text = text, labels = {}, bytes = lines * (#family.name + #text + LINE), value = 0 }
  if self.bytes + series.bytes > self.most then
    self.dropped = self.dropped + 1
    return nil
  end
  if family.buckets then
    series.counts, series.n = {}, 0
    for index in ipairs(family.buckets) do series.counts[index] = 0 end
  end
  for name, value in pairs(labels) do
    series.labels[name] = tostring(value)
    set_of(self, name, series.labels[name])[series] = true
  end
  family.series[text], family.order, self.bytes = series, nil, self.bytes + series.bytes
  return series
end

--- The series of a name and labels, made when it is new; nil when there is no room for it.
local function series_of(self, name, labels, kind)
  local family = self.families[name] or error("no such family: " .. tostring(name), 3)
  if family.type ~= kind then error(("%s is a %s"):format(name, family.type), 3) end
  local text = pairs_text(labels)
  return family.series[text] or add(self, family, text, labels)
end

--- Sets a gauge.
function exported_methods:set(name, labels, value)
  local series = series_of(self, name, labels, "gauge")
  if series then series.value, series.shown = value, nil end
end

--- Adds `n` to a counter.
function exported_methods:count(name, labels, n)
  if n < 0 then error("a counter does not go down", 2) end
  local series = series_of(self, name, labels, "counter")
  if series then series.value, series.shown = series.value + n, nil end
end

--- Adds an observation to a histogram.
function exported_methods:observe(name, labels, seconds)
  local series = series_of(self, name, labels, "histogram")
  if not series then return end
  series.n, series.value, series.shown = series.n + 1, series.value + seconds, nil
  for index, bound in ipairs(series.family.buckets) do
    if seconds <= bound then
      series.counts[index] = series.counts[index] + 1
      return
    end
  end
end

local function has(series, labels)
  for name, value in pairs(labels) do
    if series.labels[name] ~= value then return false end
  end
  return true
end

local function drop(self, series)
  for name, value in pairs(series.labels) do
    local set = self.index[name][value]
    set[series] = nil
    if not next(set) then self.index[name][value] = nil end
  end
  series.family.series[series.text], series.family.order = nil, nil
  self.bytes = self.bytes - series.bytes
end

local function size(set)
  local n = 0
  for _ in pairs(set) do n = n + 1 end
  return n
end

--- Drops every series whose labels contain `labels`. Looks at those only that share the rarest of them.
function exported_methods:remove(labels)
  local rarest, fewest
  for name, value in pairs(labels) do
    local set = (self.index[name] or {})[value] or {}
    local n = size(set)
    if not fewest or n < fewest then rarest, fewest = set, n end
  end
  local gone = {}
  for series in pairs(rarest or {}) do
    if has(series, labels) then gone[#gone + 1] = series end
  end
  for _, series in ipairs(gone) do drop(self, series) end
end

local function in_order(family)
  if family.order then return family.order end
  local out = {}
  for text in pairs(family.series) do out[#out + 1] = text end
  table.sort(out)
  family.order = out
  return out
end

local function line(name, text, value)
  return ("%s%s %s"):format(name, text ~= "" and "{" .. text .. "}" or "", number(value))
end

local function histogram(series)
  local name, text, out = series.family.name, series.text, {}
  local lead, sum = text ~= "" and text .. "," or "", 0
  for index, bound in ipairs(series.family.buckets) do
    sum = sum + series.counts[index]
    out[#out + 1] = line(name .. "_bucket", ('%sle="%s"'):format(lead, number(bound)), sum)
  end
  out[#out + 1] = line(name .. "_bucket", lead .. 'le="+Inf"', series.n)
  out[#out + 1] = line(name .. "_sum", text, series.value)
  out[#out + 1] = line(name .. "_count", text, series.n)
  return table.concat(out, "\n")
end

--- The lines of a series, kept until it is written again: most of what is asked for has not changed since.
local function shown(series)
  if not series.shown then
    local family = series.family
    series.shown = family.buckets and histogram(series) or line(family.name, series.text, series.value)
  end
  return series.shown
end

local function add_head(out, family)
  out[#out + 1] = ("# HELP %s %s"):format(family.name, (family.help:gsub("[\\\n]", ESCAPES)))
  out[#out + 1] = ("# TYPE %s %s"):format(family.name, family.type)
end

--- The text of all series, in exposition format 0.0.4: families and series sorted, empty families left out.
function exported_methods:render()
  local out = {}
  for _, name in ipairs(self.names) do
    local family = self.families[name]
    local order = in_order(family)
    if #order > 0 then add_head(out, family) end
    for _, text in ipairs(order) do out[#out + 1] = shown(family.series[text]) end
  end
  add_head(out, DROPPED)
  out[#out + 1] = line(DROPPED.name, "", self.dropped)
  return table.concat(out, "\n") .. "\n"
end

return exported
