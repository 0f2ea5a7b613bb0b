--- Evaluates a PromQL tree at one moment.
--
-- `source(name)` gives the series of a metric: { labels =, at = function(t) -> value | nil, window = function(from, to)
-- -> { first_at, first, last_at, last, before_last_at, before_last, n, increase } | nil }.
-- A value is a number (a scalar) or a vector { { labels =, value = }, ... }.

local binary = require("sandbox.binary")

local evaluate = {}

local NAN = 0 / 0
local node_of = {}

local function run(node, context)
  if context.failed then return {} end
  return node_of[node.op](node, context)
end

local function fail(context, message)
  context.failed = context.failed or message
  return {}
end

local function is_selected(node, labels)
  for _, matcher in ipairs(node.matchers) do
    local value = matcher.label == "__name__" and node.name or labels[matcher.label] or ""
    if not matcher.test(value) then return false end
  end
  return true
end

--- The verdict on a series is kept in the node: the tree of a query is asked again and again.
local function selected(node, context)
  local out, verdicts = {}, node.verdicts or {}
  node.verdicts = verdicts
  for _, series in ipairs(context.source(node.name)) do
    if verdicts[series] == nil then verdicts[series] = is_selected(node, series.labels) end
    if verdicts[series] then out[#out + 1] = series end
  end
  return out
end

node_of.number = function(node) return node.value end

node_of.selector = function(node, context)
  if node.range then return fail(context, "invalid expression type \"range vector\" for instant query") end
  local out = {}
  for _, series in ipairs(selected(node, context)) do
    local value = series.at(context.now)
    if value then out[#out + 1] = { labels = series.labels, value = value, name = node.name } end
  end
  return out
end

--- Prometheus' extrapolation of a counter's increase to the borders of the range.
local function extrapolated(window, from, to)
  local sampled = window.last_at - window.first_at
  local average = sampled / (window.n - 1)
  local to_start, to_end = window.first_at - from, to - window.last_at
  local threshold = average * 1.1
  if to_start >= threshold then to_start = average / 2 end
  if window.increase > 0 and window.first >= 0 then
    to_start = math.min(to_start, sampled * (window.first / window.increase))
  end
  if to_end >= threshold then to_end = average / 2 end
  return window.increase * (sampled + to_start + to_end) / sampled
end

local RANGED = {
  increase = extrapolated,
  rate = function(window, from, to) return extrapolated(window, from, to) / (to - from) end,
  irate = function(window)
    local difference = window.last - window.before_last
    if difference < 0 then difference = window.last end
    return difference / (window.last_at - window.before_last_at)
  end,
}

local function ranged(node, context)
  local arg = node.args[1]
  if arg.op ~= "selector" or not arg.range then
    return fail(context, ("expected type range vector in call to function %q, got instant vector"):format(node.name))
  end
  local from, out = context.now - arg.range, {}
  for _, series in ipairs(selected(arg, context)) do
    local window = series.window(from, context.now)
    if window and window.n >= 2 then
      out[#out + 1] = { labels = series.labels, value = RANGED[node.name](window, from, context.now) }
    end
  end
  return out
end

local function map(value, apply)
  if type(value) == "number" then return apply(value) end
  local out = {}
  for index, item in ipairs(value) do out[index] = { labels = item.labels, value = apply(item.value) } end
  return out
end

local function signature(labels)
  local parts = {}
  for key, value in pairs(labels) do parts[#parts + 1] = key .. "\1" .. value end
  table.sort(parts)
  return table.concat(parts, "\2")
end

local function set_of(names)
  local out = {}
  for _, name in ipairs(names) do out[name] = true end
  return out
end

--- Groups in the order in which they are first met: { { labels =, values = }, ... }.
local function grouped(vector, labels_of)
  local order, by_key = {}, {}
  for _, item in ipairs(vector) do
    local labels = labels_of(item.labels)
    local key = signature(labels)
    local group = by_key[key]
    if not group then
      group = { labels = labels, items = {} }
      by_key[key], order[#order + 1] = group, group
    end
    group.items[#group.items + 1] = item
  end
  return order
end

local function keeping(names)
  return function(labels)
    local out = {}
    for _, name in ipairs(names) do out[name] = labels[name] end
    return out
  end
end

local function dropping(names)
  local skip = set_of(names)
  return function(labels)
    local out = {}
    for key, value in pairs(labels) do
      if not skip[key] then out[key] = value end
    end
    return out
  end
end

local FOLDS = {
  sum = function(a, b) return a + b end,
  avg = function(a, b) return a + b end,
  count = function(a) return a + 1 end,
  min = function(a, b) return (b < a or a ~= a) and b or a end,
  max = function(a, b) return (b > a or a ~= a) and b or a end,
}

node_of.aggregate = function(node, context)
  local vector = run(node.arg, context)
  if type(vector) == "number" then return fail(context, "expected type instant vector in aggregation expression") end
  local out = {}
  for index, group in ipairs(grouped(vector, node.without and dropping(node.without) or keeping(node.by or {}))) do
    local total = node.name == "count" and 1 or group.items[1].value
    for at = 2, #group.items do total = FOLDS[node.name](total, group.items[at].value) end
    out[index] = { labels = group.labels, value = node.name == "avg" and total / #group.items or total }
  end
  return out
end

local function bucket_quantile(q, buckets)
  if q ~= q then return NAN end
  if q < 0 then return -math.huge end
  if q > 1 then return math.huge end
  table.sort(buckets, function(a, b) return a.le < b.le end)
  local last = #buckets
  if last < 2 or buckets[last].le ~= math.huge then return NAN end
  local most = buckets[1].count
  for _, bucket in ipairs(buckets) do
    most = math.max(most, bucket.count)
    bucket.count = most
  end
  if most == 0 or most ~= most then return NAN end
  local rank, at = q * most, 1
  while at < last and buckets[at].count < rank do at = at + 1 end
  if at == last then return buckets[last - 1].le end
  if at == 1 and buckets[1].le <= 0 then return buckets[1].le end
  local start, below = 0, 0
  if at > 1 then start, below = buckets[at - 1].le, buckets[at - 1].count end
  return start + (buckets[at].le - start) * ((rank - below) / (buckets[at].count - below))
end

local function le_of(text)
  if text == "+Inf" or text == "Inf" then return math.huge end
  return tonumber(text or "")
end

local function histogram_quantile(q, vector)
  local out = {}
  for _, group in ipairs(grouped(vector, dropping({ "le" }))) do
    local buckets = {}
    for _, item in ipairs(group.items) do
      local le = le_of(item.labels.le)
      if le then buckets[#buckets + 1] = { le = le, count = item.value } end
    end
    if #buckets > 0 then out[#out + 1] = { labels = group.labels, value = bucket_quantile(q, buckets) } end
  end
  return out
end

local CALLS = {
  histogram_quantile = histogram_quantile,
  vector = function(value) return { { labels = {}, value = value } } end,
  scalar = function(vector) return #vector == 1 and vector[1].value or NAN end,
  time = function(_, _, context) return context.now end,
  abs = function(value) return map(value, math.abs) end,
  ceil = function(value) return map(value, function(v) return v ~= v and v or math.ceil(v) + 0.0 end) end,
  floor = function(value) return map(value, function(v) return v ~= v and v or math.floor(v) + 0.0 end) end,
  round = function(value) return map(value, function(v) return v ~= v and v or math.floor(v + 0.5) + 0.0 end) end,
  clamp_min = function(value, low) return map(value, function(v) return v ~= v and v or math.max(v, low) end) end,
  clamp_max = function(value, high) return map(value, function(v) return v ~= v and v or math.min(v, high) end) end,
  absent = function(vector) return #vector > 0 and {} or { { labels = {}, value = 1.0 } } end,
}
local SCALAR_ARGS = { vector = { true }, histogram_quantile = { true, false }, clamp_min = { false, true },
  clamp_max = { false, true }, scalar = { false }, absent = { false } }

node_of.call = function(node, context)
  if RANGED[node.name] then return ranged(node, context) end
  local args = {}
  for index, arg in ipairs(node.args) do
    args[index] = run(arg, context)
    local wanted = (SCALAR_ARGS[node.name] or {})[index]
    if context.failed then return {} end
    if wanted ~= nil and wanted ~= (type(args[index]) == "number") then
      return fail(context, ("expected type %s in call to function %q"):format(
        wanted and "scalar" or "instant vector", node.name))
    end
  end
  return CALLS[node.name](args[1], args[2], context)
end

node_of.negate = function(node, context)
  return map(run(node.arg, context), function(value) return -value end)
end

local TOOLS = { signature = signature, keeping = keeping, dropping = dropping, run = run, fail = fail }

node_of.binary = function(node, context)
  return binary.evaluate(node, context, TOOLS)
end

--- The value of `tree` at `now`: a number or a vector; or nil and a message.
function evaluate.at(tree, now, source)
  local context = { now = now, source = source }
  local value = run(tree, context)
  if context.failed then return nil, context.failed end
  return value
end

return evaluate
