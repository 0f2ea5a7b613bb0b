--- A boolean combination: errors and latency are both good, or there is too little traffic to tell.
--
--   metrics: [{name: checkout, script: {name: either, params: {errors: 0.5, p99: 300ms}}}]
--
-- The three questions are asked of the canary's pods; change them to the names that your application exports.

local either = {
  name = "either", api = 1,
  grants = { "prom" },
  params = {
    errors = { type = "number", default = 1, min = 0, max = 100, unit = "%", doc = "failed requests, at most" },
    p99 = { type = "duration", default = "500ms", doc = "the 99th percentile of their durations, at most" },
    traffic = { type = "number", default = 1, min = 0, unit = "requests/s", doc = "below this nothing is judged" },
  },
}

local REQUESTS = 'sum(rate(http_requests_total{%s}[%ds]))'
local ERRORS = '100 * sum(rate(http_requests_total{%s,status=~"5.."}[%ds])) / sum(rate(http_requests_total{%s}[%ds]))'
local P99 = 'histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{%s}[%ds])))'

local function ask(query)
  local value, message, code = prom.query(nil, query)
  if value then return value end
  if code == "NO_DATA" then return nil, verdict.nodata{ rule = "an answer", query = query } end
  return nil, verdict.error{ rule = "an answer", query = query, message = message }
end

function either.run(ctx)
  local canary, seconds = ctx.canary, math.floor(ctx.metric.interval)
  local pods = ('namespace="%s",pod=~"%s-[0-9a-z]+-[0-9a-z]+"'):format(canary.namespace, canary.target.name)
  local traffic, none = ask(REQUESTS:format(pods, seconds))
  if not traffic then return none end
  if traffic < ctx.params.traffic then
    return verdict.pass{ value = traffic, rule = "less than " .. ctx.params.traffic .. " requests/s", n = 0 }
  end
  local errors, p99
  errors, none = ask(ERRORS:format(pods, seconds, pods, seconds))
  if not errors then return none end
  p99, none = ask(P99:format(pods, seconds))
  if not p99 then return none end
  local answer = errors <= ctx.params.errors and p99 <= ctx.params.p99 and verdict.pass or verdict.fail
  return answer{
    value = ("%.2f %% errors, p99 %.0f ms"):format(errors, p99 * 1000),
    rule = ("<= %g %% errors and p99 <= %.0f ms"):format(ctx.params.errors, ctx.params.p99 * 1000),
    query = ERRORS:format(pods, seconds, pods, seconds),
    n = math.floor(traffic * seconds),
  }
end

return either
