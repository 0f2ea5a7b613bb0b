--- A whole release without a cluster, for thousands of runs: the engine's own judge and the policy itself, on counts of
-- requests that are drawn. What is left out is what a cluster adds (writes, pods, events); spec/offline/quick_spec.lua
-- holds it against the lifecycle on the embedded cluster.

local arm = require("offline.arm")
local families = require("sandbox.families")
local judge = require("metrics.judge")
local observer = require("metrics.observer")
local duration = require("util.duration")
local files = require("util.registry")
local params = require("util.params")
local policies = require("canary.policies")
local random = require("sandbox.random")
local registry = require("canary.registry")

local quick = {}

local SHOWN = { "interval", "threshold", "max_weight", "step_weight", "step_weights", "iterations", "mirror" }
local BUILTIN = { ["request-success-rate"] = "success-rate", ["request-duration"] = "duration" }
local SOONEST = 1 -- second until a policy is asked again

--- The histogram of the provider's builtin durations: its bounds, and its unit in a second.
local function histogram_of(queries)
  local name = queries.duration:match("([%w_]+_bucket)")
  local family = name and families.of(name)
  if family then return family.bounds, family.scale end
end

local function metric_of(canary, settings, index, metric, stated)
  local queries, label = observer.of(canary, settings)
  local kind = BUILTIN[metric.name]
  local own = type(metric.query) == "string" and metric.query ~= "" or type(metric.templateRef) == "table"
  if own or metric.script then
    if kind or metric.script or not stated[metric.name] then
      return nil, ("the metric %s is a query of its own (metric.%s=VALUE would state its value)"):format(metric.name,
        metric.name)
    end
    kind = type(metric.templateRef) == "table" and "template" or "query"
  end
  if not kind then return nil, ("the metric %s has nothing to ask"):format(metric.name) end
  local it = { kind = kind, index = index, metric = metric, canary = canary, queries = queries, label = label }
  local ok, message = judge.prepare(it, ("spec.analysis.metrics[%d]"):format(index - 1))
  if not ok then return nil, message end
  local window = duration.parse(metric.interval or "1m")
  return { it = it, kind = kind, window = window, stated = "metric " .. metric.name, nodata = metric.onNoData,
    least = metric.minRequests }
end

--- nil, or why the quick way cannot take this Canary.
local function unfit(canary, segments)
  if canary.skip_analysis then return "its analysis is skipped" end
  if canary.strategy == "ab-testing" then return "requests are matched by headers" end
  if canary.analysis.mirror then return "requests are mirrored" end
  if canary.analysis.policy.mode == "shadow" then return "a policy is judged in the shadow" end
  local router = registry.router(canary)
  if not router then return "its provider is a script's, or not known" end
  if not router.weighted and canary.strategy == "canary" then return "its provider moves no shares of traffic" end
  if router.counts_pods then return "its provider counts pods" end
  if (router.resolution or 1) ~= 1 then return "its provider rounds weights" end
  for _, state in ipairs(segments) do
    if not state.hooks and #canary.analysis.webhooks > 0 then return "webhooks are not answered for a while" end
  end
end

--- Fills in how each metric follows from the requests. Returns nil, or why that cannot be.
local function model(out, canary, options)
  local queries = observer.of(canary, options.settings)
  out.bounds, out.scale = histogram_of(queries)
  out.milliseconds = queries.duration_unit == "s" and 1000 or 1
  local timed = out.slow
  for index, metric in ipairs(canary.analysis.metrics) do
    local item, message = metric_of(canary, options.settings, index, metric, options.segments.metrics)
    if not item then return message end
    timed = timed or item.kind == "duration"
    out.metrics[index] = item
  end
  if timed and not out.bounds then return "its durations are not modelled" end
  if not timed then out.bounds = nil end
end

