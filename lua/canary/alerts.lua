--- Tells people, through AlertProviders or the chat of the flags, what a Canary came to.
--
-- Collected while a tick runs, once what they tell is stored; sent beside it, in order. What fails is logged and shown
-- on the AlertProvider; it never holds a release up.

local delivery = require("canary.delivery")
local receiver = require("canary.receiver")
local words = require("util.text")

local alerts = {}

local MESSAGE_BYTES = 1024
local OUTBOX = 100 -- alerts of a Canary that wait for one receiver; what is more is dropped, and said in the log

--- How traffic is divided, in words; nil when neither step is given.
local function routing_of(canary)
  local analysis = canary.analysis
  if canary.strategy == "ab-testing" then return "A/B Testing" end
  if canary.strategy == "blue-green" then return "Blue/Green" end
  if analysis.step_weights then
    local steps = {}
    for index, weight in ipairs(analysis.step_weights) do steps[index] = tostring(weight) end
    return ("Weight steps: %s max: %d"):format(table.concat(steps, ","), analysis.given_max_weight)
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
  if cluster ~= "" then add("Cluster", cluster) end
  if with_fields then
    add("Target", ("%s/%s.%s"):format(canary.target.kind, canary.target.name, ctx.namespace))
    add("Failed checks threshold", tostring(canary.analysis.threshold))
    add("Progress deadline", ("%ds"):format(canary.progress_deadline))
    add("Traffic routing", routing_of(canary))
  end
  return out
end

--- Notes an alert. Called once what it tells is stored, and as often as it shall be told.
--- @param severity string       "info", "warn" or "error"
--- @param with_fields boolean?  with what the Canary is about
function alerts.send(ctx, severity, message, with_fields)
  ctx.alerts = ctx.alerts or {}
  table.insert(ctx.alerts, { canary = ctx.label, severity = severity, message = words.cut(message, MESSAGE_BYTES),
    fields = fields_of(ctx, with_fields) })
end

--- COMPAT: `info` and, as documented, no severity mean everything; `warn` means errors too.
local function wanted(severity, alert)
  if severity == nil or severity == "" or severity == "info" then return true end
  return severity == alert.severity or severity == "warn" and alert.severity == "error"
end

local function complain(from, name, message, detail)
  local said = detail and ": " .. words.collapse(detail) or ""
  from.host.log.error(("alert provider %s: %s%s"):format(name, message, said), { canary = from.label })
end

local function deliver(from, alert, to, problem)
  local ok, message, detail = nil, problem, nil
  if not problem then ok, message, detail = delivery.send(from.host, alert, to) end
  if not ok then complain(from, to.name, message, detail) end
  if not to.provider then return end
  problem = delivery.show(from.host, to.provider, not ok and message or nil)
  if problem then complain(from, to.name, problem) end
end

--- Tells one alert to an AlertProvider, or to the chat of the flags.
local function tell(from, alert, ref)
  if not ref.name then return deliver(from, alert, receiver.of_flags(from.host.settings)) end
  local to, problem = receiver.of_provider(from.host, ref.namespace, ref.name)
  if not to then return complain(from, ref.label, problem) end
  deliver(from, alert, to, problem)
end

--- What an entry of `spec.analysis.alerts` refers to; nil when it names nothing.
local function reference(from, entry)
  local ref = type(entry) == "table" and entry.providerRef
  local name = type(ref) == "table" and ref.name
  if type(name) ~= "string" or name == "" then return nil end
  local namespace = type(ref.namespace) == "string" and ref.namespace ~= "" and ref.namespace or from.namespace
  return { namespace = namespace, name = name, label = ("%s.%s"):format(name, namespace) }
end

--- Puts an alert into the outbox of its receiver, which is emptied in order, beside the tick; no receiver waits for
--- another one.
local function post(from, outboxes, alert, ref)
  local outbox = outboxes[ref.label] or {}
  outboxes[ref.label] = outbox
  if #outbox >= OUTBOX then
    return complain(from, ref.label, ("%d alerts are waiting already, dropped: %s"):format(OUTBOX, alert.message))
  end
  outbox[#outbox + 1] = alert
  if outbox.sending then return end
  outbox.sending = true
  from.host.spawn(function()
    while #outbox > 0 do tell(from, table.remove(outbox, 1), ref) end
    outboxes[ref.label] = nil
  end)
end

local function post_to_entries(from, outboxes, alert, entries)
  for index, entry in ipairs(entries) do
    local ref = reference(from, entry)
    if not ref then
      complain(from, "?", ("spec.analysis.alerts[%d].providerRef.name: expected a name, found none"):format(index - 1))
    elseif wanted(entry.severity, alert) then
      post(from, outboxes, alert, ref)
    end
  end
end

--- Sends what was noted, beside the tick. COMPAT: the chat of the flags hears of Canaries that name no receiver.
function alerts.flush(ctx)
  local list = ctx.alerts or {}
  ctx.alerts = nil
  if #list == 0 then return end
  local from = { host = ctx.host, label = ctx.label, namespace = ctx.namespace }
  local entries, chat = ctx.canary.analysis.alerts, receiver.of_flags(ctx.host.settings)
  ctx.memory.outboxes = ctx.memory.outboxes or {}
  for _, alert in ipairs(list) do
    post_to_entries(from, ctx.memory.outboxes, alert, entries)
    if #entries == 0 and chat then post(from, ctx.memory.outboxes, alert, { label = chat.name }) end
  end
end

return alerts
