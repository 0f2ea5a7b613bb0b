--- A target that is deleted takes its pods along: what traffic they had goes back to the primary at once.

local act = require("canary.act")
local arms = require("canary.arms")
local cluster = require("canary.cluster")
local notify = require("canary.notify")
local observe = require("canary.observe")
local phase = require("canary.phase")
local status = require("canary.status")

local lost = {}

--- The primary as it is, without a target to compare it with. False when there is nothing to route to.
local function read_primary(ctx)
  local kind = ctx.kind
  if kind.arms then return false end
  ctx.primary = cluster.get(ctx, kind.api_version, kind.kind, ctx.canary.target.name .. "-primary")
  if not ctx.primary then return false end
  ctx.primary_ready = kind.available(ctx.primary) > 0
  return ctx.primary_ready
end

--- nil when there is nothing to take back, or a stop.
local function withdraw(ctx)
  if phase.initial(ctx.status.phase or "") or not read_primary(ctx) then return nil end
  if observe.router(ctx) or observe.read_route(ctx) then return nil end
  ctx.routes = ctx.router.routes(ctx.canary, ctx.seen)
  if not ctx.routes or (ctx.routes.canary == 0 and not ctx.routes.mirrored) then return nil end
  local stop = act.to_primary(ctx)
  if stop then return stop end
  notify.event(ctx, "Warning",
    ("The target is gone! Routing all traffic to %s-primary.%s"):format(ctx.canary.target.name, ctx.namespace))
  return status.write(ctx, { canaryWeight = 0 })
end

--- Step of canary.tick: the target, or the problem that it is gone, when nothing is sent to it any more.
function lost.target(ctx)
  local stop = arms.target(ctx)
  if not stop or stop.reason ~= "TargetMissing" then return stop end
  return withdraw(ctx) or stop
end

return lost
