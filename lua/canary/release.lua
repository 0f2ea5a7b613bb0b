--- The steps of a run before its promotion: start, restart, rollback.

local acceptance = require("canary.acceptance")
local act = require("canary.act")
local alerts = require("canary.alerts")
local digest = require("digest")
local gates = require("canary.gates")
local intents = require("canary.intents")
local json = require("json")
local notify = require("canary.notify")
local outcome = require("canary.outcome")
local phase = require("canary.phase")
local queue = require("canary.queue")
local rfc3339 = require("util.rfc3339")
local scaling = require("canary.scaling")
local status = require("canary.status")
local timing = require("canary.timing")
local tracked = require("canary.tracked")
local windows = require("canary.windows")

local release = {}

-- what a revision waits for before its run; it is over when the revision is taken back
local BEFORE_A_RUN = { queue = true, window = true, freeze = true }
local OF_POLICIES = { "policyState", "approvals", "shadow" } -- what they remember of one revision
local NEVER = "s1-0" -- the hash of no revision

--- Hashes of another controller say nothing about our own; they are replaced by ours, and only a primary
--- that differs from the target tells of a revision that was never released.
local function foreign(hash)
  return hash ~= nil and hash ~= "" and not hash:find("^s1%-%x+$")
end

--- Goes on with what another controller began. COMPAT: while a promotion waits, Flagger shows a weight of 0 and
--- counts to -1.
function release.adopt(ctx)
  if not foreign(ctx.status.lastAppliedSpec) then return nil end
  local fields = { lastAppliedSpec = ctx.revision }
  local promoted = ctx.kind.same_revision(ctx.target, ctx.primary, act.copy_rule(ctx))
  if status.is(ctx, "Initialized", "Succeeded") then
    if not promoted then fields.lastAppliedSpec = NEVER end
    fields.lastPromotedSpec = fields.lastAppliedSpec
  elseif foreign(ctx.status.lastPromotedSpec) then
    fields.lastPromotedSpec = json.null
  end
  if (ctx.status.iterations or 0) < 0 then fields.iterations = 0 end
  if status.is(ctx, "WaitingPromotion") and ctx.canary.strategy == "canary" then
    fields.canaryWeight = ctx.routes.canary
  end
  return status.write(ctx, fields)
end

--- A rolled back target that returns to what the primary runs is no new revision, also when another controller
--- promoted that.
function release.adopt_promoted(ctx)
  if not status.is(ctx, "Failed") or ctx.status.lastPromotedSpec ~= nil then return nil end
  if ctx.revision == ctx.status.lastAppliedSpec then return nil end
  if not ctx.kind.same_revision(ctx.target, ctx.primary, act.copy_rule(ctx)) then return nil end
  return status.write(ctx, { lastPromotedSpec = ctx.revision })
end

--- Names a run: the Canary, its revision and configuration, and when it began.
local function run_id(ctx)
  return digest.sha256(("%s\n%s\n%s\n%.6f"):format(ctx.object.metadata.uid or "", ctx.revision,
    json.encode(ctx.configs.sums), ctx.now)):sub(1, 16)
end

--- The status at the beginning of a run. One that begins anew finds the pods of the last one's step.
local function run_fields(ctx, restarted)
  local fields = {
    canaryWeight = 0, failedChecks = 0, iterations = 0, checks = json.null, paused = json.null,
    scripts = ctx.status.scripts and json.null or nil,
    lastAppliedSpec = ctx.revision, trackedConfigs = ctx.configs.sums, runId = run_id(ctx),
    scaled = not restarted and scaling.over(ctx) or nil,
    runStartedAt = rfc3339.format(ctx.now),
  }
  for _, name in ipairs(OF_POLICIES) do
    if ctx.status[name] ~= nil then fields[name] = json.null end
  end
  return fields
end

--- True when the target or its configuration is a revision that no run has seen.
local function changed(ctx)
  local applied = ctx.status.lastAppliedSpec or ""
  if ctx.revision ~= applied and ctx.revision ~= ctx.status.lastPromotedSpec then return true end
  return tracked.changed(ctx, ctx.configs)
