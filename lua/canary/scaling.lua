--- How many pods the canary has at a step whose policy says so.
--
-- They are there before the weight rises, and none goes while the canary has traffic. Before the promotion, which
-- copies the target's number to the primary, the target has its own number again: `status.scaled` keeps it as `own`,
-- beside the numbers of the last write, `from` and `to`. A target that has neither was scaled by somebody else, and
-- that is its own number then.

local act = require("canary.act")
local json = require("json")
local notify = require("canary.notify")
local policies = require("canary.policies")
local rfc3339 = require("util.rfc3339")
local status = require("canary.status")

local scaling = {}

local FOR = "pods"

--- The target's own number of pods, and what it is scaled to.
local function counts(ctx)
  local have, scaled = ctx.kind.replicas(ctx.target), ctx.status.scaled
  local ours = type(scaled) == "table" and (scaled.to == have or scaled.from == have)
  return ours and math.tointeger(scaled.own) or have, have
end

--- The number that the target has when no step says otherwise; 0 for a kind that has none.
function scaling.own(ctx)
  return ctx.kind.counts and ctx.target and counts(ctx) or 0
end

local function has_traffic(ctx) return ctx.routes.canary > 0 or ctx.routes.mirrored == true end

--- The record comes first: a process that ends between the two leaves a target whose own number is known.
local function set(ctx, want)
  local own, have = counts(ctx)
  local stop = status.write(ctx, { scaled = { own = own, from = have, to = want } })
  if stop then return stop end
  notify.normal(ctx, ("Scaling %s to %d pods"):format(ctx.target_label, want))
  return act.scale_to(ctx, want)
end

--- The pods of the first step, before those of all of the traffic are waited for.
function scaling.begin(ctx)
  if not status.is(ctx, "Progressing") or has_traffic(ctx) or ctx.status.checks ~= nil then return nil end
  local first = policies.first_pods(ctx)
  if not first or ctx.kind.replicas(ctx.target) == 0 then return nil end
  local own, have = counts(ctx)
  local want = math.min(first, own)
  if have == want or (ctx.status.scaled or {}).to == want then return nil end
  return set(ctx, want) or { after = ctx.canary.analysis.interval }
end

--- The pods of a step that is about to be made, or of a promotion. nil when they are there, or a stop: the step is
--- decided again at the next interval.
--- @param base table  fields of this step's status
function scaling.follow(ctx, decision, base)
  if not ctx.kind.counts then return nil end
  local own, have = counts(ctx)
  local want = math.min(decision.replicas or own, own)
  if have == want or (want < have and has_traffic(ctx)) then return nil end
  if type(ctx.status.waiting) == "table" and ctx.status.waiting["for"] == FOR then return nil end -- scaled by another
  local stop = set(ctx, want)
  if stop then return stop end
  local fields = { waiting = { ["for"] = FOR, since = rfc3339.format(ctx.now, 6), detail = ("%d"):format(want) } }
  for name, value in pairs(base) do
    if name ~= "policyState" then fields[name] = value end -- the policy is still at the step before
  end
  return status.step(ctx, fields) or { after = ctx.canary.analysis.interval }
end

--- The record as a field of the status that ends: gone, where there is one.
function scaling.over(ctx) return ctx.status.scaled and json.null or nil end

--- The target's own pods, for a promotion. nil when they are there, or a stop.
function scaling.whole(ctx)
  if not ctx.kind.counts then return nil end
  local own, have = counts(ctx)
  if have >= own then return nil end
  return set(ctx, own) or { after = ctx.canary.analysis.interval }
end

return scaling
