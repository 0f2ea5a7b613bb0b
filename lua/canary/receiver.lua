--- Where alerts go: an AlertProvider with its Secret, or the chat that the flags name.
--
-- { name, provider?, type, address, token?, ca?, proxy?, channel?, username? }; `provider` is the AlertProvider.
-- `secretRef.name` names a Secret beside the AlertProvider. Its keys:
--   address   the URL, instead of spec.address
--   token     sent as `Bearer <token>` to chats that know tokens
--   ca.crt    PEM; whom to trust instead of the system's authorities

local digest = require("digest")
local registry = require("util.registry")
local words = require("util.text")

local receiver = {}

local API, KIND = "flagger.app/v1beta1", "AlertProvider"
local KEYS = { address = "address", token = "token", ca = "ca.crt" }
local ADDRESS_BYTES = 4096
local URL = "a URL that begins with http:// or https://"

local function filled(value) return type(value) == "string" and value ~= "" and value or nil end

local function shown(value)
  return type(value) == "string" and ("%q"):format(words.cut(value, 64)) or type(value)
end

local function is_url(value)
  return type(value) == "string" and #value <= ADDRESS_BYTES and not value:find("[%c%s]")
    and value:lower():find("^https?://[^/?#]") ~= nil
end

local function is_proxy(value)
  return type(value) == "string" and #value <= ADDRESS_BYTES and not value:find("[%c%s]")
    and value:find("^%a[%w+.-]*://[^/?#]") ~= nil
end

--- What is wrong with the flags, when something is.
local function flag_problem(to, flag, proxy_flag)
  if not is_url(to.address) then return ("flag -%s: expected %s, found another text"):format(flag, URL) end
  if to.proxy and not is_proxy(to.proxy) then
    return ("flag -%s: expected a URL, found %s"):format(proxy_flag, shown(to.proxy))
  end
end

--- The receiver that the flags name; nil without one, or nil and what is wrong with them.
--- COMPAT: Teams goes before Slack, and Slack needs a channel.
function receiver.of_flags(settings)
  local to, problem
  if filled(settings.msteams_url) then
    to = { name = "msteams", type = "msteams", address = settings.msteams_url,
      proxy = filled(settings.msteams_proxy_url) }
    problem = flag_problem(to, "msteams-url", "msteams-proxy-url")
  elseif filled(settings.slack_url) then
    if not filled(settings.slack_channel) then return nil, "empty Slack channel" end
    to = { name = "slack", type = "slack", address = settings.slack_url, proxy = filled(settings.slack_proxy_url),
      token = filled(settings.slack_token), channel = settings.slack_channel, username = filled(settings.slack_user) }
    problem = flag_problem(to, "slack-url", "slack-proxy-url")
  end
  if problem then return nil, problem end
  return to
end

--- The decoded data of a Secret; or nil and a message.
local function secret_of(host, namespace, name)
  local secret, message, code = host.kube.get({
    apiVersion = "v1", kind = "Secret", namespace = namespace, name = name })
  if not secret then
    return nil, code == "NOT_FOUND" and ("secret %s not found"):format(name) or ("secret %s: %s"):format(name, message)
  end
  local out = {}
  for field, key in pairs(KEYS) do
    local coded = (secret.data or {})[key]
    local text = coded and digest.unbase64(coded)
    if coded and not text then return nil, ("secret %s: %s: expected base64"):format(name, key) end
    out[field] = filled(text and text:gsub("%s+$", ""))
  end
  if not out.address then return nil, ("secret %s: expected the key address, found none"):format(name) end
  return out
end

local function check(to, from)
  if not registry.find("alerts", to.type) then
    return ("spec.type: expected the name of a chat, like slack, found %s"):format(shown(to.type))
  end
  if not is_url(to.address) then
    local found = from and "another text" or shown(to.address)
    local field = from and ("secret %s: address"):format(from) or "spec.address"
    return ("%s: expected %s, found %s"):format(field, URL, found)
  end
  if to.token and to.token:find("%c") then
    return ("secret %s: token: expected one line, found several"):format(from)
  end
  if to.proxy and not is_proxy(to.proxy) then
    return ("spec.proxy: expected a URL, found %s"):format(shown(to.proxy))
  end
end

--- Completes `to` by what the AlertProvider and its Secret say. Returns nil, or what is wrong.
local function read(host, provider, to)
  local spec = type(provider.spec) == "table" and provider.spec or {}
  to.type, to.address, to.proxy = filled(spec.type) or "", spec.address, filled(spec.proxy)
  to.channel, to.username = filled(spec.channel), filled(spec.username)
  if spec.secretRef == nil then return check(to) end
  local name = type(spec.secretRef) == "table" and filled(spec.secretRef.name)
  if not name then return "spec.secretRef.name: expected the name of a Secret, found none" end
  local secret, message = secret_of(host, provider.metadata.namespace, name)
  if not secret then return message end
  for field in pairs(KEYS) do to[field] = secret[field] end
  return check(to, name)
end

--- The receiver that an AlertProvider describes. Waits. Returns it, or it without an address and what is wrong with it,
--- or nil and why there is none.
function receiver.of_provider(host, namespace, name)
  local provider, message, code = host.kube.get({ apiVersion = API, kind = KIND, namespace = namespace, name = name })
  if not provider then return nil, code == "NOT_FOUND" and "not found" or message end
  local to = { name = ("%s.%s"):format(name, namespace), provider = provider }
  message = read(host, provider, to)
  return to, message
end

return receiver
