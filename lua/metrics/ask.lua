--- Requests of providers: what a template and its Secret say about every one of them.
--
-- Keys of a Secret that all providers know:
--   ca.crt               PEM; whom to trust instead of the system's authorities
--   tls.crt, tls.key     PEM; the client's certificate and its key

local address = require("metrics.address")
local digest = require("digest")

local ask = {}

local TIMEOUT = 5 -- seconds
ask.MAX_BYTES = 1 << 20 -- of an answer

local TLS_KEYS = { ["ca.crt"] = true, ["tls.crt"] = true, ["tls.key"] = true }

--- The parts of the template's address (or of `default`); or nil and a message.
function ask.place(ctx, default, schemes)
  local provider = ctx.template.spec.provider
  local value = provider.address
  if type(value) ~= "string" or value == "" then value = default end
  local parts = address.split(value, schemes)
  if parts then return parts end
  return nil, ("%s address %s is not a valid URL"):format(provider.type, address.shown(value))
end

--- A value of the Secret for a header or a URL: nil and a message when it is missing or not one line.
--- Line ends of an editor are no part of it.
function ask.key(ctx, name)
  local value = ctx.secret and ctx.secret[name]
  local kind = ctx.template.spec.provider.type
  if not value then return nil, ("%s credentials does not contain %s"):format(kind, name) end
  value = value:gsub("[\r\n]+$", "")
  if value == "" or value:find("%c") then
    return nil, ("%s credentials: %s: expected one line, found %s"):format(kind, name,
      value == "" and "nothing" or "control characters")
  end
  return value
end

--- True when the Secret holds keys that are not about TLS.
function ask.has_login(ctx)
  for name in pairs(ctx.secret or {}) do
    if not TLS_KEYS[name] then return true end
  end
  return false
end

local function without_line_end(value) return (value:gsub("[\r\n]+$", "")) end

--- The value of an Authorization header.
function ask.basic(user, password)
  return "Basic " .. digest.base64(without_line_end(user) .. ":" .. without_line_end(password))
end

--- nil, or what is wrong with the certificates of a Secret.
local function tls_fault(kind, secret)
  if (secret["tls.crt"] == nil) ~= (secret["tls.key"] == nil) then
    return ("%s credentials: expected tls.crt and tls.key together, found one of them"):format(kind)
  end
  for name in pairs(TLS_KEYS) do
    local value = secret[name]
    if value and (value:find("\0", 1, true) or not value:find("-----BEGIN ", 1, true)) then
      return ("%s credentials: %s: expected PEM"):format(kind, name)
    end
  end
end

--- The whole request; or nil and a message. It is redirected only when it holds nothing that is for the named host
--- alone.
--- @param parts table     what ask.place gave
--- @param request table   { method = "GET", path =, query = {{name, value}...}, headers = {}, body =, timeout =,
---   read =, keep = } (the last two: see README.md)
function ask.request(ctx, parts, request)
  local provider, secret = ctx.template.spec.provider, ctx.secret or {}
  local wrong = tls_fault(provider.type, secret)
  if wrong then return nil, wrong end
  local headers = request.headers or {}
  local tls = { insecure = provider.insecureSkipVerify == true or nil, ca = secret["ca.crt"], cert = secret["tls.crt"],
    key = secret["tls.key"] }
  return {
    method = request.method or "GET",
    url = address.url(parts, request.path, request.query),
    headers = headers,
    body = request.body,
    timeout = request.timeout or TIMEOUT,
    max_bytes = ask.MAX_BYTES,
    tls = next(tls) and tls or nil,
    follow = next(headers) == nil and not ctx.secret and request.body == nil,
    read = request.read,
    keep = request.keep,
  }
end

return ask
