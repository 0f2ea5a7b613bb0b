--- What a policy would have decided in a time range of a Prometheus: its metrics asked for each moment at which a check
--- would have been made. The traffic was what it was; the weights are those that the decisions would have led to.

local check = require("metrics.check")
local merge = require("util.merge")
local quick = require("offline.quick")
local series = require("metrics.series")

local range_replay = {}

--- A request of an instant query, for another moment.
local function at(request, t)
  local out = merge.copy(request)
  out.url = ("%s%stime=%.3f"):format(out.url, out.url:find("?", 1, true) and "&" or "?", t)
  return out
end

local function of_address(item, base)
  return item.request and item.request.url and item.request.url:sub(1, #base) == base
end

--- nil, or the check that no Prometheus answers.
local function unfit(items, base)
  for _, item in ipairs(items) do
    if not of_address(item, base) then
      local verdict = not item.request and item.kind ~= "script" and item.judge()
      return ("metric %s cannot be asked of %s: %s"):format(item.name, base,
        verdict and verdict.message or "another provider or a script answers it")
    end
  end
end

--- Whoever answers MetricTemplates of Prometheus, it is the one that was named.
local function readdressed(templates, base)
  local out = {}
  for key, object in pairs(templates) do
    out[key] = merge.copy(object)
    local provider = type(object.spec) == "table" and out[key].spec.provider
    if type(provider) == "table" and provider.type == "prometheus" then
      provider.address, provider.secretRef = base, nil
    end
  end
  return out
end

local function source_of(canary, settings, templates, options)
  local source = {}

  function source.verdicts(t)
    local out = {}
    for index, item in ipairs(check.plan(canary, settings, templates, t, {})) do
      local verdict, more = item.judge(options.ask(at(item.request, t)))
      while more do verdict, more = item.judge(options.ask(at(more, t))) end
      verdict.onNoData, out[index] = (canary.analysis.metrics[item.index] or {}).onNoData, verdict
    end
    return out
  end

  function source.samples(t)
    local out = {}
    for _, item in ipairs(series.plan(canary, settings, t, options.slow)) do
      local list = item.request and item.judge(options.ask(at(item.request, t)))
      for _, sample in ipairs(list or {}) do out[#out + 1] = sample end
    end
    return out
  end

  return source
end

--- { outcome, time, steps = { { t, action, reason, weight, failed, checks } } }; or nil and a message. Waits.
--- @param canary table   a view
--- @param options table  { settings, templates, base = address, from, to, policy, ask = http.request }
function range_replay.run(canary, options)
  local settings = merge.copy(options.settings)
  settings.metrics_server, canary.metrics_server = options.base, nil
  local templates = readdressed(options.templates, options.base)
  local bad = unfit(check.plan(canary, settings, templates, options.from, {}), options.base)
  if bad then return nil, bad end
  options.slow = type(options.policy.params) == "table" and options.policy.params.slow ~= nil
  local plan, message = quick.plan(canary, { settings = settings, policy = options.policy, first = options.from,
    limit = options.to, source = source_of(canary, settings, templates, options) })
  if not plan then return nil, message end
  local steps, run = {}, quick.new(plan)
  local result = quick.run(run, nil, function(of, t, answer, checks, failed)
    local list = {}
    for index, verdict in ipairs(checks) do
      list[index] = { name = verdict.name, verdict = verdict.verdict, value = verdict.value, rule = verdict.rule,
        message = verdict.message }
    end
    steps[#steps + 1] = { t = t, action = answer.action, reason = answer.reason, weight = of.now.weight,
      failed_checks = failed, checks = list }
  end)
  return { outcome = result.outcome, time = result.time, steps = steps }
end

return range_replay
