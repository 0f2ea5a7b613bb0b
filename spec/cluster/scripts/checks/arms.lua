--- The share of failed requests of the canary beside that of its primary, as Traefik counted them.
--
--   metrics: [{name: arms, interval: 1m, script: {name: arms, params: {worse: 1}}}]

local arms = {
  name = "arms", api = 1,
  grants = { "prom" },
  params = {
    worse = { type = "number", default = 1, min = 0, max = 100, unit = "%", doc = "so much worse it may be" },
    requests = { type = "integer", default = 5, min = 1, doc = "of the canary; fewer do not decide" },
  },
}

local QUERY = 'sum by (code) (increase(traefik_service_requests_total{service=~"%s-%s-[0-9a-z]+@.*"}[%ds]))'

--- All requests and those answered 5xx.
local function count(ctx, service)
  local query = QUERY:format(ctx.canary.namespace, service, math.floor(ctx.metric.interval))
  local series, message = prom.vector(nil, query)
  if not series then return nil, message, query end
  local all, failed = 0, 0
  for _, one in ipairs(series) do
    all = all + one.value
    if one.labels.code and one.labels.code:match("^5") then failed = failed + one.value end
  end
  return { all = all, failed = failed }, nil, query
end

function arms.run(ctx)
  local rule = ("at most %g %% more failures than the primary"):format(ctx.params.worse)
  local canary, message, query = count(ctx, ctx.canary.services.canary)
  if not canary then return verdict.error{ rule = rule, query = query, message = message } end
  if canary.all == 0 then return verdict.nodata{ rule = rule, query = query, message = "no requests of the canary" } end
  if canary.all < ctx.params.requests then
    return verdict.inconclusive{ rule = rule, query = query, value = canary.all, message = "too few requests" }
  end
  local primary, other = count(ctx, ctx.canary.services.primary)
  if not primary then return verdict.error{ rule = rule, query = query, message = other } end
  local ours = 100 * canary.failed / canary.all
  local theirs = primary.all > 0 and 100 * primary.failed / primary.all or 0
  local answer = ours - theirs <= ctx.params.worse and verdict.pass or verdict.fail
  return answer{ value = ("%.2f %% (primary %.2f %%)"):format(ours, theirs), rule = rule, query = query,
    n = math.floor(canary.all) }
end

return arms
