--- APISIX: the route named after the ApisixRoute and the apex Service.

return {
  success_rate = [[

sum(
  rate(
    apisix_http_status{
      route=~"{{ namespace }}_{{ route }}-{{ service }}-canary_.+",
      code!~"5.."
    }[{{ interval }}]
  )
)
/
sum(
  rate(
    apisix_http_status{
      route=~"{{ namespace }}_{{ route }}-{{ service }}-canary_.+"
    }[{{ interval }}]
  )
)
* 100]],

  duration = [[

histogram_quantile(
  0.99,
  sum(
    rate(
      apisix_http_latency_bucket{
        type=~"request",
        route=~"{{ namespace }}_{{ route }}-{{ service }}-canary_.+"
      }[{{ interval }}]
    )
  ) by (le)
)]],

  duration_unit = "ms",
}
