--- Prometheus and what answers like it: an instant query, one number.

local digest = require("digest")
local json = require("json")
local text = require("util.text")

local prometheus = { name = "prometheus" }

local TIMEOUT = 5 -- seconds
local MAX_BODY = 1 << 20
local SHOWN = 512 -- bytes of somebody else's text in a message
local NO_VALUES = "no values found"

local REASONS = {
  [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found", [405] = "Method Not Allowed",
  [408] = "Request Timeout", [413] = "Request Entity Too Large", [422] = "Unprocessable Entity",
  [429] = "Too Many Requests", [500] = "Internal Server Error", [502] = "Bad Gateway", [503] = "Service Unavailable",
  [504] = "Gateway Timeout",
}

--- The parts of an address, or nil. What follows its path is dropped.
local function split(address)
  if type(address) ~= "string" or address:find("[%c ]") then return nil end
  local scheme, authority, path = address:match("^(%a+)://([^/?#]+)([^?#]*)")
  if not scheme or (scheme:lower() ~= "http" and scheme:lower() ~= "https") then return nil end
  local userinfo, host = authority:match("^(.*)@(.*)$")
  host = host or authority
  if not (host:find("^[%w%-._~]+$") or host:find("^[%w%-._~]+:%d+$") or host:find("^%[[%x:.]+%]:?%d*$")) then
    return nil
  end
  return { scheme = scheme:lower(), host = host, path = path, userinfo = userinfo }
end

--- `prefix/api/v1/query` without empty and dotted parts.
local function join(prefix)
  local parts = {}
  for part in (prefix .. "/api/v1/query"):gmatch("[^/]+") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return "/" .. table.concat(parts, "/")
end

local function unescape(value)
  return (value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function basic(user, password)
  return "Basic " .. digest.base64(user .. ":" .. password)
end

--- The Authorization header: nil without credentials; false and a message when they are incomplete.
local function authorization(secret, userinfo)
  if secret then
    -- a text from `kubectl create secret --from-file` ends in a newline, which no header may hold
    if secret.token then return "Bearer " .. secret.token:gsub("[\r\n]+$", "") end
    for _, key in ipairs({ "username", "password" }) do
      if not secret[key] then return false, "prometheus credentials does not contain a " .. key end
    end
    return basic(secret.username, secret.password)
  end
  if not userinfo then return nil end
  local user, password = userinfo:match("^([^:]*):?(.*)$")
  return basic(unescape(user), unescape(password))
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

--- The template's headers; ours replaces one of the same name.
local function headers_of(provider, auth)
  local out, given = {}, provider.headers or {}
  if type(given) ~= "table" then return nil, "headers: expected an object" end
  for name, value in pairs(given) do
    if type(name) ~= "string" or not name:find("^[%w!#$%%&'*+.^_`|~-]+$") then
      return nil, ("%s is not the name of a header"):format(tostring(name))
    end
    if not (auth and name:lower() == "authorization") then
      local values, message = values_of(name, value)
      if not values then return nil, message end
      out[name] = values
    end
  end
  out.Authorization = auth or out.Authorization
  return out
end

--- An address for people: a password in it is not shown.
local function without_password(address)
  return (tostring(address or ""):gsub("//[^/@]*@", "//***@"))
end

--- What to ask. See README.md for `ctx`.
function prometheus.request(ctx)
  local provider = ctx.template.spec.provider
  local address = split(provider.address)
  if not address then
    return nil, ("prometheus address %s is not a valid URL"):format(without_password(provider.address))
  end
  if ctx.query:find("^[%s]*$") then return nil, "the query is empty" end
  local auth, message = authorization(ctx.secret, address.userinfo)
  if auth == false then return nil, message end
  local headers
  headers, message = headers_of(provider, auth)
  if not headers then return nil, message end
  local query = text.percent(text.collapse(ctx.query))
  return {
    method = "GET",
    url = ("%s://%s%s?query=%s"):format(address.scheme, address.host, join(address.path), query),
    headers = headers,
    timeout = TIMEOUT,
    max_bytes = MAX_BODY,
    tls = provider.insecureSkipVerify == true and { insecure = true } or nil,
    follow = true,
  }
end

local function bad(message, ...) return nil, message:format(...), "BAD_ANSWER" end

local function cut(value) return text.cut(tostring(value), SHOWN) end

local function is_object(value) return type(value) == "table" and not json.is_array(value) end

--- Go's ParseFloat on the texts that a Prometheus writes.
local function float(value)
  if value:lower():find("^[+-]?inf$") then return value:sub(1, 1) == "-" and -math.huge or math.huge end
  if value:lower() == "nan" then return 0 / 0 end
  if not (value:find("^[+-]?%d+%.?%d*$") or value:find("^[+-]?%d*%.?%d+[eE][+-]?%d+$")
    or value:find("^[+-]?%d+%.%d*[eE][+-]?%d+$") or value:find("^[+-]?%.%d+$")) then
    return nil
  end
  local number = tonumber((value:gsub("^%+", ""))) + 0.0
  if number - number == 0 then return number end -- else the text was out of range
end

--- The number of one element of the result.
local function sample(element)
  if not is_object(element) then return bad("element of the result is not an object") end
  if element.values ~= nil and element.values ~= json.null then return bad("query returned multiple values") end
  local value = element.value
  if type(value) ~= "table" or #value < 2 then return bad("element of the result has no value") end
  if type(value[2]) ~= "string" then return bad("value of the result is not a text") end
  local number = float(value[2])
  if not number then return bad("value of the result is not a number: %s", cut(value[2])) end
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
  if not number or number ~= number then return nil, NO_VALUES end
  return number
end

local function no_result(body)
  local result_type = is_object(body.data) and body.data.resultType
  if result_type == "scalar" or result_type == "string" then return bad("query returned a %s", result_type) end
  if result_type == "matrix" then return bad("query returned multiple values") end
end

--- The number that an answer holds; nil and "no values found"; or nil, message, CODE.
function prometheus.parse(answer)
  local body_text = answer.body or ""
  if #body_text > MAX_BODY then return nil, ("answer of more than %d bytes"):format(MAX_BODY), "TOO_LARGE" end
  if answer.status >= 400 then
    local reason = REASONS[answer.status]
    return bad("error response: Status %d%s: %s", answer.status, reason and " " .. reason or "", cut(body_text))
  end
  local body, message = json.decode(body_text)
  if body == nil then return bad("error unmarshaling result: %s, '%s'", message, cut(body_text)) end
  if not is_object(body) then return bad("answer is not an object: '%s'", cut(body_text)) end
  if body.status == "error" then
    return bad("error response: %s: %s", cut(body.errorType or "error"), cut(body.error or "no reason given"))
  end
  local _, wrong, code = no_result(body)
  if wrong then return nil, wrong, code end
  local data = body.data
  if data == nil or data == json.null then return nil, NO_VALUES end
  if not is_object(data) then return bad("data of the answer is not an object") end
  if data.result == nil or data.result == json.null then return nil, NO_VALUES end
  if not json.is_array(data.result) then return bad("result of the answer is not a list") end
  return last(data.result)
end

function prometheus.online() return "vector(1)" end

--- nil when the answer to `online` is right, else what is wrong with it.
function prometheus.is_online(value)
  if value ~= 1 then return "value is not 1 for query: vector(1)" end
end

return prometheus
