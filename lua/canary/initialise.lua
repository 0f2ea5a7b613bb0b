--- From a new Canary to one that waits for revisions.

local act = require("canary.act")
local alerts = require("canary.alerts")
local analyse = require("canary.analyse")
local notify = require("canary.notify")
local phase = require("canary.phase")
local status = require("canary.status")
local timing = require("canary.timing")

local initialise = {}

local function initial(ctx) return phase.initial(ctx.status.phase or "") end

--- Marks a Canary that nobody has looked at yet.
function initialise.begin(ctx)
  if (ctx.status.phase or "") ~= "" then return nil end
  return status.enter(ctx, "Initializing", { canaryWeight = 0, failedChecks = 0, iterations = 0 })
end

--- Says whether the metrics providers answer; never blocks.
function initialise.check_providers(ctx)
  if not initial(ctx) or ctx.canary.skip_analysis or ctx.memory.providers_checked then return nil end
  ctx.memory.providers_checked = true
  local message = analyse.offline(ctx)
  if message then
    notify.warning(ctx, "Error checking metric providers: " .. message)
  else
    notify.normal(ctx, "all the metrics providers are available!")
  end
end

--- Nothing of the user's is touched before the primary can take over. A primary that cannot start leaves
--- the target as it is (Flagger takes the target down then).
function initialise.wait_for_primary(ctx)
  if not initial(ctx) then return nil end
  if not ctx.primary_ready then
    local message = ("%s-primary.%s not ready: %s"):format(ctx.canary.target.name, ctx.namespace, ctx.primary_message)
    if not ctx.primary_retriable then return { problem = message, reason = "PrimaryNotReady" } end
    notify.once(ctx, "Warning", message)
    return { after = ctx.canary.analysis.interval }
  end
  return timing.settled(ctx, ctx.primary)
end

--- Scales the target to zero once its traffic has had time to leave it.
function initialise.take_over(ctx)
  if not initial(ctx) then return nil end
  if ctx.kind.scale and ctx.kind.replicas(ctx.target) > 0 then
    local wait = timing.drain(ctx)
    if wait then return wait end
    local stop = act.scale_down(ctx)
    if stop then return stop end
  end
  local stop = status.enter(ctx, "Initialized", {
    canaryWeight = 0, failedChecks = 0, iterations = 0,
    lastAppliedSpec = ctx.revision, lastPromotedSpec = ctx.revision, trackedConfigs = ctx.configs.sums,
  })
  if stop then return stop end
  ctx.memory.providers_checked = nil
  notify.normal(ctx, ("Initialization done! %s"):format(ctx.label))
  alerts.send(ctx, "info", ("New %s detected, initialization completed."):format(ctx.canary.target.kind), true)
end

return initialise