end

--- A rolled back target is scaled to zero when its traffic has left it.
local function finish_rollback(ctx)
  if not status.is(ctx, "Failed") or not timing.draining(ctx) then return nil end
  local wait = timing.drain(ctx)
  if wait then return wait end
  if ctx.unaccepted then
    acceptance.tell(ctx)
    return { after = ctx.canary.analysis.interval }
  end
  local stop = act.scale_down(ctx)
  if stop then return stop end
  return status.write(ctx, { waiting = json.null, scaled = scaling.over(ctx) })
end

--- Idle phases end here unless there is a new revision.
function release.idle(ctx)
  if phase.active(ctx.status.phase) or status.is(ctx, "Waiting") then return nil end
  if changed(ctx) or intents.wants(ctx, "retry") then return nil end
  if type(ctx.status.waiting) == "table" and BEFORE_A_RUN[ctx.status.waiting["for"]] then
    return status.write(ctx, { waiting = json.null }) or {}
  end
  return finish_rollback(ctx) or {}
end

local function why_withdrawn(ctx)
  if act.overtaken(ctx) then return "Normal", "New revision detected! Routing all traffic to %s-primary.%s" end
  return "Warning", "The canary has no ready pods! Routing all traffic to %s-primary.%s"
end

--- Traffic does not stay on a canary without a ready pod, nor on one that became another revision during its
--- promotion. Losing all pods counts as a failed check.
function release.withdraw(ctx)
  if ctx.routes.canary == 0 or not act.urgent(ctx) then return nil end
  local stop = act.to_primary(ctx)
  if stop and stop.reason == "Guard" then return nil end -- the primary is no better
  if stop then return stop end
  local kind, message = why_withdrawn(ctx)
  notify.event(ctx, kind, message:format(ctx.canary.target.name, ctx.namespace))
  if status.is(ctx, "Failed") then return nil end
  if not status.is(ctx, "Progressing", "WaitingPromotion") then return status.write(ctx, { canaryWeight = 0 }) end
  ctx.status.failedChecks = (ctx.status.failedChecks or 0) + 1
  if ctx.status.failedChecks >= ctx.canary.analysis.threshold then return release.rollback(ctx) end
  stop = status.step(ctx, { canaryWeight = 0, failedChecks = ctx.status.failedChecks })
  return stop or { after = ctx.canary.analysis.interval }
end

--- Asks for approval and starts the run of a new revision.
function release.start(ctx)
  if phase.active(ctx.status.phase) then return nil end
  if status.is(ctx, "Waiting") then
    local wait = timing.due(ctx)
    if wait then return wait end
  end
  local stop = windows.closed(ctx)
  if stop and stop.problem then return stop end
  if stop then return release.wait_for_window(ctx, stop) end
  if not queue.entered(ctx) then
    local hook = gates.refused(ctx, "confirm-rollout", ctx.status.phase, function(passed)
      notify.normal(ctx, ("Confirm-rollout check %s passed"):format(passed.name))
    end)
    if hook then return release.wait_for_approval(ctx, hook) end
  end
  stop = queue.turn(ctx)
  if stop then return stop end
  notify.normal(ctx, ("New revision detected! Scaling up %s"):format(ctx.target_label), "Progressing")
  stop = act.scale_up(ctx)
  if stop then return stop end
  stop = status.enter(ctx, "Progressing", run_fields(ctx))
  if stop then return stop end
  alerts.send(ctx, "info", "New revision detected, progressing canary analysis.", true)
  if intents.wants(ctx, "retry") then stop = intents.finish(ctx, "done") end
  return stop or { after = ctx.canary.analysis.interval }
end

--- Nothing begins while the window is closed; that is in the status, once.
function release.wait_for_window(ctx, stop)
  local waiting = ctx.status.waiting
  if not (type(waiting) == "table" and waiting["for"] == stop.closed) then
    local told = "New revision of %s detected, waiting for its %s"
    notify.once(ctx, "Normal", told:format(ctx.target_label, stop.closed))
    local failure = status.write(ctx, { waiting = { ["for"] = stop.closed, since = rfc3339.format(ctx.now, 6) } })
    if failure then return failure end
  end
  return { after = stop.after }
