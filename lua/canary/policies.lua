--- Policies: which one decides about a Canary, whether it fits the spec, and the one way that a decision goes from a
--- policy of any origin to the engine.

local decision = require("canary.decision")
local files = require("util.registry")
local guard = require("canary.guard")
local json = require("json")
local list = require("util.list")
local merge = require("util.merge")
local nearest = require("util.nearest")
local params = require("util.params")
local percent = require("util.percent")
local registry = require("canary.registry")
local series = require("metrics.series")
local text = require("util.text")

local policies = {}

-- The files of policies/, for the hint at a name that none serves.
policies.SHIPPED = { "burn_rate", "flagger", "kayenta", "sequential", "steps" }

local DEFAULT = { name = "flagger" } -- what the fields of the spec describe
local PARAMS = "spec.analysis.policy.params"

--- The module of a policy { name, params? }, or nil and a sentence with the nearest known name.
local function module_of(canary, policy)
  local custom = canary.custom_policy -- canary/custom_policy.lua found it
  if custom and policy == canary.analysis.policy then return custom end
  local module = files.find("policies", policy.name)
  if module and module.decide then return module end
  local known = list.join(policies.SHIPPED, canary.policy_names or {})
  local close = nearest.of(policy.name, known)
  return nil, ("spec.analysis.policy.name: expected one of %s, found %s%s"):format(
    table.concat(known, ", "), text.cut(policy.name, 64),
    close and (" (did you mean %s?)"):format(close) or "")
end

--- The module that spec.analysis.policy names, or nil and a sentence with the nearest known name.
function policies.find(canary) return module_of(canary, canary.analysis.policy) end

--- The policy that is obeyed, and the one that is judged only, or nil.
function policies.of(canary)
  local given = canary.analysis.policy
  if given.mode == "shadow" then return DEFAULT, given end
  return given, nil
end

--- True when the fields of the spec decide and nothing else is asked.
function policies.is_plain(canary)
  local given = canary.analysis.policy
  return not canary.custom_policy and given.name == DEFAULT.name and given.mode ~= "shadow" and given.params == nil
end

local function contains(names, name)
  for _, one in ipairs(names) do
    if one == name then return true end
  end
  return false
end

--- nil, or what of the spec the policy cannot work with.
local function unfit(canary, module, settings)
  if module.strategies and not contains(module.strategies, canary.strategy) then
    return ("spec.analysis.policy.name: expected a policy for the strategy %s, found %s (for %s)"):format(
      canary.strategy, module.name, table.concat(module.strategies, ", "))
  end
  local analysis = canary.analysis
  if canary.strategy == "canary" and not module.own_weights and analysis.step_weight == 0
    and not analysis.step_weights then
    return "spec.analysis: expected stepWeight or stepWeights above 0 for the policy " .. module.name .. ", found none"
  end
  if not module.samples then return nil end
  local ok, message = series.supports(canary, settings)
  return not ok and ("spec.provider: for the policy %s: %s"):format(module.name, message) or nil
end

--- Whether the route of this Canary can have hundredths of a percent; where there is none, nothing keeps it from it.
local function carries_fractions(ctx) return ctx.router == nil or ctx.router.fine == true end

--- nil, or which weight of the parameters the route cannot carry.
local function uncarried(ctx, module, given)
  if not module.weights or carries_fractions(ctx) then return nil end
  for _, item in ipairs(module.weights(given, PARAMS)) do
    if not math.tointeger(item.weight) then
      return ("%s: expected a whole number with provider %s, whose route carries no fraction, found %g"):format(
        item.path, ctx.canary.provider, item.weight)
    end
  end
end

--- nil, or why no policy can say how many pods this canary has.
local function counted(ctx)
  local canary = ctx.canary
  if canary.scaler then return "expected none beside spec.autoscalerRef, which counts the canary's pods" end
  if ctx.router and ctx.router.counts_pods then
    return ("expected none with provider %s, which counts the canary's pods"):format(canary.provider)
  end
  local kind = registry.target(canary.target)
  if kind and not kind.counts then
    return ("expected none with a %s, which has no number of pods"):format(canary.target.kind)
  end
end

