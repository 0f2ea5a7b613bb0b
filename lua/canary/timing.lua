--- When the next step is due, and how long proxies get to follow.

local rfc3339 = require("util.rfc3339")
local status = require("canary.status")

local timing = {}

-- Seconds between a workload's last change of readiness and traffic that relies on it: the time that
-- endpoints take to reach the proxies, with the one-second resolution of condition times on top.
local SETTLE = 2
-- Seconds at most between the last traffic leaving a workload and the end of its pods.
local DRAIN = 10

--- Since when `object` has been seen in this state, for kinds that do not say it themselves; a new process begins anew.
local function seen_since(ctx, object)
  local seen, key = ctx.memory.settling or {}, object.metadata.name
  ctx.memory.settling = seen
  local state = ("%s %d"):format(object.metadata.generation or "", ctx.kind.available(object))
  if not seen[key] or seen[key].state ~= state then seen[key] = { state = state, at = ctx.now } end
  return seen[key].at
end

--- nil when `object` has been as it is for a moment, else a stop until then.
function timing.settled(ctx, object)
  local left = (ctx.kind.changed_at(object) or seen_since(ctx, object)) + SETTLE - ctx.now
  if left > 0 and left <= SETTLE + 1 then return { after = left } end
end

--- When a policy wants to be asked again, if it said so; what else is waited for has its own time.
local function wanted(ctx)
  local waiting = ctx.status.waiting
  return type(waiting) == "table" and waiting["for"] == "policy" and rfc3339.parse(waiting.deadline) or math.huge
end

--- nil when a step is due, else a stop until then. A step counts from the moment its route was accepted.
function timing.due(ctx)
  local since = math.max(status.last_step(ctx), ctx.memory.accepted_at or 0)
  local left = math.min(since + ctx.canary.analysis.interval, wanted(ctx)) - ctx.now
  -- a time in the future is a clock that was set back; it must not hold the release for longer than one interval
  if left > 0 and left <= ctx.canary.analysis.interval then return { after = left } end
end

function timing.drain_seconds(ctx)
  return math.min(ctx.canary.analysis.interval, DRAIN)
end

--- The status field that announces a drain ending `seconds` from now.
function timing.drain_field(ctx)
  return {
    ["for"] = "drain",
    since = rfc3339.format(ctx.now, 6),
    deadline = rfc3339.format(ctx.now + timing.drain_seconds(ctx), 6),
  }
end

--- True while a drain is announced in the status.
function timing.draining(ctx)
  local waiting = ctx.status.waiting
  return type(waiting) == "table" and waiting["for"] == "drain"
end

--- nil when the traffic that left the target is gone, else a stop. Announces the drain first.
function timing.drain(ctx)
  if not timing.draining(ctx) then
    local stop = status.write(ctx, { waiting = timing.drain_field(ctx) })
    return stop or { after = timing.drain_seconds(ctx) }
  end
  local left = (rfc3339.parse(ctx.status.waiting.deadline) or 0) - ctx.now
  if left > 0 and left <= DRAIN then return { after = left } end
end

return timing
