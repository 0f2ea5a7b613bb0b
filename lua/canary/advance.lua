--- One step of the analysis: check, decide, and act on the decision.

local acceptance = require("canary.acceptance")
local act = require("canary.act")
local alerts = require("canary.alerts")
local analyse = require("canary.analyse")
local gates = require("canary.gates")
local groups = require("canary.groups")
local hooks = require("canary.hooks")
local intents = require("canary.intents")
local judgement = require("canary.judgement")
local notify = require("canary.notify")
local pauses = require("canary.pauses")
local promotion = require("canary.promotion")
local release = require("canary.release")
local rfc3339 = require("util.rfc3339")
local scaling = require("canary.scaling")
local status = require("canary.status")
local timing = require("canary.timing")
local windows = require("canary.windows")

local advance = {}

local function ends(ctx) return { after = ctx.canary.analysis.interval } end

--- The intent is over when what it asked for is stored.
local function then_finish(ctx, stop)
  if stop.fail or stop.problem then return stop end
  return intents.finish(ctx, "done") or stop
end

--- A person who wants the revision rolled back gets it, whatever state its pods are in.
function advance.abort(ctx)
  if not intents.wants(ctx, "abort") then return nil end
  notify.warning(ctx, ("Rolling back %s manual intent"):format(ctx.label))
  return then_finish(ctx, release.rollback(ctx, "warn", "Rolling back manual intent"))
end

--- A person who wants the revision promoted gets it now, when its pods are ready.
function advance.promote_now(ctx)
  if not intents.wants(ctx, "promote") then return nil end
  local stop = scaling.whole(ctx)
  if stop then return stop end
  notify.normal(ctx, ("Promoting %s manual intent"):format(ctx.label))
  return then_finish(ctx, promotion.promote(ctx))
end

--- What happened to the others of the group happens to this one.
function advance.together(ctx)
  if not status.is(ctx, "Progressing", "WaitingPromotion") then return nil end
  local verdict, name, stop = groups.verdict(ctx)
  if stop then return stop end
  if verdict == "promote" then
    stop = scaling.whole(ctx)
    if stop then return stop end
    notify.normal(ctx, ("Promoting %s with %s of its group"):format(ctx.label, name))
    return promotion.promote(ctx)
  end
  if verdict == "rollback" then
    notify.warning(ctx, ("Rolling back %s, %s of its group failed"):format(ctx.label, name))
    return release.rollback(ctx, "error", ("Rolling back, %s of the group failed"):format(name))
  end
end

--- A hook that says yes rolls the revision back.
function advance.rollback_hooks(ctx)
  local wait = timing.due(ctx)
  if wait and not advance.first(ctx) then return wait end
  for _, hook in ipairs(hooks.of(ctx, "rollback")) do
    if gates.ask(ctx, hook, ctx.status.phase) then
      notify.warning(ctx, ("Rollback check %s passed"):format(hook.name))
      notify.warning(ctx, ("Rolling back %s manual webhook invoked"):format(ctx.label))
      return release.rollback(ctx, "warn", "Rolling back manual webhook invoked")
    end
    notify.once(ctx, "Normal", ("Rollback hook %s not signaling a rollback"):format(hook.name))
  end
end

--- True before the first request has reached the canary and before anything was checked in this run:
--- then nothing has to be waited for.
function advance.first(ctx)
  return advance.untouched(ctx) and (ctx.status.failedChecks or 0) == 0 and ctx.status.checks == nil
    and ctx.status.phase == "Progressing"
end

--- True while the canary has had no traffic.
function advance.untouched(ctx)
  return ctx.routes.canary == 0 and (ctx.status.iterations or 0) == 0 and not ctx.routes.mirrored
end

local function check(ctx)
  if not advance.untouched(ctx) then return analyse.run(ctx) end
  notify.once(ctx, "Normal", ("Starting canary analysis for %s"):format(ctx.target_label))
  local hook, message = gates.refused(ctx, "pre-rollout", "Progressing", function(passed)
    notify.normal(ctx, ("Pre-rollout check %s passed"):format(passed.name))
  end)
  if not hook then return true, {} end
  notify.warning(ctx, ("Halt %s advancement pre-rollout check %s failed %s"):format(ctx.label, hook.name, message))
  return false, { { name = hook.name, verdict = "fail", rule = "pre-rollout", value = message } }
