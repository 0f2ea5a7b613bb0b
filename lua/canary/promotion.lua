--- From an analysed revision to one that the primary runs, and what happens when it cannot.

local acceptance = require("canary.acceptance")
local act = require("canary.act")
local alerts = require("canary.alerts")
local notify = require("canary.notify")
local outcome = require("canary.outcome")
local percent = require("util.percent")
local rfc3339 = require("util.rfc3339")
local scaling = require("canary.scaling")
local status = require("canary.status")
local timing = require("canary.timing")
local tracked = require("canary.tracked")

local promotion = {}

--- The primary could not take the promoted revision: traffic goes, or stays, on the canary.
function promotion.failed(ctx, message)
  local stop = act.shift(ctx, { primary = 0, canary = 100, mirrored = false })
  if stop then return stop end
  stop = status.enter(ctx, "Failed", {
    canaryWeight = 100, failedChecks = 0, iterations = 0, pendingHooks = outcome.pending(ctx),
    waiting = { ["for"] = "repair", since = rfc3339.format(ctx.now, 6) },
  }, "Promotion failed, traffic is on the canary.")
  if stop then return stop end
  notify.warning(ctx, ("Promotion of %s failed, primary not ready: %s"):format(ctx.target_label, message))
  alerts.send(ctx, "error", "Promotion failed, primary not ready: " .. message)
  ctx.host.metrics.failed(ctx.canary, status.run_seconds(ctx))
  return outcome.post_rollout(ctx) or {}
end

--- A primary that becomes ready after all ends the promotion that failed.
function promotion.recovered(ctx)
  if not ctx.primary_ready then return {} end
  notify.normal(ctx, ("%s-primary.%s is ready, the promotion goes on"):format(
    ctx.canary.target.name, ctx.namespace))
  return status.enter(ctx, "Promoting", {}) or { after = ctx.canary.analysis.interval }
end

--- After a promotion that failed the canary carries the traffic, and the primary is what is broken: the next
--- revision repairs the primary first, and traffic stays where it is well.
function promotion.repair(ctx)
  if not status.is(ctx, "Failed") or (ctx.status.canaryWeight or 0) ~= 100 then return nil end
  if ctx.revision == ctx.status.lastAppliedSpec and not tracked.changed(ctx, ctx.configs) then
    return promotion.recovered(ctx)
  end
  if not ctx.canary_ready then return { after = ctx.canary.analysis.interval } end
  notify.normal(ctx, ("New revision detected! Repairing %s-primary.%s"):format(ctx.canary.target.name, ctx.namespace))
  ctx.status.lastAppliedSpec = ctx.revision
  local stop = act.promote(ctx)
  if stop then return stop end
  stop = status.enter(ctx, "Promoting", {
    lastAppliedSpec = ctx.revision, lastPromotedSpec = ctx.revision, trackedConfigs = ctx.configs.sums })
  return stop or { after = ctx.canary.analysis.interval }
end

--- A primary that is not ready gets no more traffic; nothing else happens meanwhile.
function promotion.primary_ready(ctx)
  if ctx.primary_ready then return nil end
  local message = ("%s-primary.%s not ready: %s"):format(ctx.canary.target.name, ctx.namespace, ctx.primary_message)
  if status.is(ctx, "Promoting", "Finalising") and not ctx.primary_retriable then
    return promotion.failed(ctx, message)
  end
  notify.once(ctx, "Warning", message)
  return { after = ctx.canary.analysis.interval }
end

--- skipAnalysis: the revision is promoted as it is. The primary's rollout is awaited all the same.
function promotion.skip(ctx)
  if not ctx.canary.skip_analysis or not status.is(ctx, "Progressing", "WaitingPromotion") then return nil end
  local stop = act.to_primary(ctx)
  if stop then return stop end
  return promotion.promote(ctx)
end

--- Copies the analysed revision to the primary.
--- @param fields table?  further fields of the status: why
function promotion.promote(ctx, fields)
  local stop = scaling.whole(ctx) or act.promote(ctx)
  if stop then return stop end
  fields = fields or {}
  fields.lastPromotedSpec = ctx.revision
  stop = status.enter(ctx, "Promoting", fields)
  return stop or { after = ctx.canary.analysis.interval }
end

--- Waits for the pods that the primary needs for all of the traffic, before the first of it comes back; not for
--- longer than a rollout may take, since a promotion that stands still is no better.
function promotion.reserve(ctx)
  local before_the_first = ctx.routes.canary >= math.min(100, ctx.canary.analysis.max_weight)
  if not before_the_first or ctx.now > status.last_step(ctx) + ctx.canary.progress_deadline then return nil end
  return act.reserve(ctx)
end

--- The primary runs the new revision: traffic goes back to it, at once or in steps.
function promotion.promoting(ctx)
  if not status.is(ctx, "Promoting") then return nil end
  local wait = timing.settled(ctx, ctx.primary)
  if wait then return wait end
  local stop = act.scale_primary(ctx) or promotion.reserve(ctx)
  if stop then return stop end
  local step, live = ctx.canary.analysis.step_weight_promotion, ctx.routes.canary
  if not ctx.router.weighted and not ctx.router.matches then
    stop = status.enter(ctx, "Finalising", { canaryWeight = 0, iterations = 0 })
    return stop or { after = ctx.canary.analysis.interval }
  end
  local walks = step > 0 and live > 0 and ctx.kind.available(ctx.target) > 0
  wait = walks and (timing.due(ctx) or acceptance.wait(ctx)) or nil
  if wait then return wait end
  if walks and live > step then
    local left = percent.less(live, step)
    stop = act.shift(ctx, { primary = percent.less(100, left), canary = left, mirrored = false })
    if stop then return stop end
    notify.normal(ctx, ("Advance %s primary weight %g"):format(ctx.label, percent.less(100, left)))
    stop = status.step(ctx, { canaryWeight = left })
    return stop or { after = ctx.canary.analysis.interval }
  end
  stop = act.to_primary(ctx)
  if stop then return stop end
  notify.normal(ctx,
    step > 0 and ("Advance %s primary weight 100"):format(ctx.label) or "Routing all traffic to primary")
  stop = status.enter(ctx, "Finalising", { canaryWeight = 0, iterations = 0 })
  return stop or { after = ctx.canary.analysis.interval }
end

--- The last traffic has left the canary: it is scaled down, and the release is over.
function promotion.finalising(ctx)
  if not status.is(ctx, "Finalising") then return nil end
  local wait = timing.due(ctx)
  if wait then return wait end
  local stop = act.scale_primary(ctx) or act.to_primary(ctx) or acceptance.wait(ctx) or act.scale_down(ctx)
  if stop then return stop end
  stop = status.enter(ctx, "Succeeded", {
    canaryWeight = 0, iterations = 0, failedChecks = 0, pendingHooks = outcome.pending(ctx),
    scaled = scaling.over(ctx) })
  if stop then return stop end
  ctx.host.metrics.succeeded(ctx.canary, status.run_seconds(ctx))
  alerts.send(ctx, "info", ctx.canary.skip_analysis and "Canary analysis was skipped, promotion finished."
    or "Canary analysis completed successfully, promotion finished.")
  local closing = ctx.canary.skip_analysis and "Promotion completed! Canary analysis was skipped for %s"
    or "Promotion completed! Scaling down %s"
  return outcome.post_rollout(ctx, closing:format(ctx.target_label)) or {}
end

return promotion
