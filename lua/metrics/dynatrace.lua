--- Dynatrace: a metric selector, the first value of the last data set of the first result.
--
-- Keys of the Secret beside those of ask.lua: dynatrace_token.

local answer = require("metrics.answer")
local ask = require("metrics.ask")

local dynatrace = { name = "dynatrace" }

local WINDOW = 10 -- intervals that are looked back

local function request(ctx, path, query, read)
  local place, token, message
  place, message = ask.place(ctx)
  if not place then return nil, message end
  token, message = ask.key(ctx, "dynatrace_token")
  if not token then return nil, message end
  return ask.request(ctx, place, { path = path, query = query, headers = { Authorization = "Api-Token " .. token },
    read = read })
end

--- What to ask. See README.md for `ctx`.
function dynatrace.request(ctx)
  local now = math.floor(ctx.now) * 1000
  local from = now - WINDOW * math.floor(ctx.interval * 1000)
  return request(ctx, "api/v2/metrics/query", { { "from", from }, { "metricSelector", ctx.query },
    { "resolution", "Inf" }, { "to", now } })
end

--- The element at one end of the list in a field, an object; nil and "no values found"; or nil, message, CODE.
local function element(object, name, last)
  local list, message, code = answer.list(object, name)
  if not list then return nil, message, code end
  if #list == 0 then return answer.none() end
  local found = list[last and #list or 1]
  if not answer.is_object(found) then return answer.bad("%s of the answer holds no object", name) end
  return found
end

--- The number that an answer holds; nil and "no values found"; or nil, message, CODE.
function dynatrace.parse(given)
  local object, message, code = answer.object(given)
  if not object then return nil, message, code end
  object, message, code = element(object, "result")
  if not object then return nil, message, code end
  object, message, code = element(object, "data", true)
  if not object then return nil, message, code end
  local values
  values, message, code = answer.list(object, "values")
  if not values then return nil, message, code end
  return answer.number(values[1], "value of the answer")
end

--- Whether the token may read metrics.
function dynatrace.online(ctx) return request(ctx, "api/v2/metrics", { { "pageSize", 1 } }, "heard") end

function dynatrace.heard(given)
  local body, message, code = answer.body(given)
  if body then return 1 end
  return nil, message, code
end

return dynatrace
