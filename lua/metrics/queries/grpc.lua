--- Calls of a GRPCRoute: what the pods' gRPC libraries export, found by the names of the canary's pods.
--
-- The names are those of go-grpc-prometheus, which the libraries of other languages took over. Failed are the codes
-- that tell of the server, not of what the client asked for.

return {
  success_rate = [[

sum(
  rate(
    grpc_server_handled_total{
      namespace="{{ namespace }}",
      pod=~"{{ target }}-{{ pods }}",
      grpc_code!~"Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss"
    }[{{ interval }}]
  )
)
/
sum(
  rate(
    grpc_server_handled_total{
      namespace="{{ namespace }}",
      pod=~"{{ target }}-{{ pods }}"
    }[{{ interval }}]
  )
)
* 100]],

  duration = [[

histogram_quantile(
  0.99,
  sum(
    rate(
      grpc_server_handling_seconds_bucket{
        namespace="{{ namespace }}",
        pod=~"{{ target }}-{{ pods }}"
      }[{{ interval }}]
    )
  ) by (le)
)]],

  duration_unit = "s",
}
