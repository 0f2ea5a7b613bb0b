--- A Prometheus that has scraped the traffic model each second: answers instant queries.

local counter = require("sandbox.counter")
local evaluate = require("sandbox.evaluate")
local families = require("sandbox.families")
local json = require("json")
local promql = require("sandbox.promql")

local prometheus = {}

local prometheus_methods = {}
local prometheus_mt = { __index = prometheus_methods }

local NAN = 0 / 0

--- `answer`: nil, or function(query) -> a number, "nan", nil for no data, or nil and a message for a failure;
--- return `prometheus.pass` from it to let the query be evaluated.
function prometheus.new(world)
  return setmetatable({ world = world, given = {}, trees = {}, followed = {}, queries = {}, down = false },
    prometheus_mt)
end

prometheus.pass = {}

--- Adds a series of a scenario's own: samples = { { time, value }, ... } in the order of time.
function prometheus_methods:push(name, labels, samples)
  self.given[name] = self.given[name] or {}
  table.insert(self.given[name], counter.samples(labels, samples))
end

local function key_of(labels)
  local parts = {}
  for key, value in pairs(labels) do parts[#parts + 1] = key .. "=" .. value end
  table.sort(parts)
  return table.concat(parts, ",")
end

--- The series of a family, kept and extended as flows begin.
local function follow(self, name, family)
  local state = self.followed[name] or { seen = 0, series = {}, by_key = {} }
  self.followed[name] = state
  local flows = self.world.traffic.order
  for at = state.seen + 1, #flows do
    local flow = flows[at]
    families.each(family, flow, function(labels, factor)
      local key = ("%s %.17g"):format(key_of(labels), factor)
      local group = state.by_key[key]
      if group then
        group[#group + 1] = flow.counter
        return
      end
      state.by_key[key] = { flow.counter }
      state.series[#state.series + 1] = counter.series(labels, state.by_key[key], factor)
    end)
  end
  state.seen = #flows
  return state.series
end

local function source(self)
  return function(name)
    local family, given = families.of(name), self.given[name]
    if not family or given then return given or {} end
    return follow(self, name, family)
  end
end

local function bad_data(message)
  return nil, message, "bad_data"
end

local function told(self, query)
  local value, message = self.answer(query)
  if value == prometheus.pass then return nil end
  if value == nil and message then return "failed", message end
  if value == nil then return "value", {} end
  return "value", { { labels = {}, value = value == "nan" and NAN or value } }
end

--- The value of a query now: a number (a scalar) or a vector { { labels =, value = } }; or nil, message, error type.
function prometheus_methods:query(text)
  self.queries[#self.queries + 1] = { time = self.world.now, query = text }
  if self.answer then
    local kind, value = told(self, text)
    if kind == "failed" then return nil, value, "internal" end
    if kind == "value" then return value end
  end
  local tree = self.trees[text]
  if not tree then
    local message
    tree, message = promql.parse(text)
    if not tree then return bad_data("invalid parameter \"query\": " .. message) end
    self.trees[text] = tree
  end
  self.world.traffic:refresh()
  local value, message = evaluate.at(tree, self.world.now, source(self))
  if value == nil then return bad_data("invalid parameter \"query\": " .. message) end
  return value
end

--- A number as Prometheus writes it.
function prometheus.number(value)
  if value ~= value then return "NaN" end
  if value == math.huge then return "+Inf" end
  if value == -math.huge then return "-Inf" end
  local whole = math.tointeger(value)
  if whole and math.abs(whole) < 2 ^ 53 then return tostring(whole) end
  for digits = 15, 17 do
    local text = ("%." .. digits .. "g"):format(value)
    if tonumber(text) == value then return text end
  end
end

local function vector(value, now)
  local out = json.array()
  for index, item in ipairs(value) do
    local metric = {}
    for key, label in pairs(item.labels) do metric[key] = label end
    metric.__name__ = item.name
    out[index] = { metric = metric, value = json.array({ now, prometheus.number(item.value) }) }
  end
  return out
end

local function answer(status, body)
  return { status = status, headers = { ["content-type"] = "application/json" }, body = json.encode(body) }
end

--- The HTTP answer of /api/v1/query, as { status =, headers =, body = }.
function prometheus_methods:http(query)
  if self.down then return { status = 503, headers = {}, body = "Service Unavailable" } end
  local value, message, kind = self:query(query or "")
  if value == nil then
    return answer(kind == "bad_data" and 400 or 500, { status = "error", errorType = kind, error = message })
  end
  local now = self.world.now
  local data = { resultType = "vector" }
  if type(value) == "number" then
    data.resultType, data.result = "scalar", json.array({ now, prometheus.number(value) })
  else
    data.result = vector(value, now)
  end
  return answer(200, { status = "success", data = data })
end

return prometheus
