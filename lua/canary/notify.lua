--- Events of a tick: collected while it runs, told when it has ended.

local access = require("canary.access")
local alerts = require("canary.alerts")
local hooks = require("canary.hooks")
local rfc3339 = require("util.rfc3339")

local notify = {}

--- @param kind string  "Normal" or "Warning"
--- @param phase string?  what the event webhook shall call the phase, when it is not yet the status'
function notify.event(ctx, kind, message, phase)
  ctx.events[#ctx.events + 1] = { kind = kind, message = message, phase = phase or ctx.status.phase or "",
    at = ctx.host.clock.now(), checksum = ctx.canary and hooks.checksum(ctx.status) }
end

function notify.normal(ctx, message, phase) notify.event(ctx, "Normal", message, phase) end
function notify.warning(ctx, message, phase) notify.event(ctx, "Warning", message, phase) end

--- An event that is told once in a phase, so that waiting is not noise.
function notify.once(ctx, kind, message)
  local said = ctx.memory.said or {}
  ctx.memory.said = said
  if said[message] then return end
  said[message] = true
  notify.event(ctx, kind, message)
end

--- The Event object of one message. COMPAT: reason and component are Flagger's.
local function event_object(ctx, event)
  local now = rfc3339.format(ctx.host.clock.now())
  return {
    apiVersion = "v1",
    kind = "Event",
    metadata = {
      name = ("%s.%s"):format(ctx.name, ctx.host.unique()),
      namespace = ctx.namespace,
    },
    involvedObject = {
      apiVersion = ctx.object.apiVersion or "flagger.app/v1beta1",
      kind = "Canary",
      name = ctx.name,
      namespace = ctx.namespace,
      uid = ctx.object.metadata.uid,
      resourceVersion = ctx.object.metadata.resourceVersion,
    },
    reason = "Synced",
    message = event.message:sub(1, 1024),
    type = event.kind,
    source = { component = "flagger" },
    firstTimestamp = now,
    lastTimestamp = now,
    count = 1,
  }
end

local OUTBOX = 200 -- events that wait for their receivers; what is more is dropped, and said in the log

--- What the event webhook is sent for one event, as things are now.
local function webhook_body(ctx, hook, event)
  local metadata = {}
  for key, value in pairs(hook.metadata or {}) do metadata[key] = value end
  metadata.eventMessage, metadata.eventType = event.message, event.kind
  metadata.timestamp = tostring(math.floor(event.at * 1000))
  return hooks.body(ctx, event.phase, metadata, hook.payload == "full", event.checksum)
end

local function lost(ctx, hook, why)
  ctx.host.log.error(("event webhook %s failed: %s"):format(hook.name, why), { canary = ctx.label })
end

--- Delivers what is in the outbox, in order, beside the tick.
local function deliver(ctx, outbox)
  if outbox.sending then return end
  outbox.sending = true
  ctx.host.spawn(function()
    while #outbox > 0 do
      local letter = table.remove(outbox, 1)
      local ok, message = hooks.send(ctx, letter.hook, letter.body, letter.given)
      if not ok then lost(ctx, letter.hook, message) end
    end
    outbox.sending = false
  end)
end

--- COMPAT: the Canary's own `event` hooks; the process' when it has none, or when the Canary cannot be read.
local function receivers_of(ctx)
  local receivers = ctx.canary and hooks.of(ctx, "event") or {}
  local default = ctx.host.settings.event_webhook
  if #receivers == 0 and default and default ~= "" then return { { name = "event", url = default } } end
  return receivers
end

local function post(ctx, event)
  local outbox = ctx.memory.outbox or {}
  ctx.memory.outbox = outbox
  for _, hook in ipairs(receivers_of(ctx)) do
    local given, message = access.read(ctx, hook)
    if not given then lost(ctx, hook, message)
    elseif #outbox >= OUTBOX then lost(ctx, hook, ("%d events are waiting already"):format(OUTBOX))
    else outbox[#outbox + 1] = { hook = hook, body = webhook_body(ctx, hook, event), given = given } end
  end
  if #outbox > 0 then deliver(ctx, outbox) end
end

--- Tells everything that was collected.
function notify.flush(ctx)
  for _, event in ipairs(ctx.events) do
    ctx.host.log.info(event.message, { canary = ctx.label })
    ctx.host.kube.event(event_object(ctx, event))
    post(ctx, event)
  end
  ctx.events = {}
  alerts.flush(ctx)
end

local PATIENCE, PAUSE = 2, 0.02 -- seconds

--- Waits until the event webhooks have what was told, so that a receiver sees events and hooks in their order;
--- a receiver that does not answer holds nothing up for longer than PATIENCE.
function notify.delivered(ctx)
  local outbox, waited = ctx.memory.outbox, 0
  while outbox and outbox.sending and waited < PATIENCE do
    ctx.host.clock.sleep(PAUSE)
    waited = waited + PAUSE
  end
end

return notify
