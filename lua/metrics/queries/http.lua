--- Kubernetes and Gateway API: what the pods themselves export, found by the names of the canary's pods.

return {
  success_rate = [[

sum(
  rate(
    http_request_duration_seconds_count{
      kubernetes_namespace="{{ namespace }}",
      kubernetes_pod_name=~"{{ target }}-{{ pods }}",
      status!~"5.*"
    }[{{ interval }}]
  )
)
/
sum(
  rate(
    http_request_duration_seconds_count{
      kubernetes_namespace="{{ namespace }}",
      kubernetes_pod_name=~"{{ target }}-{{ pods }}"
    }[{{ interval }}]
  )
)
* 100]],

  duration = [[

histogram_quantile(
  0.99,
  sum(
    rate(
      http_request_duration_seconds_bucket{
        kubernetes_namespace="{{ namespace }}",
        kubernetes_pod_name=~"{{ target }}-{{ pods }}"
      }[{{ interval }}]
    )
  ) by (le)
)]],

  duration_unit = "s",
  -- COMPAT: Flagger words an error of this success rate without "running query failed: "
  bare_errors = true,

  arms = {
    canary = "{{ target }}",
    primary = "{{ target }}-primary",
  },

  counts = {
    code = "status",
    failed = "^5",
    query = [[
sum by (instance, kubernetes_pod_name, status) (
  http_request_duration_seconds_count{
    kubernetes_namespace="{{ namespace }}",
    kubernetes_pod_name=~"{{ workload }}-{{ pods }}"
  }
)]],
  },

  buckets = {
    unit = "s",
    query = [[
sum by (instance, kubernetes_pod_name, le) (
  http_request_duration_seconds_bucket{
    kubernetes_namespace="{{ namespace }}",
    kubernetes_pod_name=~"{{ workload }}-{{ pods }}"
  }
)]],
  },
}
