--- Open Service Mesh: requests received by the target.

return {
  success_rate = [[

sum(
  rate(
    osm_request_total{
      destination_namespace="{{ namespace }}",
      destination_kind="{{ kind }}",
      destination_name="{{ target }}",
      response_code!~"5.*"
    }[{{ interval }}]
  )
)
/
sum(
  rate(
    osm_request_total{
      destination_namespace="{{ namespace }}",
      destination_kind="{{ kind }}",
      destination_name="{{ target }}"
    }[{{ interval }}]
  )
)
* 100]],

  duration = [[

histogram_quantile(
  0.99,
  sum(
    rate(
      osm_request_duration_ms_bucket{
        destination_namespace="{{ namespace }}",
        destination_kind="{{ kind }}",
        destination_name="{{ target }}"
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
    code = "response_code",
    failed = "^5",
    query = [[
sum by (instance, pod, response_code) (
  osm_request_total{
    destination_namespace="{{ namespace }}",
    destination_kind="{{ kind }}",
    destination_name="{{ workload }}"
  }
)]],
  },

  buckets = {
    unit = "ms",
    query = [[
sum by (instance, pod, le) (
  osm_request_duration_ms_bucket{
    destination_namespace="{{ namespace }}",
    destination_kind="{{ kind }}",
    destination_name="{{ workload }}"
  }
)]],
  },
}
