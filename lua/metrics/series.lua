--- Cumulative counters of both arms, for policies that count for themselves. Each process is a series of its own, so
-- that a restart is seen as one; an answer without series is no sample, never a zero.
--
-- The queries are fields of queries/<name>.lua:
--   arms      { canary =, primary = }: templates of what {{ workload }} stands for
--   counts    { query, code = label of the outcome, failed = Lua pattern of the codes that are failures }
--   buckets   { query, unit = "ms" | "s" }: a cumulative histogram, its bounds in `le`

local answer = require("metrics.answer")
local json = require("json")
local observer = require("metrics.observer")
local prometheus = require("metrics.prometheus")
local template = require("metrics.template")

local series = {}

local DEFAULT_SERVER = "http://prometheus:9090"
local LONGEST_KEY = 512 -- bytes

-- What a sample is called: as the builtin check of the same thing.
series.NAMES = { counts = "request-success-rate", buckets = "request-duration" }

--- True when the counters of both arms can be asked for; else nil and a message.
function series.supports(canary, settings)
  local queries, label = observer.of(canary, settings)
  if queries.counts then return true end
  return nil, ("expected a provider whose telemetry counts the requests of both arms, found %s"):format(label)
end

--- Labels as one text that is the same for the same process, without `skipped`.
local function key_of(labels, skipped)
  local parts = {}
  for name, value in pairs(labels) do
    if name ~= skipped and name ~= "__name__" then parts[#parts + 1] = ("%s=%s"):format(name, tostring(value)) end
  end
  table.sort(parts)
  return table.concat(parts, ","):sub(1, LONGEST_KEY)
end

--- { labels, t, value } of an element; nil for one that is no number; nil and a message for another thing.
local function element_of(element)
  local labels, value = element.metric, element.value
  if not answer.is_object(labels or {}) or type(value) ~= "table" or type(value[2]) ~= "string" then
    return nil, "element of the result has no labels or no value"
  end
  local number = answer.float(value[2])
  if type(value[1]) ~= "number" or not number then return nil, "value of the result is not a number" end
  if number ~= number or number < 0 or number == math.huge then return nil end
  return { labels = labels or {}, t = value[1] + 0.0, value = number }
end

--- The elements of an answer by process, in order: { { key, t, items = {element...} }... }; or nil, message.
local function processes(given, skipped)
  local result, message = prometheus.result(given)
  if not result then return nil, message end
  local order, by_key = {}, {}
  for _, one in ipairs(result) do
    local element, wrong = nil, "element of the result is not an object"
    if answer.is_object(one) then element, wrong = element_of(one) end
    if wrong then return nil, wrong end
    if element then
      local key = key_of(element.labels, skipped)
      local process = by_key[key]
      if not process then
        process = { key = key, t = element.t, items = {} }
        by_key[key], order[#order + 1] = process, process
      end
      process.items[#process.items + 1] = element
    end
  end
  table.sort(order, function(a, b) return a.key < b.key end)
  return order
end

local readers = {}

--- Whole numbers whose parts never fall while the counters rise.
function readers.counts(process, rule)
  local good, failed = 0, 0
  for _, item in ipairs(process.items) do
    if tostring(item.labels[rule.code] or ""):find(rule.failed) then
      failed = failed + item.value
    else
      good = good + item.value
    end
  end
  failed = math.floor(failed)
  return { counts = { total = math.floor(good) + failed, failed = failed } }
end

local function bound_of(item, unit)
  local bound = answer.float(tostring(item.labels.le or ""))
  if not bound or bound ~= bound then return nil end
  return unit == "s" and bound < math.huge and tonumber(("%.12g"):format(bound * 1000)) or bound
end

--- Bounds in milliseconds, ascending; nil for what is no histogram.
function readers.buckets(process, rule)
  local list = {}
  for index, item in ipairs(process.items) do
    local bound = bound_of(item, rule.unit)
    if not bound then return nil end
    list[index] = { bound, item.value }
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  local below, total = 0, 0
  for _, bucket in ipairs(list) do
    local own = bucket[2] - below
    below, total = bucket[2], total + math.floor(math.max(0, own))
    bucket[2] = total
  end
  return { buckets = list }
end

--- The samples of an answer; nil and a message when it cannot be read.
local function samples_of(given, field, arm, rule)
  local found, message = processes(given, field == "counts" and rule.code or "le")
  if not found then return nil, message end
  local out = {}
  for _, process in ipairs(found) do
    local sample = readers[field](process, rule)
    if sample then
      sample.name, sample.arm, sample.t, sample.series = series.NAMES[field], arm, process.t, process.key
      out[#out + 1] = sample
    end
  end
  return out
end

local function given(value)
  if value ~= json.null and value ~= "" then return value end
end

--- The request for one arm, or nil and a message.
local function request_of(canary, settings, now, queries, field, arm)
  local metric = { name = series.NAMES[field] }
  local model = observer.builtin_model(canary, metric, "1m", queries)
  local message
  model.workload, message = template.render(queries.arms[arm], model)
  if not model.workload then return nil, message end
  local query
  query, message = template.render(queries[field].query, model)
  if not query then return nil, message end
  local address = given(canary.metrics_server) or given(settings.metrics_server) or DEFAULT_SERVER
  return prometheus.request({ template = { spec = { provider = { type = "prometheus", address = address } } },
    query = query, variables = {}, now = now, metric = metric.name })
end

local function item(canary, settings, now, queries, field, arm)
  local name = ("%s of the %s"):format(series.NAMES[field], arm)
  local request, message = request_of(canary, settings, now, queries, field, arm)
  if not request then return { name = name, judge = function() return nil, message end } end
  return { name = name, request = request, judge = function(reply, why)
    if not reply then return nil, "request failed: " .. tostring(why) end
    return samples_of(reply, field, arm, queries[field])
  end }
end

--- What to ask: a list of { name, request?, judge(answer, message) -> samples | nil, message }.
--- @param histograms boolean  ask for buckets too
function series.plan(canary, settings, now, histograms)
  local queries, out = observer.of(canary, settings), {}
  for _, field in ipairs({ "counts", "buckets" }) do
    if queries[field] and (field == "counts" or histograms) then
      for _, arm in ipairs({ "canary", "primary" }) do
        out[#out + 1] = item(canary, settings, now, queries, field, arm)
      end
    end
  end
  return out
end

return series