end

function release.wait_for_approval(ctx, hook)
  local stop
  if status.is(ctx, "Waiting") then
    stop = status.step(ctx, {})
  else
    notify.warning(ctx, ("Halt %s advancement waiting for approval %s"):format(ctx.label, hook.name))
    stop = status.enter(ctx, "Waiting", {})
    if not stop and not hook.muteAlert then alerts.send(ctx, "warn", "Canary is waiting for approval.") end
  end
  return stop or { after = ctx.canary.analysis.interval }
end

--- A revision that arrives during a run starts the run again.
function release.restart(ctx)
  if not status.is(ctx, "Progressing", "WaitingPromotion") then return nil end
  if ctx.revision == ctx.status.lastAppliedSpec and not tracked.changed(ctx, ctx.configs) then return nil end
  notify.normal(ctx, ("New revision detected! Restarting analysis for %s"):format(ctx.target_label))
  local stop = act.to_primary(ctx)
  if stop then return stop end
  stop = status.enter(ctx, "Progressing", run_fields(ctx, true))
  return stop or { after = ctx.canary.analysis.interval }
end

--- A step whose weight is live but was never written down (the process ended between the two): it counts from now.
function release.adopt_weight(ctx)
  if not status.is(ctx, "Progressing", "WaitingPromotion") or ctx.canary.strategy ~= "canary" then return nil end
  if ctx.routes.canary == (ctx.status.canaryWeight or 0) then return nil end
  notify.normal(ctx, ("Advance %s canary weight %g"):format(ctx.label, ctx.routes.canary))
  local stop = status.step(ctx, { canaryWeight = ctx.routes.canary })
  return stop or { after = ctx.canary.analysis.interval }
end

--- Traffic needs a canary that is complete, has pods, and has been so for a moment.
function release.canary_ready(ctx)
  if status.is(ctx, "Progressing", "WaitingPromotion") and ctx.kind.replicas(ctx.target) == 0 then
    local stop = act.scale_up(ctx)
    return stop or { after = ctx.canary.analysis.interval }
  end
  if status.is(ctx, "Promoting", "Finalising") then return nil end
  if not ctx.canary_ready then
    local message = ("canary %s %s not ready: %s"):format(ctx.kind.noun, ctx.target_label, ctx.canary_message)
    notify.once(ctx, "Warning", message)
    if not ctx.canary_retriable then
      return release.rollback(ctx, "error", "Progress deadline exceeded " .. message)
    end
    return { after = ctx.canary.analysis.interval }
  end
  return timing.settled(ctx, ctx.target)
end

--- Back to the primary. The canary's pods go when their traffic has left them.
--- @param severity string?  of the alert that tells why, and
--- @param reason string?    what it says; the threshold says it by itself
--- @param more table?       further fields of the status: the evidence
function release.rollback(ctx, severity, reason, more)
  local failed = ctx.status.failedChecks or 0
  local stop = act.to_primary(ctx)
  if stop then return stop end
  local fields = {
    canaryWeight = 0, failedChecks = 0, iterations = 0, waiting = timing.drain_field(ctx),
    pendingHooks = outcome.pending(ctx),
    lastAppliedSpec = ctx.revision, trackedConfigs = ctx.configs.sums }
  for name, value in pairs(more or {}) do fields[name] = value end
  stop = status.enter(ctx, "Failed", fields)
  if stop then return stop end
  if failed >= ctx.canary.analysis.threshold then
    notify.warning(ctx, ("Rolling back %s failed checks threshold reached %d"):format(ctx.label, failed))
    severity, reason = "error", ("Failed checks threshold reached %d"):format(failed)
  end
  if reason then alerts.send(ctx, severity, reason) end
  notify.warning(ctx, ("Canary failed! Scaling down %s"):format(ctx.label), "Failed")
  ctx.host.metrics.failed(ctx.canary, status.run_seconds(ctx))
  return outcome.post_rollout(ctx) or { after = timing.drain_seconds(ctx) }
end

return release
