--- Answers of providers: from bytes to a value, or to what is wrong with them.

local json = require("json")
local text = require("util.text")

local answer = {}

local MAX_BODY = 1 << 20
local SHOWN = 512 -- bytes of somebody else's text in a message

answer.NO_VALUES = "no values found"

local REASONS = {
  [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found", [405] = "Method Not Allowed",
  [408] = "Request Timeout", [413] = "Request Entity Too Large", [422] = "Unprocessable Entity",
  [429] = "Too Many Requests", [500] = "Internal Server Error", [502] = "Bad Gateway", [503] = "Service Unavailable",
  [504] = "Gateway Timeout",
}

--- nil, message, CODE.
function answer.bad(message, ...) return nil, message:format(...), "BAD_ANSWER" end

--- nil and "no values found".
function answer.none() return nil, answer.NO_VALUES end

--- Somebody else's text as a part of a message: short, and without what is no text.
function answer.cut(value)
  return text.cut((tostring(value):gsub("[%z\1-\8\11\12\14-\31\127]", "?")), SHOWN)
end

--- "403 Forbidden"
function answer.status(status)
  return REASONS[status] and ("%d %s"):format(status, REASONS[status]) or tostring(status)
end

--- Where a redirect leads, without what may be secret.
local function redirect(given)
  local place = given.headers and given.headers.location
  local host = type(place) == "string" and place:match("^(%a+://[%w%-._~%[%]:]+)")
  return answer.bad("error response: Status %s: redirected to %s, and credentials are for the named address alone",
    answer.status(given.status), host or "another path")
end

--- The body of an answer with a good status; or nil, message, CODE.
--- @param refused function?  (status text, body) -> the message for a bad one
function answer.body(given, refused)
  local body = given.body or ""
  if #body > MAX_BODY then return nil, ("answer of more than %d bytes"):format(MAX_BODY), "TOO_LARGE" end
  if given.status >= 200 and given.status < 300 then return body end
  if given.status >= 300 and given.status < 400 then return redirect(given) end
  if refused then return answer.bad("%s", refused(answer.status(given.status), answer.cut(body))) end
  return answer.bad("error response: Status %s: %s", answer.status(given.status), answer.cut(body))
end

function answer.is_object(value) return type(value) == "table" and not json.is_array(value) end

--- The value of a JSON body; or nil, message, CODE.
function answer.json(given, refused)
  local body, message, code = answer.body(given, refused)
  if not body then return nil, message, code end
  local value
  value, message = json.decode(body)
  if value == nil then return answer.bad("error unmarshaling result: %s, '%s'", message, answer.cut(body)) end
  return value
end

--- The object of a JSON body; or nil, message, CODE.
function answer.object(given, refused)
  local value, message, code = answer.json(given, refused)
  if value == nil then return nil, message, code end
  if not answer.is_object(value) then return answer.bad("answer is not an object: '%s'", answer.cut(given.body)) end
  return value
end

--- The list in a field: empty when it is absent or null; nil, message, CODE when it is something else.
function answer.list(object, name)
  local value = object[name]
  if value == nil or value == json.null then return {} end
  if not json.is_array(value) then return answer.bad("%s of the answer is not a list", name) end
  return value
end

--- A number in a JSON value: nil and "no values found" for null or nothing; nil, message, CODE for another value.
function answer.number(value, what)
  if value == nil or value == json.null then return answer.none() end
  if type(value) ~= "number" then return answer.bad("%s is not a number", what) end
  return value + 0.0
end

--- Go's ParseFloat on the texts that servers write; nil for another text.
function answer.float(value)
  if value:lower():find("^[+-]?inf$") then return value:sub(1, 1) == "-" and -math.huge or math.huge end
  if value:lower() == "nan" then return 0 / 0 end
  if not (value:find("^[+-]?%d+%.?%d*$") or value:find("^[+-]?%d*%.?%d+[eE][+-]?%d+$")
    or value:find("^[+-]?%d+%.%d*[eE][+-]?%d+$") or value:find("^[+-]?%.%d+$")) then
    return nil
  end
  local number = tonumber((value:gsub("^%+", ""))) + 0.0
  if number - number == 0 then return number end -- else the text was out of range
end

return answer