end

--- The fields of this step's status and some more.
local function with(base, extra)
  local out = {}
  for name, value in pairs(base) do out[name] = value end
  for name, value in pairs(extra) do out[name] = value end
  return out
end

--- Asks the confirm-promotion hooks. nil when all agree, else a stop.
local function confirm_promotion(ctx, base)
  local hook = gates.refused(ctx, "confirm-promotion", "Progressing", function(passed)
    notify.normal(ctx, ("Confirm-promotion check %s passed"):format(passed.name))
  end)
  if not hook then return nil end
  if ctx.status.phase == "WaitingPromotion" then return status.step(ctx, with(base, {})) or ends(ctx) end
  notify.warning(ctx, ("Halt %s advancement waiting for promotion approval %s"):format(ctx.label, hook.name))
  local stop = status.enter(ctx, "WaitingPromotion", with(base, {}))
  if stop then return stop end
  if not hook.muteAlert then alerts.send(ctx, "warn", "Canary promotion is waiting for approval.") end
  return ends(ctx)
end

--- What the status says while a traffic increase waits for its approval; nil when none does. That it is said there
--- tells that people were told, to the next process too.
local function unapproved(ctx)
  local waiting = ctx.status.waiting
  return type(waiting) == "table" and waiting["for"] == "approval" and waiting or nil
end

local function confirm_increase(ctx, base)
  if ctx.canary.strategy ~= "canary" or ctx.routes.mirrored then return nil end
  if ctx.status.phase == "WaitingPromotion" then return nil end
  local hook = gates.refused(ctx, "confirm-traffic-increase", "Progressing", function(passed)
    notify.normal(ctx, ("Confirm-traffic-increase check %s passed"):format(passed.name))
  end)
  if not hook then return nil end
  notify.once(ctx, "Warning",
    ("Halt %s advancement waiting for traffic increase approval %s"):format(ctx.label, hook.name))
  local since = unapproved(ctx)
  local stop = status.step(ctx, with(base, { waiting = since or {
    ["for"] = "approval", since = rfc3339.format(ctx.now, 6), detail = hook.name:sub(1, 256) } }))
  if stop then return stop end
  if not since and not hook.muteAlert then
    alerts.send(ctx, "warn", "Canary traffic increase is waiting for approval.")
  end
  return ends(ctx)
end

--- Why a step that its checks allow is not made now: a person, a window. nil, or a stop.
local function held(ctx, base)
  local why, after = nil, ctx.canary.analysis.interval
  local stop = windows.closed(ctx)
  if stop and stop.problem then return stop end
  if stop then why, after = stop.closed, math.min(after, stop.after) end
  if ctx.status.paused then why = "resume" end
  if not why then return nil end
  notify.once(ctx, "Normal", ("Holding %s at weight %g: waiting for %s"):format(ctx.label, ctx.routes.canary, why))
  local since = (ctx.status.waiting or {})["for"] == why and ctx.status.waiting.since or rfc3339.format(ctx.now, 6)
  return status.step(ctx, with(base, { waiting = { ["for"] = why, since = since } })) or { after = after }
end

--- Waits for the others of the group at the last step. nil when all are here, else a stop.
local function barrier(ctx, base)
  local name, stop = groups.straggler(ctx)
  if stop then return stop end
  if not name then return nil end
  notify.once(ctx, "Normal", ("Holding %s at its last step: waiting for %s of its group"):format(ctx.label, name))
  return status.step(ctx, with(base, { waiting = groups.field(ctx, name) })) or ends(ctx)
end

local function report_step(ctx, decision)
  local analysis = ctx.canary.analysis
  if decision.weight and decision.weight > 0 then
    notify.normal(ctx, ("Advance %s canary weight %g"):format(ctx.label, decision.weight))
  elseif decision.iterations and decision.iterations <= analysis.iterations then
    notify.normal(ctx,
      ("Advance %s canary iteration %d/%d"):format(ctx.label, decision.iterations, analysis.iterations))
  elseif decision.iterations and ctx.router.weighted then
    notify.normal(ctx, analysis.mirror and "Stop traffic mirroring and route all traffic to canary"
      or "Routing all traffic to canary")
  end
