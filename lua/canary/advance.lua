--- One step of the analysis: check, decide, and act on the decision.

local acceptance = require("canary.acceptance")
local act = require("canary.act")
local alerts = require("canary.alerts")
local analyse = require("canary.analyse")
local flagger = require("policies.flagger")
local gates = require("canary.gates")
local groups = require("canary.groups")
local hooks = require("canary.hooks")
local intents = require("canary.intents")
local notify = require("canary.notify")
local promotion = require("canary.promotion")
local release = require("canary.release")
local rfc3339 = require("util.rfc3339")
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
  notify.normal(ctx, ("Promoting %s manual intent"):format(ctx.label))
  return then_finish(ctx, promotion.promote(ctx))
end

--- What happened to the others of the group happens to this one.
function advance.together(ctx)
  if not status.is(ctx, "Progressing", "WaitingPromotion") then return nil end
  local verdict, name, stop = groups.verdict(ctx)
  if stop then return stop end
  if verdict == "promote" then
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

--- Evidence as the status keeps it.
local function evidence(ctx, checks)
  local json = require("json")
  local out = json.array()
  for _, item in ipairs(checks) do
    out[#out + 1] = {
      name = item.name, verdict = item.verdict, rule = item.rule,
      value = item.value ~= nil and tostring(item.value):sub(1, 256) or nil,
      query = item.query and item.query:sub(1, 1024), at = rfc3339.format(ctx.now),
    }
  end
  return out
end

local function decide(ctx, failed)
  return flagger.decide({
    strategy = ctx.canary.strategy,
    analysis = ctx.canary.analysis,
    now = {
      weight = ctx.routes.canary,
      mirrored = ctx.routes.mirrored == true,
      iterations = ctx.status.iterations or 0,
      failed_checks = failed,
      passed = ctx.checks == "passed",
    },
  })
end

--- Asks the confirm-promotion hooks. nil when all agree, else a stop.
local function confirm_promotion(ctx, checks)
  local hook = gates.refused(ctx, "confirm-promotion", "Progressing", function(passed)
    notify.normal(ctx, ("Confirm-promotion check %s passed"):format(passed.name))
  end)
  if not hook then return nil end
  if ctx.status.phase == "WaitingPromotion" then return status.step(ctx, { checks = checks }) or ends(ctx) end
  notify.warning(ctx, ("Halt %s advancement waiting for promotion approval %s"):format(ctx.label, hook.name))
  local stop = status.enter(ctx, "WaitingPromotion", { checks = checks })
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

local function confirm_increase(ctx, checks)
  if ctx.canary.strategy ~= "canary" or ctx.routes.mirrored then return nil end
  if ctx.status.phase == "WaitingPromotion" then return nil end
  local hook = gates.refused(ctx, "confirm-traffic-increase", "Progressing", function(passed)
    notify.normal(ctx, ("Confirm-traffic-increase check %s passed"):format(passed.name))
  end)
  if not hook then return nil end
  notify.once(ctx, "Warning",
    ("Halt %s advancement waiting for traffic increase approval %s"):format(ctx.label, hook.name))
  local since = unapproved(ctx)
  local stop = status.step(ctx, { checks = checks, waiting = since or {
    ["for"] = "approval", since = rfc3339.format(ctx.now, 6), detail = hook.name:sub(1, 256) } })
  if stop then return stop end
  if not since and not hook.muteAlert then
    alerts.send(ctx, "warn", "Canary traffic increase is waiting for approval.")
  end
  return ends(ctx)
end

--- Why a step that its checks allow is not made now: a person, a window. nil, or a stop.
local function held(ctx, checks)
  local why, after = nil, ctx.canary.analysis.interval
  local stop = windows.closed(ctx)
  if stop and stop.problem then return stop end
  if stop then why, after = stop.closed, math.min(after, stop.after) end
  if ctx.status.paused then why = "resume" end
  if not why then return nil end
  notify.once(ctx, "Normal", ("Holding %s at weight %d: waiting for %s"):format(ctx.label, ctx.routes.canary, why))
  local since = (ctx.status.waiting or {})["for"] == why and ctx.status.waiting.since or rfc3339.format(ctx.now, 6)
  return status.step(ctx, { checks = checks, waiting = { ["for"] = why, since = since } }) or { after = after }
end

--- Waits for the others of the group at the last step. nil when all are here, else a stop.
local function barrier(ctx, checks)
  local name, stop = groups.straggler(ctx)
  if stop then return stop end
  if not name then return nil end
  notify.once(ctx, "Normal", ("Holding %s at its last step: waiting for %s of its group"):format(ctx.label, name))
  return status.step(ctx, { checks = checks, waiting = groups.field(ctx, name) }) or ends(ctx)
end

local function report_step(ctx, decision)
  local analysis = ctx.canary.analysis
  if decision.weight and decision.weight > 0 then
    notify.normal(ctx, ("Advance %s canary weight %d"):format(ctx.label, decision.weight))
  elseif decision.iterations and decision.iterations <= analysis.iterations then
    notify.normal(ctx,
      ("Advance %s canary iteration %d/%d"):format(ctx.label, decision.iterations, analysis.iterations))
  elseif decision.iterations and ctx.router.weighted then
    notify.normal(ctx, analysis.mirror and "Stop traffic mirroring and route all traffic to canary"
      or "Routing all traffic to canary")
  end
end

local function step(ctx, decision, checks)
  if decision.gate then
    local stop = confirm_promotion(ctx, checks)
    if stop then return stop end
  end
  if decision.routes then
    local stop = act.shift(ctx, decision.routes)
    if stop then return stop end
  end
  report_step(ctx, decision)
  local fields = { canaryWeight = decision.weight, iterations = decision.iterations, checks = checks }
  return status.step(ctx, fields) or ends(ctx)
end

local function promote(ctx, decision, checks)
  local asked = decision.approved or groups.at_barrier(ctx.object)
  local stop = not asked and confirm_promotion(ctx, checks) or barrier(ctx, checks)
  if stop then return stop end
  return promotion.promote(ctx)
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
  local checks = evidence(ctx, { { name = "route", verdict = "error", rule = "accepted", value = ctx.unaccepted } })
  return status.step(ctx, { failedChecks = failed, checks = checks, waiting = acceptance.field(ctx) }) or ends(ctx)
end

--- The check of this interval and what follows from it.
function advance.step(ctx)
  ctx.analysed = true
  local passed, results = check(ctx)
  ctx.checks = passed and "passed" or "failed"
  local failed = (ctx.status.failedChecks or 0) + (passed and 0 or 1)
  local checks = evidence(ctx, results)
  local decision = decide(ctx, failed)
  if decision.action == "rollback" then
    ctx.status.failedChecks = failed
    return release.rollback(ctx)
  end
  if decision.action == "hold" then
    return status.step(ctx, { failedChecks = failed, checks = checks, waiting = unapproved(ctx) }) or ends(ctx)
  end
  local stop = held(ctx, checks) or confirm_increase(ctx, checks)
  if stop then return stop end
  if decision.action == "promote" then return promote(ctx, decision, checks) end
  return step(ctx, decision, checks)
end

return advance