--- What all runs share; or nil and why the quick way cannot be gone.
--- @param canary table    a view
--- @param options table   { settings, segments (offline.stated_traffic), policy = { name, params? }, first = seconds
---   from the new revision to its first check, limit = seconds,
---   source? = { verdicts(t), samples(t) } in place of segments }
function quick.plan(canary, options)
  local why = unfit(canary, options.segments or {})
  if why then return nil, why end
  local module = files.find("policies", options.policy.name)
  if not module then return nil, "the policy " .. options.policy.name .. " is not a shipped one" end
  local given, message = params.read(module.params, options.policy.params, "spec.analysis.policy.params")
  if not given then return nil, message end
  if module.pods and #module.pods(given, "") > 0 then return nil, "its steps count pods" end
  local out = { canary = canary, module = module, params = given, segments = options.segments, metrics = {},
    first = options.first, limit = options.limit, interval = canary.analysis.interval, analysis = {},
    plain = module.name == "flagger", slow = given.slow ~= nil, source = options.source }
  for _, name in ipairs(SHOWN) do out.analysis[name] = canary.analysis[name] end
  if options.source then return out end
  message = model(out, canary, options)
  if message then return nil, message end
  return out
end

--- Lets requests come from `from` to `to`.
local function serve(run, from, to)
  if run.plan.source then return end
  local segments, weight = run.plan.segments, run.now.weight / 100
  local at = run.segment
  while from < to do
    local state = segments[at]
    while from >= state.to do
      at = at + 1
      state = segments[at]
    end
    local stop = state.to < to and state.to or to
    local rate = state.rps * weight
    run.canary:serve(from, stop, rate + state.tests, state.canary_errors, state.canary_latency)
    if run.primary then
      run.primary:serve(from, stop, state.rps - rate, state.primary_errors, state.primary_latency)
    end
    run.lost = run.lost + (rate * state.canary_errors + (state.rps - rate) * state.primary_errors) * (stop - from)
    run.extra = run.extra + rate * state.canary_errors * (stop - from)
    from = stop
  end
  while from >= segments[at].to do at = at + 1 end
  run.segment = at
end

local function value_of(run, item, t)
  if item.least and select(2, run.canary:requests(t, item.window)) < item.least then return 0 / 0 end
  if item.kind == "success-rate" then return run.canary:success(t, item.window) end
  if item.kind == "duration" then return run.canary:duration(t, item.window) end
  return run.plan.segments[run.segment][item.stated] or 0 / 0
end

--- Fills run.checks.
local function look(run, t)
  local up, checks = run.plan.segments[run.segment].prometheus, run.checks
  for index, item in ipairs(run.plan.metrics) do
    local verdict = up and judge.value(item.it, value_of(run, item, t))
      or judge.failed(item.it, "request failed: connection refused")
    verdict.onNoData, checks[index] = item.nodata, verdict
  end
end

--- passed, spared (see canary/analyse.lua).
local function check(run, t)
  if run.plan.source then
    run.checks = run.plan.source.verdicts(t)
    run.context.checks = run.checks
  else
    look(run, t)
  end
  local passed, failed = true, false
  for _, verdict in ipairs(run.checks) do
    local word = verdict.verdict
    local means = word == "pass" and word or word == "nodata" and verdict.onNoData or "fail"
    if means ~= "pass" then passed = false end
    if means == "fail" then failed = true end
  end
  return passed, not passed and not failed
end

--- Counters of both arms, for policies that count for themselves.
local function samples_of(run, t)
  if run.plan.source then return run.plan.source.samples(t) end
  local out = {}
  if run.plan.segments[run.segment].prometheus then
    run.canary:sample(out, "canary", t, run.plan.slow, run.plan.milliseconds)
    run.primary:sample(out, "primary", t, run.plan.slow, run.plan.milliseconds)
  end
  return out
end

--- Asks the policy about a step.
local function decide(run, t)
  local context = run.context
  run.now.t = t
  if run.plan.module.samples then context.samples = samples_of(run, t) end
  local answer = run.plan.module.decide(context)
  if not run.plan.plain then context.state = answer.state end
  return answer
end

