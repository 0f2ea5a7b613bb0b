--- Events of a tick: collected while it runs, told when it has ended.

local hooks = require("canary.hooks")
local rfc3339 = require("util.rfc3339")

local notify = {}

--- @param kind string  "Normal" or "Warning"
--- @param phase string?  what the event webhook shall call the phase, when it is not yet the status'
function notify.event(ctx, kind, message, phase)
  ctx.events[#ctx.events + 1] = { kind = kind, message = message, phase = phase or ctx.status.phase or "" }
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

local function call_receivers(ctx, event)
  local receivers = hooks.of(ctx, "event")
  local default = ctx.host.settings.event_webhook
  if #receivers == 0 and default and default ~= "" then receivers = { { name = "event", url = default } } end
  if #receivers == 0 then return end
  local extra = {
    eventMessage = event.message,
    eventType = event.kind,
    timestamp = tostring(math.floor(ctx.host.clock.now() * 1000)),
  }
  ctx.host.spawn(function()
    for _, hook in ipairs(receivers) do
      local ok, message = hooks.call(ctx, hook, event.phase, extra)
      if not ok then
        ctx.host.log.error(("event webhook %s failed: %s"):format(hook.name, message), { canary = ctx.label })
      end
    end
  end)
end

--- Tells everything that was collected.
function notify.flush(ctx)
  for _, event in ipairs(ctx.events) do
    ctx.host.log.info(event.message, { canary = ctx.label })
    ctx.host.kube.event(event_object(ctx, event))
    if ctx.canary then call_receivers(ctx, event) end
  end
  ctx.events = {}
end

return notify
