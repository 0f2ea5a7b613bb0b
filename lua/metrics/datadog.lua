--- Datadog: the oldest point of the first series of the last ten intervals.
--
-- Keys of the Secret beside those of ask.lua: datadog_api_key, datadog_application_key.

local answer = require("metrics.answer")
local ask = require("metrics.ask")

local datadog = { name = "datadog" }

local SERVER = "https://api.datadoghq.com"
local HEADERS = { ["DD-API-KEY"] = "datadog_api_key", ["DD-APPLICATION-KEY"] = "datadog_application_key" }
local WINDOW = 10 -- intervals that are looked back

local function request(ctx, path, query, read)
  local place, message = ask.place(ctx, SERVER)
  if not place then return nil, message end
  local headers = {}
  for header, key in pairs(HEADERS) do
    headers[header], message = ask.key(ctx, key)
    if not headers[header] then return nil, message end
  end
  return ask.request(ctx, place, { path = path, query = query, headers = headers, read = read })
end

--- What to ask. See README.md for `ctx`.
function datadog.request(ctx)
  local now = math.floor(ctx.now)
  return request(ctx, "api/v1/query", { { "from", now - math.floor(WINDOW * ctx.interval) }, { "query", ctx.query },
    { "to", now } })
end

local function refused(status, body) return ("error response: %s: %s"):format(body, status) end

--- The number that an answer holds; nil and "no values found"; or nil, message, CODE.
function datadog.parse(given)
  local object, message, code = answer.object(given, refused)
  if not object then return nil, message, code end
  if object.status == "error" then
    return answer.bad("error response: %s", answer.cut(object.error or "no reason given"))
  end
  local series, points
  series, message, code = answer.list(object, "series")
  if not series then return nil, message, code end
  if #series == 0 then return answer.none() end
  if not answer.is_object(series[1]) then return answer.bad("series of the answer holds no object") end
  points, message, code = answer.list(series[1], "pointlist")
  if not points then return nil, message, code end
  if #points == 0 then return answer.none() end
  -- COMPAT: the oldest point, since the newest ones may still change
  if type(points[1]) ~= "table" or #points[1] < 2 then return answer.bad("point of the answer has no value") end
  return answer.number(points[1][2], "value of the answer")
end

--- Whether the keys are valid.
function datadog.online(ctx)
  return request(ctx, "api/v1/validate", nil, "heard")
end

function datadog.heard(given)
  if given.status == 200 then return 1 end
  return answer.bad("%s", refused(answer.status(given.status), answer.cut(given.body)))
end

return datadog
