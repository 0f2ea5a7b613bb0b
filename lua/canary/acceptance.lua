--- A step counts from the moment at which the route's controller has taken it.
--
-- Routers that can see this say so by `accepted`. While the newest route is not accepted nothing is analysed, the
-- weight does not rise and no pods go; traffic can still be taken back. The moment is kept in this process' memory: one
-- that begins meanwhile counts from the write.

local notify = require("canary.notify")
local rfc3339 = require("util.rfc3339")
local status = require("canary.status")

local acceptance = {}

local FOR = "route"

--- Looks at the route as it is in `ctx.seen`; never stops. `ctx.unaccepted` is why it is not in force, or nil.
function acceptance.look(ctx)
  local ok, message = true, nil
  if ctx.router.accepted then ok, message = ctx.router.accepted(ctx.canary, ctx.seen) end
  ctx.unaccepted = not ok and message or nil
  if ctx.unaccepted then
    ctx.memory.unaccepted = true
  elseif ctx.memory.unaccepted then
    ctx.memory.unaccepted, ctx.memory.accepted_at = nil, ctx.now
  end
end

local function announced(ctx)
  local waiting = ctx.status.waiting
  return type(waiting) == "table" and waiting["for"] == FOR and waiting or nil
end

--- The status field that tells of the wait; its deadline is that of a rollout.
function acceptance.field(ctx)
  return announced(ctx) or {
    ["for"] = FOR, since = rfc3339.format(ctx.now, 6), detail = ctx.unaccepted:sub(1, 256),
    deadline = rfc3339.format(ctx.now + ctx.canary.progress_deadline, 6),
  }
end

--- True when the route has been waited for as long as a rollout may take.
function acceptance.is_late(ctx)
  local waiting = announced(ctx)
  return waiting ~= nil and ctx.now >= (rfc3339.parse(waiting.deadline) or ctx.now)
end

--- True when the status says already that the route is waited for.
function acceptance.is_announced(ctx)
  return announced(ctx) ~= nil
end

--- Says why, once.
function acceptance.tell(ctx)
  notify.once(ctx, "Warning", ctx.unaccepted)
end

--- nil when the route is accepted; else a stop, for as long as it is not: pods that may still be sent requests stay.
function acceptance.wait(ctx)
  if not ctx.unaccepted then return nil end
  acceptance.tell(ctx)
  local stop = not announced(ctx) and status.write(ctx, { waiting = acceptance.field(ctx) })
  return stop or { after = ctx.canary.analysis.interval }
end

return acceptance
