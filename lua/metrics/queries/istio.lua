--- Istio: the standard telemetry of the receiving proxy. Also what an unknown provider gets.

return {
  success_rate = [[

sum(
  rate(
    istio_requests_total{
      reporter="destination",
      destination_workload_namespace="{{ namespace }}",
      destination_workload=~"{{ target }}",
      response_code!~"5.*"
    }[{{ interval }}]
  )
)
/
sum(
  rate(
    istio_requests_total{
      reporter="destination",
      destination_workload_namespace="{{ namespace }}",
      destination_workload=~"{{ target }}"
    }[{{ interval }}]
  )
)
* 100]],

  duration = [[

histogram_quantile(
  0.99,
  sum(
    rate(
      istio_request_duration_milliseconds_bucket{
        reporter="destination",
        destination_workload_namespace="{{ namespace }}",
        destination_workload=~"{{ target }}"
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
  istio_requests_total{
    reporter="destination",
    destination_workload_namespace="{{ namespace }}",
    destination_workload="{{ workload }}"
  }
)]],
  },

  buckets = {
    unit = "ms",
    query = [[
sum by (instance, pod, le) (
  istio_request_duration_milliseconds_bucket{
    reporter="destination",
    destination_workload_namespace="{{ namespace }}",
    destination_workload="{{ workload }}"
  }
)]],
  },
}
