--- One look at one Canary: the list of steps, and the loop that walks it.
--
-- observe -> analyse -> decide -> guard -> act. All memory of the past is in
-- the cluster, so a tick may be run again from its start at any time.

local acceptance = require("canary.acceptance")
local advance = require("canary.advance")
local alerts = require("canary.alerts")
local arms = require("canary.arms")
local confined = require("canary.confined")
local custom_policy = require("canary.custom_policy")
local finalise = require("canary.finalise")
local initialise = require("canary.initialise")
local intents = require("canary.intents")
local judgement = require("canary.judgement")
local lost = require("canary.lost")
local notify = require("canary.notify")
local observe = require("canary.observe")
local outcome = require("canary.outcome")
local policies = require("canary.policies")
local promotion = require("canary.promotion")
local release = require("canary.release")
local rivals = require("canary.rivals")
local scaling = require("canary.scaling")
local scripted = require("canary.scripted")
local status = require("canary.status")
local view = require("canary.view")

local tick = {}

local function read(ctx)
  local message
  ctx.canary, message = view.of(ctx.object, ctx.host.settings)
  if not ctx.canary then
    return { problem = ("Canary %s is invalid: %s"):format(ctx.label, message.message), reason = "InvalidSpec" }
  end
  ctx.target_label = ctx.canary.target.name .. "." .. ctx.namespace
end

local function suspended(ctx)
  if not ctx.canary.suspend then return nil end
  notify.once(ctx, "Normal", "skipping canary run as object is suspended")
  return {}
end

-- Each takes the context and returns nil to go on, or a stop (canary.cluster).
tick.steps = {
  finalise.run,
  read,
  confined.check,
  scripted.check,
  rivals.check,
  suspended,
  initialise.begin,
  finalise.protect,
  intents.read,
  lost.target,
  observe.router,
  custom_policy.load,
  policies.check,
  judgement.approve,
  arms.configs,
  observe.services,
  initialise.check_providers,
  arms.primary,
  initialise.wait_for_primary,
  observe.scaler,
  observe.apex,
  observe.route,
  initialise.take_over,
  observe.routes,
  acceptance.look,
  release.adopt,
  release.adopt_promoted,
  outcome.post_rollout,
  promotion.repair,
  release.idle,
  release.withdraw,
  promotion.primary_ready,
  advance.abort,
  release.start,
  release.restart,
  release.adopt_weight,
  scaling.begin,
  release.canary_ready,
  promotion.skip,
  promotion.promoting,
  promotion.finalising,
  scripted.pin,
  advance.together,
  advance.promote_now,
  advance.rollback_hooks,
  advance.route,
  advance.step,
}

--- A problem is shown on the Canary once; the tick runs again when something it looked at changes.
local function show_problem(ctx, stop, at)
  ctx.memory.stalled_at = at
  if status.says(ctx, stop.reason, stop.problem) then return { after = stop.after } end
  local failure = status.stall(ctx, stop.reason, stop.problem)
  if failure then return failure end
  notify.warning(ctx, stop.problem)
  return { after = stop.after }
end

--- It is taken back by a tick that comes at least as far as the one that met it.
local function problem_solved(ctx, at)
  if not ctx.canary or at < (ctx.memory.stalled_at or 0) then return nil end
  ctx.memory.stalled_at = nil
  return status.clear(ctx)
end

--- Walks the steps. Returns the stop, and how far it came.
local function walk(ctx)
  for at, step in ipairs(tick.steps) do
    local stop = step(ctx)
    if stop then return stop, at end
  end
  return {}, #tick.steps
end

local RECHECK = 60 -- seconds until an unsolved problem is looked at again although nothing seems to have changed

--- Runs the steps. Returns seconds until the next tick is due (nil: when something changes),
--- or nil, message, CODE when a request failed and the tick has to be repeated.
--- @param host table  kube, http, clock, log, metrics, settings, random, unique, spawn, memory
function tick.run(host, namespace, name)
  local began = host.clock.monotonic()
  local object, message, code = host.kube.get({
    apiVersion = "flagger.app/v1beta1", kind = "Canary", namespace = namespace, name = name })
  if not object then
    if code == "NOT_FOUND" then return nil end
    return nil, message, code
  end
  object.apiVersion, object.kind = "flagger.app/v1beta1", "Canary"
  local ctx = {
    host = host, namespace = namespace, name = name, label = name .. "." .. namespace,
    object = object, status = object.status or {}, now = host.clock.now(), events = {},
    memory = host.memory(namespace, name),
  }
  local stop, at = walk(ctx)
  if stop.problem then
    stop = show_problem(ctx, stop, at)
    stop.after = stop.after or RECHECK
  elseif not stop.fail then
    stop = problem_solved(ctx, at) or stop
  end
  if ctx.approved and not stop.fail then stop = intents.finish(ctx, "done") or stop end
  if stop.fail then
    alerts.flush(ctx) -- what was stored before the failure is not met again
    return nil, stop.fail, stop.code
  end
  notify.flush(ctx)
  if ctx.analysed then host.metrics.analysed(ctx.canary, host.clock.monotonic() - began) end
  return stop.after
end

return tick
