--- A Secret in a request: a script names it, and the engine alone knows what is in it.
--
-- The Secret is beside the Canary. Its keys are those of a webhook's Secret: authorization, token, username and
-- password.

local digest = require("digest")

local access = {}

local KEYS = { "authorization", "token", "username", "password" }
local SHORTEST = 4 -- bytes of what is hidden in an answer

local function one_line(value) return value and (value:gsub("[\r\n]+$", "")) end

local function decoded(secret, name)
  local out, any = {}, false
  for _, key in ipairs(KEYS) do
    local coded = (secret.data or {})[key]
    out[key] = coded and one_line(digest.unbase64(coded))
    if coded and (not out[key] or out[key]:find("%c")) then
      return nil, ("secret %s: %s: expected one line in base64"):format(name, key)
    end
    any = any or out[key] ~= nil
  end
  if not any then
    return nil, ("secret %s: expected one of %s, found none"):format(name, table.concat(KEYS, ", "))
  end
  return out
end

local function header_of(data)
  if data.authorization then return data.authorization end
  if data.token then return "Bearer " .. data.token end
  return "Basic " .. digest.base64((data.username or "") .. ":" .. (data.password or ""))
end

--- A function that takes what is secret out of a text.
local function hider(data, header)
  local words = { header, header:match("^%S+%s+(.+)$"), data.token, data.password }
  return function(text)
    for _, word in pairs(words) do
      if type(text) == "string" and #word >= SHORTEST then
        text = text:gsub(word:gsub("%p", "%%%0"), "(secret)")
      end
    end
    return text
  end
end

--- Adds an Authorization header to `request`. Waits. Returns a function that hides it in texts, or nil and a message.
--- @param name string?  of the Secret, nil: none is wanted
function access.apply(host, scope, name, request)
  if not name then return function(text) return text end end
  local secret, message, code = host.kube.get({ apiVersion = "v1", kind = "Secret", namespace = scope.namespace,
    name = name })
  if not secret then
    return nil, code == "NOT_FOUND" and ("secret %s not found"):format(name) or ("secret %s: %s"):format(name, message)
  end
  local data
  data, message = decoded(secret, name)
  if not data then return nil, message end
  local header = header_of(data)
  for given in pairs(request.headers) do
    if given:lower() == "authorization" then request.headers[given] = nil end
  end
  request.headers.Authorization = header
  return hider(data, header)
end

return access
