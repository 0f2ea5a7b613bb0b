--- What the lifecycle counts, under the names and labels of Flagger's metrics.

local gauges = {}

local STATUS = { Progressing = 0, Failed = 2 }

local function target_labels(canary)
  return { name = canary.target.name, namespace = canary.namespace }
end

local function result_labels(canary)
  local labels = target_labels(canary)
  labels.deployment_strategy = canary.strategy
  labels.analysis_status = canary.skip_analysis and "skipped" or "completed"
  return labels
end

--- Drops every series of a target.
local function drop(exported, namespace, target)
  exported:remove({ name = target, namespace = namespace })
  exported:remove({ workload = target, namespace = namespace })
  exported:remove({ workload = target .. "-primary", namespace = namespace })
end

--- The gauges of one process over a registry (exported.lua).
function gauges.new(exported)
  local out = {}
  local targets = {} -- "namespace/name" of a Canary -> its target, false while that is unknown
  local outcomes = {} -- "namespace/target" -> { all =, bad = } releases that ended
  local counted = {} -- field of engine.stats -> what it was the last time
  local totals = {}  -- namespace -> how many Canaries

  local function add_total(namespace, n)
    totals[namespace] = (totals[namespace] or 0) + n
    if totals[namespace] > 0 then
      exported:set("flagger_canary_total", { namespace = namespace }, totals[namespace])
    else
      totals[namespace] = nil
      exported:remove({ namespace = namespace })
    end
  end

  --- COMPAT: which program, and the router of Canaries that name none.
  function out.info(version, mesh_provider)
    exported:set("flagger_info", { version = version, mesh_provider = mesh_provider }, 1)
  end

  --- A Canary is there, whatever its state.
  function out.seen(namespace, name)
    local key = namespace .. "/" .. name
    if targets[key] ~= nil then return end
    targets[key] = false
    add_total(namespace, 1)
  end

  --- The series of a target that its Canary no longer names go.
  local function remember(canary)
    out.seen(canary.namespace, canary.name)
    local key, name = canary.namespace .. "/" .. canary.name, canary.target.name
    local before = targets[key]
    if before and before ~= name then drop(exported, canary.namespace, before) end
    targets[key] = name
  end

  function out.phase(canary, name)
    remember(canary)
    exported:set("flagger_canary_status", target_labels(canary), STATUS[name] or 1)
  end

  function out.weights(canary, routes)
    remember(canary)
    local name, namespace = canary.target.name, canary.namespace
    local weight = routes.reached or routes.canary
    exported:set("flagger_canary_weight", { workload = name .. "-primary", namespace = namespace }, 100 - weight)
    exported:set("flagger_canary_weight", { workload = name, namespace = namespace }, weight)
  end

  function out.check(canary, metric, value)
    local labels = target_labels(canary)
    labels.metric = metric
    exported:set("flagger_canary_metric_analysis", labels, value)
  end

  --- A tick that analysed took `seconds`.
  function out.analysed(canary, seconds)
    exported:observe("flagger_canary_duration_seconds", target_labels(canary), seconds)
  end

  --- A check came to a verdict.
  function out.verdict(canary, metric, verdict)
    local labels = target_labels(canary)
    labels.metric, labels.verdict = metric, verdict
    exported:count("serin_check_verdicts_total", labels, 1)
  end

  --- A policy that is not the default decided: an action, or "error".
  function out.decision(canary, policy, action)
    local labels = target_labels(canary)
    labels.policy, labels.action = policy, action
    exported:count("serin_policy_decisions_total", labels, 1)
  end

  --- A policy in the shadow was judged, and would have done another thing than what was done, or the same.
  function out.shadow(canary, policy, disagreed)
    local labels = target_labels(canary)
    labels.policy = policy
    exported:count("serin_shadow_disagreements_total", labels, disagreed and 1 or 0)
  end

  --- A release ended after `seconds` (nil when its beginning is not known).
  local function ended(canary, good, seconds)
    local key = canary.namespace .. "/" .. canary.target.name
    local tally = outcomes[key] or { all = 0, bad = 0 }
    outcomes[key] = tally
    tally.all, tally.bad = tally.all + 1, tally.bad + (good and 0 or 1)
    exported:set("serin_change_failure_ratio", target_labels(canary), tally.bad / tally.all)
    if not seconds then return end
    local labels = target_labels(canary)
    labels.outcome = good and "promoted" or "rolled back"
    exported:observe("serin_release_duration_seconds", labels, seconds)
  end

  --- A revision was promoted, `seconds` after its run began.
  function out.succeeded(canary, seconds)
    exported:count("flagger_canary_successes_total", result_labels(canary), 1)
    exported:count("serin_promotions_total", target_labels(canary), 1)
    ended(canary, true, seconds)
  end

  --- A revision was rolled back, or its promotion failed.
  function out.failed(canary, seconds)
    exported:count("flagger_canary_failures_total", result_labels(canary), 1)
    exported:count("serin_rollbacks_total", target_labels(canary), 1)
    ended(canary, false, seconds)
  end

  --- A custom script has a version that is refused, or has none any more.
  function out.script(label, problem)
    if problem then exported:set("serin_script_refused", { script = label }, 1)
    else exported:remove({ script = label }) end
  end

  local COUNTED = { ticks = "serin_ticks_total", tick_errors = "serin_tick_errors_total",
    requests = "serin_api_requests_total", request_errors = "serin_api_errors_total" }
  local MEASURED = { due_late = "serin_tick_lateness_seconds", cache_objects = "serin_cache_objects",
    cache_bytes = "serin_cache_bytes" }

  --- What the process itself counts (engine.stats).
  function out.process(stats)
    for field, name in pairs(COUNTED) do
      local grown = stats[field] - (counted[field] or 0)
      counted[field] = stats[field]
      exported:count(name, {}, math.max(0, grown))
    end
    for field, name in pairs(MEASURED) do exported:set(name, {}, stats[field]) end
  end

  --- A Canary is gone, and with it every series of its target.
  function out.forget(namespace, name)
    local key = namespace .. "/" .. name
    local target = targets[key]
    if target == nil then return end
    targets[key] = nil
    if target then
      drop(exported, namespace, target)
      outcomes[namespace .. "/" .. target] = nil
    end
    add_total(namespace, -1)
  end

  return out
end

return gauges
