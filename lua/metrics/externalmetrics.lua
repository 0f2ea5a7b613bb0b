--- The external metrics API of Kubernetes: the value of the first item.
--
-- The query is `[namespace/]metric[?labelSelector=...]`. Without an address the engine's own cluster is asked, through
-- its own door. With one, that server is asked with the Secret's `token` and never with the engine's: an address is
-- chosen by whoever writes the template.

local address = require("metrics.address")
local answer = require("metrics.answer")
local ask = require("metrics.ask")
local quantity = require("util.quantity")
local text = require("util.text")

local externalmetrics = { name = "externalmetrics" }

local API = "apis/external.metrics.k8s.io/v1beta1/namespaces/%s/%s"
local DEFAULT_NAMESPACE = "default"

--- Namespace, metric and label selector of a query; or nil and a message.
local function parts_of(query)
  local place, rest = query:match("^%s*([^?]*)%??(.-)%s*$")
  local namespace, metric = place:match("^([^/]*)/(.*)$")
  if not namespace then namespace, metric = DEFAULT_NAMESPACE, place end
  if namespace == "" then namespace = DEFAULT_NAMESPACE end
  if metric:find("/", 1, true) then
    return nil, ("query: expected [namespace/]metric, found %s"):format(text.cut(place, 128))
  end
  if metric == "" or metric == "." or metric == ".." then
    return nil, "query: expected the name of a metric, found none"
  end
  if not namespace:find("^[%l%d][%l%d.-]*$") then
    return nil, ("query: expected a namespace, found %s"):format(text.cut(namespace, 64))
  end
  local selector = ""
  for pair in rest:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    if name == "labelSelector" then selector = address.unescape((value:gsub("%+", " "))) end
  end
  return namespace, metric, selector
end

local function path_of(query)
  local namespace, metric, selector = parts_of(query)
  if not namespace then return nil, metric end
  return API:format(namespace, text.percent(metric)), selector ~= "" and { { "labelSelector", selector } } or nil
end

local function request(ctx, query, read)
  local path, fields = path_of(query)
  if not path then return nil, fields end
  local own = ctx.template.spec.provider.address
  if type(own) ~= "string" or own == "" then
    if ctx.secret and ctx.secret.token then
      return nil, "a token needs an address: without one the engine's own cluster and identity are used"
    end
    return { kube = "read", path = "/" .. path .. (fields and "?" .. address.query(fields) or ""), read = read }
  end
  local place, message = ask.place(ctx)
  if not place then return nil, message end
  local headers = {}
  if ctx.secret and ctx.secret.token then
    local token
    token, message = ask.key(ctx, "token")
    if not token then return nil, message end
    headers.Authorization = "Bearer " .. token
  end
  return ask.request(ctx, place, { path = path, query = fields, headers = headers, read = read })
end

--- What to ask. See README.md for `ctx`.
function externalmetrics.request(ctx) return request(ctx, ctx.query) end

--- The list of an answer, of either door; or nil, message, CODE.
local function list_of(given)
  if given.status then return answer.object(given) end
  if given.object then return given.object end
  return nil, "error response: " .. tostring(given.message), given.code
end

--- The number that an answer holds; nil and "no values found"; or nil, message, CODE.
function externalmetrics.parse(given)
  local object, items, message, code
  object, message, code = list_of(given)
  if not object then return nil, message, code end
  items, message, code = answer.list(object, "items")
  if not items then return nil, message, code end
  if #items == 0 then return answer.none() end
  if not answer.is_object(items[1]) then return answer.bad("items of the answer holds no object") end
  local number = quantity.parse(items[1].value)
  if not number then return answer.bad("value of the answer is not a quantity: %s", answer.cut(items[1].value)) end
  return number
end

--- Whether the API is there: asks for a metric that need not be.
function externalmetrics.online(ctx) return request(ctx, "kube-system/dummy-metric", "heard") end

function externalmetrics.heard(given)
  local object, message, code = list_of(given)
  if object then return 1 end
  return nil, message, code
end

return externalmetrics
