--- What a webhook's Secret adds to its requests: an Authorization header, certificates, a signature.
--
-- `secretRef.name` names a Secret beside the Canary. Its keys:
--   authorization        the header's value as it is; or
--   token                sent as `Bearer <token>`; or
--   username, password   sent as `Basic <base64>`
--   ca.crt               PEM; whom to trust instead of the system's authorities
--   tls.crt, tls.key     PEM; the client's certificate and its key
--   hmac.key             signs the body: `Serin-Signature: t=<seconds>,v1=<hex>`, the HMAC-SHA-256 of "<t>.<body>"

local digest = require("digest")

local access = {}

local KEYS = { "authorization", "token", "username", "password", "ca.crt", "tls.crt", "tls.key", "hmac.key" }

--- The decoded data of a Secret in the Canary's namespace; or nil and a message.
local function data_of(ctx, name)
  local secret, message, code = ctx.host.kube.get({
    apiVersion = "v1", kind = "Secret", namespace = ctx.namespace, name = name })
  if not secret then
    return nil, code == "NOT_FOUND" and ("secret %s not found"):format(name) or ("secret %s: %s"):format(name, message)
  end
  local out = {}
  for key, value in pairs(secret.data or {}) do
    out[key] = digest.unbase64(value)
    if not out[key] then return nil, ("secret %s: %s: expected base64"):format(name, key) end
  end
  return out
end

--- Line ends of an editor are no part of a password, and none may reach a header.
local function line(text)
  return text and (text:gsub("[\r\n]+$", ""))
end

local function authorization(data)
  if data.authorization then return line(data.authorization) end
  if data.token then return "Bearer " .. line(data.token) end
  if data.username then return "Basic " .. digest.base64(line(data.username) .. ":" .. line(data.password or "")) end
end

local function check(name, data)
  local known = false
  for _, key in ipairs(KEYS) do known = known or data[key] ~= nil end
  if not known then return ("secret %s: expected one of %s, found none"):format(name, table.concat(KEYS, ", ")) end
  if (data["tls.crt"] == nil) ~= (data["tls.key"] == nil) then
    return ("secret %s: expected tls.crt and tls.key together, found one of them"):format(name)
  end
  local header = authorization(data)
  if header and header:find("[\r\n]") then
    return ("secret %s: expected one line to authorize with, found several"):format(name)
  end
end

--- { authorization?, tls?, key? } of a webhook, empty without a secretRef; or nil and a message. May wait.
function access.read(ctx, hook)
  local name = type(hook.secretRef) == "table" and hook.secretRef.name
  if not name then return {} end
  local data, message = data_of(ctx, name)
  if not data then return nil, message end
  message = check(name, data)
  if message then return nil, message end
  local tls = { ca = data["ca.crt"], cert = data["tls.crt"], key = data["tls.key"] }
  return { authorization = authorization(data), tls = next(tls) and tls or nil, key = line(data["hmac.key"]) }
end

--- Adds it to a request, which then is not redirected: what is secret is for the named host alone.
--- @param now number  seconds since the epoch, part of the signature
function access.apply(given, request, now)
  if next(given) == nil then return request end
  request.follow = false
  request.headers.Authorization = given.authorization
  if given.tls then
    local insecure = request.tls and request.tls.insecure
    request.tls = { insecure = insecure, ca = given.tls.ca, cert = given.tls.cert, key = given.tls.key }
  end
  if given.key then
    local seconds = tostring(math.floor(now))
    request.headers["Serin-Signature"] = ("t=%s,v1=%s"):format(seconds,
      digest.hex(digest.hmac_sha256(given.key, seconds .. "." .. request.body)))
  end
  return request
end

return access
