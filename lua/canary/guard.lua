--- The last word before traffic moves or pods go. Shipped, and no script can replace it.
--
-- Pure: each function answers nil, or a sentence that says which invariant the plan breaks.

local percent = require("util.percent")

local guard = {}

--- True when both are shares that sum to 100.
local function is_split(want, fine)
  local primary, canary = percent.exact(want.primary, fine), percent.exact(want.canary, fine)
  return primary ~= nil and canary ~= nil and percent.less(100, canary) == primary
end

--- May the routes become `want`?
--- @param want table  { primary, canary, mirrored }
--- @param now table   { routes = live routes or nil, primary = pods of the primary that are ready,
---   canary = of the canary, primary_ready, canary_ready = booleans, checks = "passed"|"failed"|"unknown" or nil,
---   fine = the route carries hundredths of a percent, phase = string, nominal = the router moves no traffic,
---   urgent = the canary has no ready pod, or became a revision that nobody analysed: half of the primary's
---   `primary_wanted` pods are enough then to take its traffic }
function guard.shift(want, now)
  if not is_split(want, now.fine) then
    return ("weights must be %s that sum to 100, found %s and %s"):format(
      now.fine and "numbers of at most two decimals" or "integers", want.primary, want.canary)
  end
  local live = now.routes or { primary = 100, canary = 0 }
  if now.nominal then return nil end
  if want.canary > 0 and (now.canary == 0 or (want.canary > live.canary and not now.canary_ready)) then
    return ("no traffic for the canary: it has %d ready pods and its rollout is %s"):format(
      now.canary, now.canary_ready and "complete" or "not complete")
  end
  local carries = now.primary_ready or (now.urgent and 2 * now.primary >= now.primary_wanted)
  if want.primary > 0 and want.primary > live.primary and (now.primary == 0 or not carries) then
    return ("no more traffic for the primary: it has %d ready pods and its rollout is %s"):format(
      now.primary, now.primary_ready and "complete" or "not complete")
  end
  if want.canary > live.canary and now.phase ~= "Promoting" and now.phase ~= "Finalising"
    and now.checks ~= "passed" then
    return ("the canary's weight does not rise while its checks are %s"):format(now.checks or "unknown")
  end
  return nil
end

--- May the target be scaled to zero?
--- @param now table  { routes, primary, primary_ready, apex_on_primary, unaccepted = why the route is not in force }
function guard.scale_down(now)
  if not now.apex_on_primary then return "the apex Service does not select the primary yet" end
  if now.unaccepted then return "the route may still lead to the canary: " .. now.unaccepted end
  if now.routes and now.routes.canary > 0 and not now.nominal then
    return ("the canary still receives %g%% of the traffic"):format(now.routes.canary)
  end
  if now.primary == 0 or not now.primary_ready then return "the primary is not ready" end
  return nil
end

--- May the target be scaled from `have` pods to `want`?
--- @param now table  { routes }
function guard.scale_to(want, have, now)
  if want < 1 then return ("the canary is not scaled to %d pods by a step"):format(want) end
  if want < have and now.routes and (now.routes.canary > 0 or now.routes.mirrored) then
    return ("the canary keeps its %d pods while it has traffic"):format(have)
  end
  return nil
end

--- May this revision be promoted?
--- @param analysed string  the revision that passed the analysis
--- @param found string     the revision that the target describes now
function guard.promote(analysed, found)
  if analysed ~= found then
    return ("the target is at revision %s, but %s was analysed"):format(found, analysed or "none")
  end
  return nil
end

--- May this decision of a policy be acted on, as things are?
--- @param answer table  a well-formed decision
--- @param now table     { weight, passed }
function guard.decision(answer, now, strategy)
  local weight = answer.routes and answer.routes.canary or answer.weight
  local rises = answer.action == "promote" or answer.action == "iterate"
    or answer.action == "shift" and (weight == nil or weight > now.weight)
  if rises and not now.passed then
    return ("action: expected hold or rollback while a check does not pass, found %s"):format(answer.action)
  end
  if answer.action == "promote" and strategy == "canary" and now.weight == 0 then
    return "action: expected a shift before a promotion, as the canary has had no traffic, found promote"
  end
  return nil
end

return guard