--- nil, or which number of pods in the parameters cannot be.
local function uncounted(ctx, module, given)
  local first = module.pods and module.pods(given, PARAMS)[1]
  local why = first and counted(ctx)
  return why and ("%s: %s, found %d"):format(first.path, why, first.replicas) or nil
end

--- The pods of the first step, when the policy that is obeyed tells them in advance; else nil.
function policies.first_pods(ctx)
  local policy, other = policies.of(ctx.canary)
  local module = not other and not policies.is_plain(ctx.canary) and policies.find(ctx.canary)
  local given = module and module.pods and params.read(module.params, policy.params, PARAMS)
  local first = given and module.pods(given, PARAMS)[1]
  return first and first.step == 1 and first.replicas or nil
end

--- A stop when the Canary asks for a policy that there is not, or that cannot work with its spec.
function policies.check(ctx)
  local canary = ctx.canary
  if canary.skip_analysis or policies.is_plain(canary) then return nil end
  local module, wrong = policies.find(canary)
  local given
  if module and not module.lost then
    given, wrong = params.read(module.params, canary.analysis.policy.params, PARAMS)
    wrong = wrong or module.check and module.check(given, PARAMS)
      or uncarried(ctx, module, given) or uncounted(ctx, module, given) or unfit(canary, module, ctx.host.settings)
  end
  if wrong then return { problem = wrong, reason = "InvalidPolicy" } end
end

--- The gates that somebody may have to open: names that the policy of the spec declares.
function policies.gates(canary)
  local module = policies.find(canary)
  local given = module and module.gates and params.read(module.params, canary.analysis.policy.params, PARAMS)
  return given and module.gates(given) or {}
end

local SHOWN = { "interval", "threshold", "max_weight", "step_weight", "step_weights", "iterations", "mirror" }

--- What a policy gets: copies, so that nothing it does to them reaches the engine.
local function context_of(ctx, input, given)
  local canary, analysis = ctx.canary, {}
  for _, name in ipairs(SHOWN) do analysis[name] = merge.copy(canary.analysis[name]) end
  return {
    canary = { namespace = canary.namespace, name = canary.name, target = canary.target.name,
      provider = canary.provider, revision = ctx.revision },
    strategy = canary.strategy, analysis = analysis, params = given, now = merge.copy(input.now),
    checks = merge.copy(input.checks), samples = merge.copy(input.samples), state = merge.copy(input.state),
  }
end

local function broken(policy, message)
  return nil, text.cut(("policy %s: %s"):format(policy.name, message), 1024)
end

local function with_routes(answer)
  if answer.action == "shift" and not answer.routes then
    answer.routes = { primary = percent.less(100, answer.weight), canary = answer.weight, mirrored = false }
  end
  return answer
end

--- One decision: find, read the parameters, ask, check the answer, guard. Every policy passes here, whatever it is
--- written in and whether it is obeyed.
--- @param input table  { policy = { name, params }, now, checks, samples?, state? }; see policies/README.md
--- @return table?  a decision that may be acted on; or nil and a message that names policy, field, expected and found
function policies.decide(ctx, input)
  local policy = input.policy
  local module, message = module_of(ctx.canary, policy)
  if not module then return broken(policy, message) end
  local given
  given, message = params.read(module.params, policy.params, "params")
  if not given then return broken(policy, message) end
  local ok, answer = pcall(module.decide, context_of(ctx, input, given))
  if not ok then return broken(policy, "expected a decision, found an error: " .. tostring(answer)) end
  answer, message = decision.check(answer, carries_fractions(ctx))
  message = message or guard.decision(answer, input.now, ctx.canary.strategy)
  local why = answer and answer.replicas and counted(ctx)
  if why then message = message or ("replicas: %s, found %d"):format(why, answer.replicas) end
  if message then return broken(policy, message) end
  return with_routes(answer)
end

--- The patch of status.policyState that leaves exactly `state` there; nil when it is there already.
function policies.state_patch(ctx, state)
  local old = ctx.status.policyState
  if state == nil then return old ~= nil and json.null or nil end
  if type(old) ~= "table" then return state end
  return merge.diff(old, state)
end

return policies
