--- HAProxy's own exporter (`prometheus-exporter`): the backend that the controller makes of a Service and one of its
-- ports, `<namespace>_svc_<service>_<port>`. Codes are classes, "5xx".
--
-- It has no histogram of latencies, so no quantile and no `buckets`: `request-duration` is judged by HAProxy's mean
-- over the last 1024 requests of the slowest instance, which forgets by requests and not by time. It counts only
-- while requests come.
-- github.com/haproxy/haproxy: addons/promex; github.com/haproxytech/kubernetes-ingress: documentation/prometheus.md,
-- pkg/service/service.go (GetBackendName)

return {
  success_rate = [[
{{- $proxy := printf "%s_svc_%s-canary_[0-9a-zA-Z-]+" namespace service }}
sum(rate(haproxy_backend_http_responses_total{proxy=~"{{ $proxy }}",code!="5xx"}[{{ interval }}]))
/
sum(rate(haproxy_backend_http_responses_total{proxy=~"{{ $proxy }}"}[{{ interval }}]))
* 100]],

  duration = [[
{{- $proxy := printf "%s_svc_%s-canary_[0-9a-zA-Z-]+" namespace service }}
max(haproxy_backend_response_time_average_seconds{proxy=~"{{ $proxy }}"}) * 1000
and
sum(rate(haproxy_backend_http_responses_total{proxy=~"{{ $proxy }}"}[{{ interval }}])) > 0]],

  duration_unit = "ms",

  arms = {
    canary = "{{ service }}-canary",
    primary = "{{ service }}",
  },

  counts = {
    code = "code",
    failed = "^5",
    query = [[
sum by (instance, pod, code) (
  haproxy_backend_http_responses_total{
    proxy=~"{{ namespace }}_svc_{{ workload }}_[0-9a-zA-Z-]+"
  }
)]],
  },
}
