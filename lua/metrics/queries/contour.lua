--- Contour: the Envoy cluster of the canary Service.

return {
  success_rate = [[

sum(
  rate(
    envoy_cluster_upstream_rq{
      envoy_cluster_name=~"{{ namespace }}_{{ service }}-canary_[0-9a-zA-Z-]+",
      envoy_response_code!~"5.*"
    }[{{ interval }}]
  )
)
/
sum(
  rate(
    envoy_cluster_upstream_rq{
      envoy_cluster_name=~"{{ namespace }}_{{ service }}-canary_[0-9a-zA-Z-]+",
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
        envoy_cluster_name=~"{{ namespace }}_{{ service }}-canary_[0-9a-zA-Z-]+",
      }[{{ interval }}]
    )
  ) by (le)
)]],

  duration_unit = "ms",

  arms = {
    canary = "{{ service }}-canary",
    primary = "{{ service }}-primary",
  },

  counts = {
    code = "envoy_response_code",
    failed = "^5",
    query = [[
sum by (instance, pod, envoy_response_code) (
  envoy_cluster_upstream_rq{
    envoy_cluster_name=~"{{ namespace }}_{{ workload }}_[0-9a-zA-Z-]+"
  }
)]],
  },

  buckets = {
    unit = "ms",
    query = [[
sum by (instance, pod, le) (
  envoy_cluster_upstream_rq_time_bucket{
    envoy_cluster_name=~"{{ namespace }}_{{ workload }}_[0-9a-zA-Z-]+"
  }
)]],
  },
}
