--- Traefik: the Service behind the canary's weight, which is named after the apex Service.

return {
  success_rate = [[

sum(
  rate(
    traefik_service_request_duration_seconds_bucket{
      service=~"{{ namespace }}-{{ service }}-canary-[0-9a-zA-Z-]+@kubernetescrd",
      code!~"5..",
      le="+Inf"
    }[{{ interval }}]
  )
)
/
sum(
  rate(
    traefik_service_request_duration_seconds_bucket{
      service=~"{{ namespace }}-{{ service }}-canary-[0-9a-zA-Z-]+@kubernetescrd",
      le="+Inf"
    }[{{ interval }}]
  )
)
* 100]],

  duration = [[

histogram_quantile(
  0.99,
  sum(
    rate(
      traefik_service_request_duration_seconds_bucket{
        service=~"{{ namespace }}-{{ service }}-canary-[0-9a-zA-Z-]+@kubernetescrd"
      }[{{ interval }}]
    )
  ) by (le)
) * 1000]],

  duration_unit = "ms",

  arms = {
    canary = "{{ service }}-canary",
    primary = "{{ service }}-primary",
  },

  counts = {
    code = "code",
    failed = "^5",
    query = [[
sum by (instance, pod, code) (
  traefik_service_requests_total{
    service=~"{{ namespace }}-{{ workload }}-[0-9a-zA-Z-]+@kubernetescrd"
  }
)]],
  },

  buckets = {
    unit = "s",
    query = [[
sum by (instance, pod, le) (
  traefik_service_request_duration_seconds_bucket{
    service=~"{{ namespace }}-{{ workload }}-[0-9a-zA-Z-]+@kubernetescrd"
  }
)]],
  },
}
