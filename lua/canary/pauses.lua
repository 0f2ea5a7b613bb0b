--- A step that a policy does not make: until its next look, or until a person says something.

local alerts = require("canary.alerts")
local json = require("json")
local notify = require("canary.notify")
local policies = require("canary.policies")
local rfc3339 = require("util.rfc3339")
local status = require("canary.status")

local pauses = {}

local SOONEST = 1 -- second until a policy is asked again

--- What is waited for: an approval of a named gate, a person's decision, or the policy itself.
local function kind_of(decision)
  if decision.action ~= "pause" then return "policy" end
  return decision.approval and "gate" or "decision"
end

local function field(ctx, decision, kind)
  local old = type(ctx.status.waiting) == "table" and ctx.status.waiting or {}
  local detail = (decision.approval or decision.reason):sub(1, 256)
  local same = old["for"] == kind and (kind ~= "gate" or old.detail == detail)
  local deadline = decision.after and decision.action == "hold"
    and rfc3339.format(ctx.now + math.max(SOONEST, decision.after), 6) or nil
  return { ["for"] = kind, since = same and old.since or rfc3339.format(ctx.now, 6), detail = detail,
    deadline = deadline or old.deadline and json.null or nil }, not same
end

--- People are told once that it is their turn.
local function tell(ctx, judged, kind)
  local decision = judged.decision
  local what = kind == "gate" and ("approval of gate %s"):format(decision.approval) or "a decision: " .. decision.reason
  notify.warning(ctx, ("Halt %s advancement waiting for %s"):format(ctx.label, what))
  alerts.send(ctx, "warn", ("Canary is waiting for %s"):format(what))
end

--- Writes the step down and says why nothing moved. Returns a stop.
--- @param judged table  { decision, name }
--- @param fields table  of the status
function pauses.hold(ctx, judged, fields)
  local decision, interval = judged.decision, ctx.canary.analysis.interval
  if policies.of(ctx.canary).name == "flagger" or ctx.checks ~= "passed" then
    return status.step(ctx, fields) or { after = interval }
  end
  local kind = kind_of(decision)
  local waiting, new = field(ctx, decision, kind)
  fields.waiting = waiting
  local stop = status.step(ctx, fields)
  if stop then return stop end
  if new and kind ~= "policy" then tell(ctx, judged, kind) end
  local after = kind == "policy" and decision.after and math.max(SOONEST, decision.after) or interval
  return { after = math.min(after, interval) }
end

return pauses