local function moved(run, answer, t)
  local now, routes = run.now, answer.routes
  local weight = routes and routes.canary or answer.weight or now.weight
  if weight ~= now.weight then now.weight, now.since = weight, t end
  now.iterations = answer.iterations or now.iterations
  return run.plan.interval
end

local function held(run, answer, failed)
  local now, interval = run.now, run.plan.interval
  now.failed_checks = failed
  if run.plan.plain or not now.passed then return interval end
  if answer.action == "pause" then
    if not answer.approval then return nil end
    now.approvals[answer.approval] = true
    return interval
  end
  return answer.after and math.min(interval, math.max(SOONEST, answer.after)) or interval
end

--- One interval. Returns seconds until the next, or nil and the outcome.
local function tick(run, t, note)
  local now = run.now
  local untouched = now.weight == 0 and now.iterations == 0
  local passed, spared = true, false
  if not untouched then passed, spared = check(run, t) end
  local before = now.failed_checks
  local failed = before + ((passed or spared) and 0 or 1)
  now.passed, now.failed_checks = passed, failed
  local answer = decide(run, t)
  now.failed_checks = before
  if note then note(run, t, answer, untouched and {} or run.checks, failed) end
  if answer.action == "rollback" then return nil, "rolled back" end
  if answer.action == "promote" then return nil, "promoted" end
  if answer.action == "hold" or answer.action == "pause" then
    local after = held(run, answer, failed)
    return after, after and nil or "waiting for a decision"
  end
  return moved(run, answer, t)
end

--- A run that may be made again and again with other seeds.
function quick.new(plan)
  local run = { plan = plan, checks = {}, context = { strategy = plan.canary.strategy, analysis = plan.analysis,
    params = plan.params, canary = { namespace = plan.canary.namespace, name = plan.canary.name,
      target = plan.canary.target.name, provider = plan.canary.provider, revision = "next" } } }
  run.context.checks = run.checks
  return run
end

local function begin(run, seed)
  local plan, source = run.plan, seed and random.new(seed)
  if source then source() end -- the first number of near seeds is near
  run.canary = arm.new(source, plan.bounds, plan.scale)
  run.canary:reset()
  run.primary = plan.module.samples and arm.new(source, plan.bounds, plan.scale) or nil
  if run.primary then run.primary:reset() end
  run.now = { weight = 0, mirrored = false, iterations = 0, failed_checks = 0, passed = true, approvals = {} }
  run.context.now, run.context.state, run.context.samples = run.now, nil, nil
  run.segment, run.lost, run.extra = 1, 0.0, 0.0
  for index = #run.checks, 1, -1 do run.checks[index] = nil end
end

--- Makes one run. { outcome = "promoted" | "rolled back" | "undecided" | "waiting for a decision", time = seconds from
--- the new revision to the verdict, failed = requests of users, canary_failed = those at the canary, ticks }.
--- @param seed number?    without one every count is its mean
--- @param note function?  (run, t, decision, checks, failed) of every interval
function quick.run(run, seed, note)
  begin(run, seed)
  local plan, t, ticks = run.plan, run.plan.first, 0
  serve(run, 0, t)
  while true do
    ticks = ticks + 1
    local after, outcome = tick(run, t, note)
    if not after then
      return { outcome = outcome, time = t, failed = run.lost, canary_failed = run.extra, ticks = ticks }
    end
    if t + after > plan.limit then
      return { outcome = "undecided", time = plan.limit, failed = run.lost, canary_failed = run.extra, ticks = ticks }
    end
    serve(run, t, t + after)
    t = t + after
  end
end

--- nil, or why the policy does not fit the Canary, in the engine's words.
function quick.unfit(canary, policy, settings)
  local own = canary.analysis.policy
  canary.analysis.policy = { name = policy.name, params = policy.params, mode = "active" }
  local stop = policies.check({ canary = canary, host = { settings = settings } })
  canary.analysis.policy = own
  return stop and stop.problem
end

return quick
