--- Prometheus and what answers like it: an instant query, one number.
--
-- Keys of the Secret beside those of ask.lua:
--   token                                            sent as a bearer token; or
--   username, password                               basic authentication; or
--   aws_access_key_id, aws_secret_access_key,
--   aws_session_token (of temporary ones)            signed for Amazon Managed Prometheus, with spec.provider.region

local address = require("metrics.address")
local answer = require("metrics.answer")
local ask = require("metrics.ask")
local aws = require("metrics.aws")
local json = require("json")
local sigv4 = require("util.sigv4")
local text = require("util.text")

local prometheus = { name = "prometheus" }

local SIGNED_FOR = "aps"

--- The Authorization header: nil without credentials; false and a message when they are incomplete.
local function authorization(ctx, place)
  local secret = ctx.secret
  if secret and secret.token then
    local token, message = ask.key(ctx, "token")
    return token and "Bearer " .. token, message
  end
  if secret and secret.aws_access_key_id then return nil end
  if ask.has_login(ctx) then
    for _, key in ipairs({ "username", "password" }) do
      if not secret[key] then return false, "prometheus credentials does not contain a " .. key end
    end
    return ask.basic(secret.username, secret.password)
  end
  local user, password = address.login(place)
  return user and ask.basic(user, password)
end

local function values_of(name, value)
  local out = {}
  for index, one in ipairs(type(value) == "table" and value or { value }) do
    if type(one) ~= "string" or one:find("%c") then
      return nil, ("header %s has a value that is not a text"):format(name)
    end
    out[index] = one
  end
  return out
end

--- The template's headers; the Authorization that the Secret gives replaces theirs.
local function headers_of(provider, auth, replaced)
  local out, given = {}, provider.headers or {}
  if type(given) ~= "table" then return nil, "headers: expected an object" end
  for name, value in pairs(given) do
    if type(name) ~= "string" or not name:find("^[%w!#$%%&'*+.^_`|~-]+$") then
      return nil, ("%s is not the name of a header"):format(tostring(name))
    end
    if not (replaced and name:lower() == "authorization") then
      local values, message = values_of(name, value)
      if not values then return nil, message end
      out[name] = values
    end
  end
  out.Authorization = auth or out.Authorization
  return out
end

--- The request with the headers of an AWS signature, when the Secret has keys for one.
local function signed(ctx, request)
  local keys, message = aws.of_secret(ctx)
  if not keys then return not message and request or nil, message end
  local region
  region, message = aws.region(ctx)
  if not region then return nil, message end
  request.headers = sigv4.headers(request, keys, { region = region, service = SIGNED_FOR }, ctx.now)
  return request
end

--- What to ask. See README.md for `ctx`.
function prometheus.request(ctx)
  local provider = ctx.template.spec.provider
  local place, message = ask.place(ctx)
  if not place then return nil, message end
  if ctx.query:find("^[%s]*$") then return nil, "the query is empty" end
  local auth, headers, request
  auth, message = authorization(ctx, place)
  if auth == false or message then return nil, message end
  headers, message = headers_of(provider, auth, auth or aws.is_meant(ctx))
  if not headers then return nil, message end
  request, message = ask.request(ctx, place, { path = "api/v1/query", headers = headers,
    query = { { "query", text.collapse(ctx.query) } } })
  if not request then return nil, message end
  return signed(ctx, request)
end

--- The number of one element of the result.
local function sample(element)
  if not answer.is_object(element) then return answer.bad("element of the result is not an object") end
  if element.values ~= nil and element.values ~= json.null then
    return answer.bad("query returned multiple values")
  end
  local value = element.value
  if type(value) ~= "table" or #value < 2 then return answer.bad("element of the result has no value") end
  if type(value[2]) ~= "string" then return answer.bad("value of the result is not a text") end
  local number = answer.float(value[2])
  if not number then return answer.bad("value of the result is not a number: %s", answer.cut(value[2])) end
  return number
end

--- COMPAT: the last element wins, whatever came before it; but all of them are looked at.
local function last(result)
  local number
  for _, element in ipairs(result) do
    local message, code
    number, message, code = sample(element)
    if not number then return nil, message, code end
  end
  if not number or number ~= number then return answer.none() end
  return number
end

--- nil, or what a result is that holds no single number.
local function unusable(data)
  local result_type = answer.is_object(data) and data.resultType
  if result_type == "scalar" or result_type == "string" then return "query returned a " .. result_type end
  if result_type == "matrix" then return "query returned multiple values" end
end

--- The elements of the vector that an answer holds; nil and "no values found" without any data; or nil, message, CODE.
function prometheus.result(given)
  local body, message, code = answer.object(given)
  if not body then return nil, message, code end
  if body.status == "error" then
    return answer.bad("error response: %s: %s", answer.cut(body.errorType or "error"),
      answer.cut(body.error or "no reason given"))
  end
  local data = body.data
  if data == nil or data == json.null then return answer.none() end
  local wrong = unusable(data)
  if wrong then return answer.bad("%s", wrong) end
  if not answer.is_object(data) then return answer.bad("data of the answer is not an object") end
  return answer.list(data, "result")
end

--- Every element of an answer: { { labels = {}, value = number }... }, those without a number left out; or nil,
--- message, CODE.
function prometheus.vector(given)
  local result, message, code = prometheus.result(given)
  local out = json.array()
  if not result and message == answer.NO_VALUES then return out end
  if not result then return nil, message, code end
  for _, element in ipairs(result) do
    local number
    number, message, code = sample(element)
    if not number then return nil, message, code end
    if number == number then out[#out + 1] = { labels = element.metric or {}, value = number } end
  end
  return out
end

--- The number that an answer holds; nil and "no values found"; or nil, message, CODE.
function prometheus.parse(given)
  local result, message, code = prometheus.result(given)
  if not result then return nil, message, code end
  return last(result)
end

function prometheus.online() return "vector(1)" end

--- nil when the answer to `online` is right, else what is wrong with it.
function prometheus.is_online(value)
  if value ~= 1 then return "value is not 1 for query: vector(1)" end
end

return prometheus
