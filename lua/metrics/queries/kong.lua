--- Kong's plugin `prometheus` (status_code_metrics and latency_metrics switched on), for A/B tests.
--
-- Kong counts by service and route, and the backends of one rule are one service of Kong's. So it tells the arms apart
-- where they have rules of their own: the first rule of the HTTPRoute is that of the requests that match. KIC calls the
-- route of a rule httproute.<namespace>.<name>.<rule>.<match>, with the host (or _) before the rule where Kong's router
-- is of the flavour `expressions`. For one `interval` after those who match went over to the canary the counts still
-- hold what they asked of the primary. Of shares of one rule Kong knows nothing: observer.lua asks the pods instead.
-- https://developer.konghq.com/plugins/prometheus

return {
  success_rate = [[
{{- $route := printf "httproute[.]%s[.]%s[.](.+[.])?0[.][0-9]+" namespace service }}
sum(rate(kong_http_requests_total{route=~"{{ $route }}",code!~"5.."}[{{ interval }}]))
/
sum(rate(kong_http_requests_total{route=~"{{ $route }}"}[{{ interval }}]))
* 100]],

  duration = [[
{{- $route := printf "httproute[.]%s[.]%s[.](.+[.])?0[.][0-9]+" namespace service }}
histogram_quantile(0.99, sum(rate(kong_request_latency_ms_bucket{route=~"{{ $route }}"}[{{ interval }}])) by (le))]],

  duration_unit = "ms",
}
