--- A comparison of both arms: the canary may be a little worse than the primary, and no more.
--
--   policy:
--     name: canary_vs_primary
--     params:
--       query: sum(rate(errors_total{namespace="$namespace",pod=~"$workload-[0-9a-z]+-[0-9a-z]+"}[1m]))
--       margin: 1.2
--
-- The same query is asked of both; it gives one number, the less the better. Twice worse in a row is rolled back, an
-- answer that is missing holds the step.

local steps = require("lib.steps")

local compare = {
  name = "canary_vs_primary", api = 1,
  grants = { "prom" },
  params = {
    query = { type = "string", required = true, doc = "PromQL with $namespace and $workload" },
    margin = { type = "number", default = 1.1, min = 1, doc = "the canary's value may be so many times the primary's" },
    slack = { type = "number", default = 0.01, min = 0, doc = "and so much more: a primary of 0 would allow nothing" },
    patience = { type = "integer", default = 2, min = 1, max = 20, doc = "so often in a row it may be worse" },
  },
}

local function ask(ctx, workload)
  local query = ctx.params.query:gsub("%$(%w+)", { namespace = ctx.canary.namespace, workload = workload })
  local value, message = prom.query(nil, query)
  return value, message, query
end

function compare.decide(ctx)
  local decision = steps.decide(ctx)
  if decision.action == "rollback" or ctx.now.weight == 0 then return decision end
  local worse = (ctx.state or {}).worse or 0
  local primary, message = ask(ctx, ctx.canary.target .. "-primary")
  local canary, other, query = ask(ctx, ctx.canary.target)
  if not primary or not canary then
    return { action = "hold", reason = "no comparison: " .. (message or other), state = { worse = worse } }
  end
  local limit = primary * ctx.params.margin + ctx.params.slack
  local good = canary <= limit
  worse = good and 0 or worse + 1
  local evidence = json.array({ { name = "canary vs primary", verdict = good and "pass" or "fail", query = query,
    rule = ("<= %g, from the primary's %g"):format(limit, primary), value = ("%g"):format(canary) } })
  if worse >= ctx.params.patience then
    return { action = "rollback", reason = ("worse than the primary %d times in a row"):format(worse),
      evidence = evidence, state = { worse = worse } }
  end
  if not good then
    decision = { action = "hold", reason = ("%g, the primary allows %g"):format(canary, limit) }
  end
  decision.evidence, decision.state = evidence, { worse = worse }
  return decision
end

return compare
