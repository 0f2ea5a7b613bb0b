--- What policies say about a step: their samples asked for, the one that is obeyed and the one in the shadow judged,
--- and what of it goes into the status.

local json = require("json")
local intents = require("canary.intents")
local notify = require("canary.notify")
local policies = require("canary.policies")
local rfc3339 = require("util.rfc3339")
local series = require("metrics.series")
local status = require("canary.status")
local tape = require("canary.tape")

local judgement = {}

local NO_VALUES = "no values found"

--- Evidence as the status keeps it.
function judgement.evidence(ctx, checks)
  local out = json.array()
  for _, item in ipairs(checks) do
    out[#out + 1] = {
      name = item.name, verdict = item.verdict, rule = item.rule,
      value = item.value ~= nil and tostring(item.value):sub(1, 256) or nil,
      query = item.query and item.query:sub(1, 1024), n = item.n, script = item.script, at = rfc3339.format(ctx.now),
    }
  end
  return out
end

local function asked(ctx, item)
  if item.request then return ctx.host.http.request(item.request) end
end

--- Counters of both arms; what could not be had is evidence, in `problems`.
local function samples_of(ctx, policy, module)
  if not module.samples then return nil, {} end
  local out, problems = {}, {}
  local slow = type(policy.params) == "table" and policy.params.slow ~= nil
  for _, item in ipairs(series.plan(ctx.canary, ctx.host.settings, ctx.now, slow)) do
    local list, message = item.judge(asked(ctx, item))
    for _, sample in ipairs(list or {}) do out[#out + 1] = sample end
    if not list or #list == 0 then
      local silent = list or message == NO_VALUES
      problems[#problems + 1] = { name = item.name, verdict = silent and "nodata" or "error",
        rule = "counters of both arms", value = message or NO_VALUES }
    end
  end
  return out, problems
end

local function approvals_of(ctx)
  local out = {}
  for _, gate in ipairs(ctx.status.approvals or {}) do out[gate] = true end
  return out
end

--- When the canary's weight became what it is; nil when another process saw to that.
local function since_of(ctx)
  local shifted = ctx.memory.shifted
  return shifted and shifted.canary == ctx.routes.canary and shifted.at or nil
end

local function now_of(ctx, failed)
  return { t = ctx.now, weight = ctx.routes.canary, mirrored = ctx.routes.mirrored == true,
    iterations = ctx.status.iterations or 0, failed_checks = failed, passed = ctx.checks == "passed",
    approvals = approvals_of(ctx), since = since_of(ctx) }
end

local function plain_checks(checks)
  local out = {}
  for index, item in ipairs(checks) do
    out[index] = { name = item.name, verdict = item.verdict, rule = item.rule, value = item.value }
  end
  return out
end

--- One policy asked. Returns its decision or nil, the reason why there is none, and its evidence.
local function ask(ctx, policy, module, base)
  local samples, problems = samples_of(ctx, policy, module)
  local state = module.stateful ~= false and ctx.status.policyState or nil
  local input = { policy = policy, now = base.now, checks = base.checks, samples = samples, state = state }
  local answer, message = policies.decide(ctx, input)
  tape.decision(ctx, input, answer, message)
  local list = {}
  for _, item in ipairs(answer and answer.evidence or {}) do list[#list + 1] = item end
  for _, item in ipairs(problems) do list[#list + 1] = item end
  if not answer then
    list[#list + 1] = { name = policy.name, verdict = "error", rule = "a decision of the policy", value = message }
  end
  return answer, message, list
end

-- Decisions that come to the same for the traffic.
local SAME = { iterate = "shift", pause = "hold" }

--- What the policy in the shadow would have done, for the status; nil without one.
local function shadow_of(ctx, base, obeyed)
  local _, policy = policies.of(ctx.canary)
  local module = policy and policies.find(ctx.canary)
  if not module then return nil end
  local answer, message, list = ask(ctx, policy, module, base)
  local action = answer and answer.action or "error"
  local other = (SAME[action] or action) ~= (SAME[obeyed] or obeyed)
  local old = type(ctx.status.shadow) == "table" and ctx.status.shadow or {}
  local count = (old.policy == policy.name and math.tointeger(old.disagreements) or 0) + (other and 1 or 0)
  ctx.host.metrics.shadow(ctx.canary, policy.name, other)
  local fields = { policy = policy.name, action = action, reason = answer and answer.reason or message,
    obeyed = obeyed, disagreements = count, checks = judgement.evidence(ctx, list) }
  return fields, answer and answer.state
end

--- Asks the policies about this step.
--- @param results table  the verdicts of the checks
--- @param failed number  failed checks, this one counted
--- @return table  { decision = or nil, problem = why there is none, name = of the policy, checks, fields = for the
---   status }
function judgement.make(ctx, results, failed)
  local policy, other = policies.of(ctx.canary)
  local module = other and { stateful = false } or policies.find(ctx.canary) or {}
  local base = { now = now_of(ctx, failed), checks = plain_checks(results) }
  local answer, message, list = ask(ctx, policy, module, base)
  local all = {}
  for _, item in ipairs(results) do all[#all + 1] = item end
  for _, item in ipairs(list) do all[#all + 1] = item end
  local shadow, kept = shadow_of(ctx, base, answer and answer.action or "hold")
  local fields = { checks = judgement.evidence(ctx, all) }
  fields.shadow = shadow or ctx.status.shadow and json.null or nil
  if other then
    fields.policyState = policies.state_patch(ctx, kept)
  elseif answer then
    fields.policyState = policies.state_patch(ctx, answer.state)
  end
  if not policies.is_plain(ctx.canary) then
    ctx.host.metrics.decision(ctx.canary, policy.name, answer and answer.action or "error")
  end
  return { decision = answer, problem = message, name = policy.name, fields = fields }
end

local function has(list, name)
  for _, one in ipairs(list) do
    if one == name then return true end
  end
  return false
end

--- The gate that waits for its approval now, or nil.
function judgement.gate(ctx)
  local waiting = ctx.status.waiting
  return type(waiting) == "table" and waiting["for"] == "gate" and waiting.detail or nil
end

--- `serin.dev/intent: approve=<gate>` of a policy: remembered until the run ends.
function judgement.approve(ctx)
  local verb, gate = intents.of(ctx)
  if verb ~= "approve" or not status.is(ctx, "Progressing", "WaitingPromotion") then return nil end
  if not has(policies.gates(ctx.canary), gate) and judgement.gate(ctx) ~= gate then return nil end
  local list = json.array()
  for _, one in ipairs(ctx.status.approvals or {}) do list[#list + 1] = one end
  if not has(list, gate) then list[#list + 1] = gate end
  notify.normal(ctx, ("Gate %s of %s is approved"):format(gate:sub(1, 256), ctx.label))
  return status.write(ctx, { approvals = list }) or intents.finish(ctx, "done")
end

return judgement
