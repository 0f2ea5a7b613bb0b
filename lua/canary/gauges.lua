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

--- The gauges of one process over a registry (exported.lua).
function gauges.new(exported)
  local out, targets = {}, {}

  function out.phase(canary, name)
    targets[canary.namespace .. "/" .. canary.name] = canary.target.name
    exported.set("flagger_canary_status", target_labels(canary), STATUS[name] or 1)
  end

  function out.weights(canary, routes)
    targets[canary.namespace .. "/" .. canary.name] = canary.target.name
    local name, namespace = canary.target.name, canary.namespace
    exported.set("flagger_canary_weight", { workload = name .. "-primary", namespace = namespace }, routes.primary)
    exported.set("flagger_canary_weight", { workload = name, namespace = namespace }, routes.canary)
  end

  function out.check(canary, metric, value)
    local labels = target_labels(canary)
    labels.metric = metric
    exported.set("flagger_canary_metric_analysis", labels, value)
  end

  function out.succeeded(canary)
    exported.count("flagger_canary_successes_total", result_labels(canary), 1)
    exported.count("serin_promotions_total", target_labels(canary), 1)
  end

  function out.failed(canary)
    exported.count("flagger_canary_failures_total", result_labels(canary), 1)
    exported.count("serin_rollbacks_total", target_labels(canary), 1)
  end

  --- Drops every series of a Canary that is gone.
  function out.forget(namespace, name)
    local target = targets[namespace .. "/" .. name]
    targets[namespace .. "/" .. name] = nil
    if not target then return end
    exported.remove({ name = target, namespace = namespace })
    exported.remove({ workload = target, namespace = namespace })
    exported.remove({ workload = target .. "-primary", namespace = namespace })
  end

  return out
end

return gauges
