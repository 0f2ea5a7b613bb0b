--- Tells people, through AlertProviders or the process' own, what a Canary came to.
--
-- Collected while a tick runs, sent beside it when the decision is stored. What fails is logged and shown on the
-- AlertProvider; it never holds a release up.

local digest = require("digest")
local json = require("json")
local registry = require("util.registry")
local rfc3339 = require("util.rfc3339")

local alerts = {}

local API, KIND = "flagger.app/v1beta1", "AlertProvider"
local TIMEOUT = 5 -- seconds
local DEFAULTS = { channel = "general", username = "flagger" }

--- How traffic is divided, in words; nil when neither step is given.
local function routing_of(canary)
  local analysis = canary.analysis
  if canary.strategy == "ab-testing" then return "A/B Testing" end
  if canary.strategy == "blue-green" then return "Blue/Green" end
  if analysis.step_weights then
    return ("Weight steps: %s max: %d"):format(table.concat(analysis.step_weights, ","), analysis.given_max_weight)
  end
  if analysis.step_weight > 0 then
    return ("Weight step: %d max: %d"):format(analysis.step_weight, analysis.given_max_weight)
  end
end

local function fields_of(ctx, with_fields)
  local out, canary, cluster = {}, ctx.canary, ctx.host.settings.cluster_name or ""
  local function add(name, value)
    if value ~= nil then out[#out + 1] = { name = name, value = value } end
  end
  if with_fields then
    add("Target", ("%s/%s.%s"):format(canary.target.kind, canary.target.name, ctx.namespace))
    add("Failed checks threshold", tostring(canary.analysis.threshold))
    add("Progress deadline", ("%ds"):format(canary.progress_deadline))
    add("Traffic routing", routing_of(canary))
  end
  if cluster ~= "" then add("Cluster", cluster) end
  return out
end

--- Notes an alert for the end of the tick.
--- @param severity string    "info", "warn" or "error"
--- @param with_fields boolean?  with what the Canary is about
function alerts.send(ctx, severity, message, with_fields)
  ctx.alerts = ctx.alerts or {}
  table.insert(ctx.alerts, { canary = ctx.label, severity = severity, message = message:sub(1, 1024),
    fields = fields_of(ctx, with_fields) })
end

--- An alert that is sent once in a phase, so that waiting does not repeat it.
function alerts.once(ctx, severity, message)
  local sent = ctx.memory.alerted or {}
  ctx.memory.alerted = sent
  local key = (ctx.status.phase or "") .. message
  if sent.phase ~= ctx.status.phase then
    sent = { phase = ctx.status.phase }
    ctx.memory.alerted = sent
  end
  if sent[key] then return end
  sent[key] = true
  alerts.send(ctx, severity, message)
end

--- COMPAT: `info` and, as documented, no severity mean everything; `warn` means errors too.
local function wanted(severity, alert)
  if severity == nil or severity == "" or severity == "info" then return true end
  return severity == alert.severity or severity == "warn" and alert.severity == "error"
end

--- The process' own receiver: { type, address, ... }, nil without one; or nil and what is wrong with the flags.
function alerts.global(settings)
  if (settings.msteams_url or "") ~= "" then
    return { type = "msteams", address = settings.msteams_url, proxy = settings.msteams_proxy_url }
  end
  if (settings.slack_url or "") == "" then return nil end
  if (settings.slack_channel or "") == "" then return nil, "empty Slack channel" end
  return { type = "slack", address = settings.slack_url, proxy = settings.slack_proxy_url,
    token = settings.slack_token ~= "" and settings.slack_token or nil, channel = settings.slack_channel,
    username = settings.slack_user }
end

local function secret_of(ctx, ref)
  local secret, message, code = ctx.host.kube.get({
    apiVersion = "v1", kind = "Secret", namespace = ref.namespace, name = ref.name })
  if not secret then
    return nil, code == "NOT_FOUND" and ("secret %s not found"):format(ref.name) or message
  end
  local out = {}
  for _, key in ipairs({ "address", "token" }) do
    local text = (secret.data or {})[key]
    out[key] = text and digest.unbase64(text)
    if text and not out[key] then return nil, ("secret %s: %s: expected base64"):format(ref.name, key) end
    out[key] = out[key] and out[key]:gsub("%s+$", "")
  end
  if not out.address then return nil, ("secret %s: expected the key address, found none"):format(ref.name) end
  return out
end

--- Where an AlertProvider sends to; or nil and what is wrong.
local function receiver_of(ctx, provider)
  local spec = provider.spec or {}
  local out = { type = spec.type, address = spec.address, proxy = spec.proxy, channel = spec.channel,
    username = spec.username }
  if type(spec.secretRef) == "table" then
    local secret, message = secret_of(ctx, { namespace = provider.metadata.namespace, name = spec.secretRef.name })
    if not secret then return nil, message end
    out.address, out.token = secret.address, secret.token
  end
  return out
end

--- The http request for one alert; or nil and what is wrong with its receiver.
local function request_of(alert, to)
  local provider = registry.find("alerts", to.type or "")
  if not provider then return nil, ("spec.type: expected a kind of chat, found %s"):format(tostring(to.type)) end
  if type(to.address) ~= "string" or not to.address:find("^https?://[^/%s]+") then
    return nil, "address: expected a URL that begins with http:// or https://"
  end
  local full = { address = to.address, token = to.token, channel = to.channel or DEFAULTS.channel,
    username = to.username or DEFAULTS.username }
  local wants, message = provider.request(alert, full)
  if not wants then return nil, message end
  local headers = wants.headers or {}
  headers["Content-Type"] = "application/json"
  return { method = "POST", url = wants.url, headers = headers, body = json.encode(wants.body), timeout = TIMEOUT,
    proxy = (to.proxy or "") ~= "" and to.proxy or nil }
end

--- Sends one alert. True, or nil and why not; no address is in that sentence, for some of them are secret.
local function deliver(ctx, alert, to)
  local request, message = request_of(alert, to)
  if not request then return nil, message end
  local answer, failure = ctx.host.http.request(request)
  if not answer then return nil, "sending notification failed: " .. failure end
  if answer.status >= 200 and answer.status <= 299 then return true end
  return nil, ("sending notification bad response %d: %s"):format(answer.status, answer.body:sub(1, 256))
end

local function log(ctx, name, message)
  ctx.host.log.error(("alert provider %s: %s"):format(name, message), { canary = ctx.label })
end

--- Shows on an AlertProvider whether it works; written when that changes.
local function show(ctx, provider, failure)
  local status, message = failure and "False" or "True", (failure or "the last alert was delivered"):sub(1, 512)
  local old
  for _, item in ipairs((provider.status or {}).conditions or {}) do
    if item.type == "Ready" then old = item end
  end
  if old and old.status == status and old.message == message then return end
  local now = rfc3339.format(ctx.host.clock.now())
  local condition = { type = "Ready", status = status, reason = failure and "DeliveryFailed" or "Delivered",
    message = message, lastUpdateTime = now,
    lastTransitionTime = old and old.status == status and old.lastTransitionTime or now }
  local ref = { apiVersion = API, kind = KIND, namespace = provider.metadata.namespace, name = provider.metadata.name }
  local _, problem = ctx.host.kube.patch(ref, { status = { conditions = json.array({ condition }) } },
    { subresource = "status" })
  if problem then log(ctx, provider.metadata.name, problem) end
end

--- { name, to, provider?, alerts } for every receiver of what was collected.
local function plan(ctx, list)
  local entries, out = ctx.canary.analysis.alerts, {}
  if #entries == 0 then
    local to = alerts.global(ctx.host.settings)
    if to then out[1] = { name = to.type, to = to, alerts = list } end
    return out
  end
  for _, entry in ipairs(entries) do
    local mine, ref = {}, type(entry.providerRef) == "table" and entry.providerRef or {}
    for _, alert in ipairs(list) do
      if wanted(entry.severity, alert) then mine[#mine + 1] = alert end
    end
    if #mine > 0 then
      local namespace = (ref.namespace or "") ~= "" and ref.namespace or ctx.namespace
      local provider, message = ctx.host.kube.get({
        apiVersion = API, kind = KIND, namespace = namespace, name = ref.name or "" })
      local to
      if provider then to, message = receiver_of(ctx, provider) end
      out[#out + 1] = { name = tostring(ref.name), to = to, failure = message, provider = provider, alerts = mine }
    end
  end
  return out
end

--- Sends what was collected, beside the tick.
function alerts.flush(ctx)
  local list = ctx.alerts
  ctx.alerts = nil
  if not list or not ctx.canary then return end
  local receivers = plan(ctx, list)
  if #receivers == 0 then return end
  ctx.host.spawn(function()
    for _, receiver in ipairs(receivers) do
      local failure = not receiver.to and (receiver.failure or "not found") or nil
      for _, alert in ipairs(receiver.to and receiver.alerts or {}) do
        local ok, message = deliver(ctx, alert, receiver.to)
        failure = not ok and message or failure
      end
      if failure then log(ctx, receiver.name, failure) end
      if receiver.provider then show(ctx, receiver.provider, failure) end
    end
  end)
end

return alerts
