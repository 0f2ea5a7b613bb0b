--- Linkerd: inbound requests of the proxy; a response it classifies as failure is one.

return {
  success_rate = [[

sum(
  rate(
    response_total{
      namespace="{{ namespace }}",
      deployment=~"{{ target }}",
      classification!="failure",
      direction="inbound"
    }[{{ interval }}]
  )
)
/
sum(
  rate(
    response_total{
      namespace="{{ namespace }}",
      deployment=~"{{ target }}",
      direction="inbound"
    }[{{ interval }}]
  )
)
* 100]],

  duration = [[

histogram_quantile(
  0.99,
  sum(
    rate(
      response_latency_ms_bucket{
        namespace="{{ namespace }}",
        deployment=~"{{ target }}",
        direction="inbound"
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
    code = "classification",
    failed = "^failure$",
    query = [[
sum by (instance, pod, classification) (
  response_total{
    namespace="{{ namespace }}",
    deployment="{{ workload }}",
    direction="inbound"
  }
)]],
  },

  buckets = {
    unit = "ms",
    query = [[
sum by (instance, pod, le) (
  response_latency_ms_bucket{
    namespace="{{ namespace }}",
    deployment="{{ workload }}",
    direction="inbound"
  }
)]],
  },
}
