--- App Mesh: the sidecars of the canary's pods.

return {
  success_rate = [[

sum(
  rate(
    envoy_cluster_upstream_rq{
      kubernetes_namespace="{{ namespace }}",
      kubernetes_pod_name=~"{{ target }}-{{ pods }}",
      envoy_response_code!~"5.*"
    }[{{ interval }}]
  )
)
/
sum(
  rate(
    envoy_cluster_upstream_rq{
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
      envoy_cluster_upstream_rq_time_bucket{
        kubernetes_namespace="{{ namespace }}",
        kubernetes_pod_name=~"{{ target }}-{{ pods }}"
      }[{{ interval }}]
    )
  ) by (le)
)]],

  duration_unit = "ms",

  arms = {
    canary = "{{ target }}",
    primary = "{{ target }}-primary",
  },

  counts = {
    code = "envoy_response_code",
    failed = "^5",
    query = [[
sum by (instance, kubernetes_pod_name, envoy_response_code) (
  envoy_cluster_upstream_rq{
    kubernetes_namespace="{{ namespace }}",
    kubernetes_pod_name=~"{{ workload }}-{{ pods }}"
  }
)]],
  },

  buckets = {
    unit = "ms",
    query = [[
sum by (instance, kubernetes_pod_name, le) (
  envoy_cluster_upstream_rq_time_bucket{
    kubernetes_namespace="{{ namespace }}",
    kubernetes_pod_name=~"{{ workload }}-{{ pods }}"
  }
)]],
  },
}
