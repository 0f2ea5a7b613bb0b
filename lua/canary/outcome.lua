--- What follows the end of a run: the post-rollout hooks.

local gates = require("canary.gates")
local hooks = require("canary.hooks")
local json = require("json")
local notify = require("canary.notify")
local status = require("canary.status")

local outcome = {}

--- The status field that says which hooks are still to be called, written with the outcome they are told.
function outcome.pending(ctx)
  return #hooks.of(ctx, "post-rollout") > 0 and "post-rollout" or nil
end

--- Calls the post-rollout hooks that the status says are still to be called; what they answer changes nothing.
--- Returns nil, or a stop.
--- @param closing string?  the event that ends the release
function outcome.post_rollout(ctx, closing)
  local pending = ctx.status.pendingHooks == "post-rollout"
  if pending then
    local hook, message = gates.refused(ctx, "post-rollout", ctx.status.phase, function(passed)
      notify.normal(ctx, ("Post-rollout check %s passed"):format(passed.name))
    end)
    if hook then notify.warning(ctx, ("Post-rollout hook %s failed %s"):format(hook.name, message)) end
  end
  if closing then notify.normal(ctx, closing) end
  notify.flush(ctx)
  if pending then return status.write(ctx, { pendingHooks = json.null }) end
end

return outcome
