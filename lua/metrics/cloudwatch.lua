--- Amazon CloudWatch: GetMetricData of the query protocol, the newest value of the first result.
--
-- The query is a JSON list of MetricDataQuery objects; spec.provider.region is required. Whose rights: see aws.lua.

local address = require("metrics.address")
local answer = require("metrics.answer")
local ask = require("metrics.ask")
local aws = require("metrics.aws")
local json = require("json")
local rfc3339 = require("util.rfc3339")
local sigv4 = require("util.sigv4")
local xml = require("util.xml")

local cloudwatch = { name = "cloudwatch", ambient = aws.ambient }

local WINDOW = 10 -- intervals that are looked back
local MOST_QUERIES = 500 -- what the service takes
local VERSION = "2010-08-01"

-- The shape of a query: names as the service has them; a string names a type, a table an object, { of = } a list.
local METRIC = { Namespace = "text", MetricName = "text", Dimensions = { of = { Name = "text", Value = "text" } } }
local QUERY = { Id = "text", Expression = "text", Label = "text", ReturnData = "boolean", Period = "integer",
  AccountId = "text", MetricStat = { Metric = METRIC, Period = "integer", Stat = "text", Unit = "text" } }

local KINDS = {
  text = function(value) return type(value) == "string" and value or nil end,
  boolean = function(value) return type(value) == "boolean" and tostring(value) or nil end,
  integer = function(value)
    local whole = type(value) == "number" and math.tointeger(value)
    return whole and ("%d"):format(whole) or nil
  end,
}

--- The name of the shape that a key means, whatever its case (COMPAT: as Go reads JSON); nil for one it ignores.
local function field_of(shape, key)
  if shape[key] then return key end
  for name in pairs(shape) do
    if name:lower() == tostring(key):lower() then return name end
  end
end

local flatten

local function wrong(path, expected) return ("query%s: expected %s"):format(path, expected) end

local function flatten_list(out, shape, value, prefix, path)
  if not json.is_array(value) then return wrong(path, "a list") end
  for index, item in ipairs(value) do
    local message = flatten(out, shape.of, item, ("%s.member.%d"):format(prefix, index),
      ("%s[%d]"):format(path, index - 1))
    if message then return message end
  end
end

--- Adds "prefix.Name" = text to `out` for all of a value. nil, or what is wrong with it.
function flatten(out, shape, value, prefix, path)
  if value == json.null then return nil end
  if type(shape) == "string" then
    local shown = KINDS[shape](value)
    if not shown then return wrong(path, shape == "integer" and "an integer" or "a " .. shape) end
    out[#out + 1] = { prefix, shown }
    return nil
  end
  if shape.of then return flatten_list(out, shape, value, prefix, path) end
  if not answer.is_object(value) then return wrong(path, "an object") end
  for key, item in pairs(value) do
    local name = field_of(shape, key)
    local message = name and flatten(out, shape[name], item, prefix .. "." .. name, path .. "." .. name)
    if message then return message end
  end
end

--- The form of a request for `queries`, its fields in order.
local function form(queries, from, to)
  local out = { { "Action", "GetMetricData" }, { "Version", VERSION }, { "MaxDatapoints", "20" },
    { "StartTime", rfc3339.format(from) }, { "EndTime", rfc3339.format(to) } }
  local message = flatten_list(out, { of = QUERY }, queries, "MetricDataQueries", "")
  if message then return nil, message end
  table.sort(out, function(a, b) return a[1] < b[1] end)
  return address.query(out)
end

local function queries_of(ctx)
  local queries, message = json.decode(ctx.query)
  if queries == nil then return nil, "error unmarshaling query: " .. message end
  if not json.is_array(queries) then return nil, "query: expected a list of MetricDataQuery objects" end
  if #queries == 0 or #queries > MOST_QUERIES then
    return nil, ("query: expected 1 to %d MetricDataQuery objects, found %d"):format(MOST_QUERIES, #queries)
  end
  return queries
end

--- The signed request. `read` is the function that takes its answer.
local function signed(ctx, keys, region, body, read)
  local request = { method = "POST", url = aws.endpoint(ctx, "CLOUDWATCH", "monitoring", region), body = body,
    headers = { ["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8" },
    timeout = 5, max_bytes = ask.MAX_BYTES, follow = false, read = read }
  request.headers = sigv4.headers(request, keys, { region = region, service = "monitoring" }, ctx.now)
  return request
end

--- The request for the form `body`, or the first of those that lead to credentials for it.
local function start(ctx, body, read)
  local region, message = aws.region(ctx)
  if not region then return nil, message end
  local found
  found, message = aws.find(ctx, region)
  if not found then return nil, message end
  if found.key then return signed(ctx, found, region, body, read) end
  found.keep = { step = found.keep, body = body, read = read }
  return found
end

--- Takes the answer to a request for credentials.
function cloudwatch.credentials(given, ctx, asked)
  local keys, message, code = aws.step(given, ctx, { keep = asked.keep.step, headers = asked.headers })
  if keys then return signed(ctx, keys, ctx.template.spec.provider.region, asked.keep.body, asked.keep.read) end
  if type(message) ~= "table" then return nil, message, code end
  message.keep = { step = message.keep, body = asked.keep.body, read = asked.keep.read }
  return message
end

--- What to ask. See README.md for `ctx`.
function cloudwatch.request(ctx)
  local queries, message = queries_of(ctx)
  if not queries then return nil, message end
  local now = math.floor(ctx.now)
  local body
  body, message = form(queries, now - math.floor(WINDOW * ctx.interval), now)
  if not body then return nil, message end
  return start(ctx, body, "parse")
end

--- "Code: Message" of an error's body, or the body.
local function said(body)
  local root = xml.parse(body)
  local code, message = xml.at(root, "Error", "Code"), xml.at(root, "Error", "Message")
  if not code then return body end
  return ("%s: %s"):format(code.text, message and message.text or "")
end

local function refused(status, body) return ("error response: Status %s: %s"):format(status, said(body)) end

--- The number that an answer holds; nil and "no values found"; or nil, message, CODE.
function cloudwatch.parse(given)
  local body, message, code = answer.body(given, refused)
  if not body then return nil, message, code end
  local root
  root, message = xml.parse(body)
  if not root then return answer.bad("error unmarshaling result: %s, '%s'", message, answer.cut(body)) end
  local result = xml.at(root, "GetMetricDataResult", "MetricDataResults", "member")
  local value, status = xml.at(result, "Values", "member"), xml.at(result, "StatusCode")
  if not xml.at(root, "GetMetricDataResult") then return answer.bad("answer has no GetMetricDataResult") end
  if not value and status and (status.text == "Forbidden" or status.text == "InternalError") then
    return answer.bad("error response: the metric's status is %s", status.text)
  end
  if not value then return answer.none() end
  local number = answer.float(value.text)
  if not number then return answer.bad("value of the result is not a number: %s", answer.cut(value.text)) end
  return number
end

--- Asks for nothing at no time, which the service refuses with 400 when it is there.
function cloudwatch.online(ctx)
  return start(ctx, address.query({ { "Action", "GetMetricData" }, { "EndTime", "0001-01-01T00:00:00Z" },
    { "StartTime", "0001-01-01T00:00:00Z" }, { "Version", VERSION } }), "heard")
end

function cloudwatch.heard(given)
  if given.status == 400 or given.status == 200 then return 1 end
  return answer.bad("%s", refused(answer.status(given.status), answer.cut(given.body)))
end

return cloudwatch