end

local function step(ctx, decision, base)
  if decision.gate then
    local stop = confirm_promotion(ctx, base)
    if stop then return stop end
  end
  if decision.routes then
    local stop = act.shift(ctx, decision.routes)
    if stop then return stop end
  end
  report_step(ctx, decision)
  local fields = with(base, { canaryWeight = decision.weight, iterations = decision.iterations })
  -- a policy that no longer wants to promote
  local back = decision.weight and status.is(ctx, "WaitingPromotion")
  local stop
  if back then stop = status.enter(ctx, "Progressing", fields) else stop = status.step(ctx, fields) end
  return stop or ends(ctx)
end

local function promote(ctx, decision, base)
  local asked = decision.approved or groups.at_barrier(ctx.object)
  local stop = not asked and confirm_promotion(ctx, base) or barrier(ctx, base)
  if stop then return stop end
  return promotion.promote(ctx, with(base, {}))
end

--- Takes the traffic back; the threshold says why by itself, a policy in its own words.
local function roll_back(ctx, failed, judged)
  ctx.status.failedChecks = failed
  if failed >= ctx.canary.analysis.threshold then return release.rollback(ctx, nil, nil, judged.fields) end
  local reason = ("Rolling back, policy %s: %s"):format(judged.name, judged.decision.reason)
  notify.warning(ctx, ("Rolling back %s, policy %s: %s"):format(ctx.label, judged.name, judged.decision.reason))
  return release.rollback(ctx, "error", reason, judged.fields)
end

--- A policy that gives no decision holds the step. It keeps nothing from being rolled back.
local function without_decision(ctx, failed, judged)
  if failed >= ctx.canary.analysis.threshold then return roll_back(ctx, failed, judged) end
  local stop = status.step(ctx, with(judged.fields, { failedChecks = failed, waiting = unapproved(ctx) }))
  return stop or { problem = judged.problem, reason = "PolicyFailed", after = ctx.canary.analysis.interval }
end

--- Nothing is analysed before the route of the last step is in force. One that is not when a rollout would have failed
--- counts as a failed check, at each interval.
function advance.route(ctx)
  if not ctx.unaccepted then return nil end
  local wait = acceptance.is_announced(ctx) and timing.due(ctx)
  if wait then return wait end
  acceptance.tell(ctx)
  local failed = (ctx.status.failedChecks or 0) + (acceptance.is_late(ctx) and 1 or 0)
  if failed >= ctx.canary.analysis.threshold then
    ctx.status.failedChecks = failed
    return release.rollback(ctx)
  end
  local missing = { name = "route", verdict = "error", rule = "accepted", value = ctx.unaccepted }
  return status.step(ctx, { failedChecks = failed, checks = judgement.evidence(ctx, { missing }),
    waiting = acceptance.field(ctx) }) or ends(ctx)
end

--- The check of this interval and what follows from it.
function advance.step(ctx)
  ctx.analysed = true
  local passed, results, spared = check(ctx)
  ctx.checks = passed and "passed" or "failed"
  local failed = (ctx.status.failedChecks or 0) + ((passed or spared) and 0 or 1)
  local judged = judgement.make(ctx, results, failed)
  local decision, base = judged.decision, judged.fields
  if not passed then base = with(base, { failedChecks = failed }) end -- a policy may shift downwards then
  if not decision then return without_decision(ctx, failed, judged) end
  -- The threshold of the spec stands above every policy: one that forgets it keeps no failing canary in traffic.
  if decision.action == "rollback" or failed >= ctx.canary.analysis.threshold then
    return roll_back(ctx, failed, judged)
  end
  if decision.action == "hold" or decision.action == "pause" then
    return pauses.hold(ctx, judged, with(base, { failedChecks = failed, waiting = unapproved(ctx) }))
  end
  if decision.weight and decision.weight < ctx.routes.canary then return step(ctx, decision, base) end
  local stop = held(ctx, base) or scaling.follow(ctx, decision, base) or confirm_increase(ctx, base)
  if stop then return stop end
  if decision.action == "promote" then return promote(ctx, decision, base) end
  return step(ctx, decision, base)
end

return advance
