--- Brings one alert to one receiver, and shows on an AlertProvider whether it works.

local json = require("json")
local registry = require("util.registry")
local retry = require("canary.retry")
local rfc3339 = require("util.rfc3339")
local words = require("util.text")

local delivery = {}

local TIMEOUT = 5 -- seconds
local TRIES = 3
local DEFAULTS = { channel = "general", username = "flagger" }
local MESSAGE_BYTES = 512

--- The http request for one alert; or nil and a message.
local function request_of(provider, alert, to)
  local wants, message = provider.request(alert, { address = to.address, token = to.token,
    channel = to.channel or DEFAULTS.channel, username = to.username or DEFAULTS.username })
  if not wants then return nil, message end
  local body = wants.body
  if type(body) == "table" then body, message = json.encode(body) end
  if not body then return nil, message end
  local headers = { ["Content-Type"] = "application/json" }
  for name, value in pairs(wants.headers or {}) do headers[name] = value end
  -- a token is for the named host alone
  return { method = wants.method or "POST", url = wants.url, headers = headers, body = body, timeout = TIMEOUT,
    proxy = to.proxy, follow = not to.token, tls = to.ca and { ca = to.ca } or nil }
end

--- Tries until there is an answer that counts. What may have arrived is not sent again.
local function ask(host, request)
  local answer, message, code
  for try = 1, TRIES do
    answer, message, code = host.http.request(request)
    local again = answer and retry.worth(answer) or not answer and code == "UNREACHABLE"
    if not again or try == TRIES then break end
    host.clock.sleep(retry.pause(answer, try, host.clock.now()))
  end
  return answer, message
end

--- Sends one alert. Waits. True, or nil, why not, and what the receiver said to it. No address is in these, for some of
--- them are secret; what a receiver said is for the log, not for the AlertProvider, whose writer chose the address.
function delivery.send(host, alert, to)
  local provider = registry.find("alerts", to.type)
  local request, message = request_of(provider, alert, to)
  if not request then return nil, message end
  local answer, failure = ask(host, request)
  if not answer then return nil, "sending notification failed: " .. failure end
  if answer.status < 200 or answer.status > 299 then
    return nil, ("sending notification bad response %d"):format(answer.status), words.cut(answer.body, 256)
  end
  local wrong = provider.complaint and provider.complaint(answer)
  if wrong then return nil, "sending notification failed: " .. wrong, words.cut(answer.body, 256) end
  return true
end

--- The conditions with `Ready` set anew, or nil when it says so already.
local function conditions_of(provider, failure, now)
  local status = failure and "False" or "True"
  local message = words.cut(failure or "the last alert was delivered", MESSAGE_BYTES)
  local out, old, at = json.array(), nil, nil
  for index, item in ipairs((provider.status or {}).conditions or {}) do
    out[index] = item
    if item.type == "Ready" then old, at = item, index end
  end
  if old and old.status == status and old.message == message then return nil end
  local time = rfc3339.format(now)
  out[at or #out + 1] = { type = "Ready", status = status, reason = failure and "DeliveryFailed" or "Delivered",
    message = message, lastUpdateTime = time,
    lastTransitionTime = old and old.status == status and old.lastTransitionTime or time }
  return out
end

--- Shows on an AlertProvider how it went, when that has changed. Waits. Returns nil, or why that failed.
--- @param failure string?  nil: the alert was delivered
function delivery.show(host, provider, failure)
  local ref = { apiVersion = "flagger.app/v1beta1", kind = "AlertProvider", namespace = provider.metadata.namespace,
    name = provider.metadata.name }
  for try = 1, TRIES do
    local newest = host.kube.get(ref)
    local conditions = newest and conditions_of(newest, failure, host.clock.now())
    if not conditions then return nil end
    local stored, problem, code = host.kube.patch(ref, {
      metadata = { resourceVersion = newest.metadata.resourceVersion }, status = { conditions = conditions },
    }, { subresource = "status" })
    if stored then return nil end
    if code ~= "CONFLICT" or try == TRIES then return problem end
    host.clock.sleep(1)
  end
end

return delivery
