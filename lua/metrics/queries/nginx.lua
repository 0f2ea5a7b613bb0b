--- Ingress NGINX: requests that its canary rules sent to the canary; the mean of the latency, not a quantile.

return {
  success_rate = [[

sum(
  rate(
    nginx_ingress_controller_requests{
      namespace="{{ namespace }}",
      ingress="{{ ingress }}",
      canary!="",
      status!~"5.*"
    }[{{ interval }}]
  )
)
/
sum(
  rate(
    nginx_ingress_controller_requests{
      namespace="{{ namespace }}",
      ingress="{{ ingress }}",
      canary!=""
    }[{{ interval }}]
  )
)
* 100]],

  duration = [[

sum(
  rate(
    nginx_ingress_controller_response_duration_seconds_sum{
      namespace="{{ namespace }}",
      ingress="{{ ingress }}",
      canary!=""
    }[{{ interval }}]
  )
)
/
sum(
  rate(
    nginx_ingress_controller_response_duration_seconds_count{
      namespace="{{ namespace }}",
      ingress="{{ ingress }}",
      canary!=""
    }[{{ interval }}]
  )
)
* 1000]],

  duration_unit = "ms",

  arms = {
    canary = "!=",
    primary = "=",
  },

  counts = {
    code = "status",
    failed = "^5",
    query = [[
sum by (instance, pod, status) (
  nginx_ingress_controller_requests{
    namespace="{{ namespace }}",
    ingress="{{ ingress }}",
    canary{{ workload }}""
  }
)]],
  },

  buckets = {
    unit = "s",
    query = [[
sum by (instance, pod, le) (
  nginx_ingress_controller_response_duration_seconds_bucket{
    namespace="{{ namespace }}",
    ingress="{{ ingress }}",
    canary{{ workload }}""
  }
)]],
  },
}
