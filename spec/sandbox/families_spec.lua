local world = require("sandbox.world")

local MANIFESTS = [[
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: demo}
spec:
  replicas: 1
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: "podinfo:1-err10-lat120ms"}]}
---
{apiVersion: v1, kind: Service, metadata: {name: app-canary, namespace: demo},
 spec: {selector: {app: app}, ports: [{port: 80}]}}
---
]]

local INGRESS = [[
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: app, namespace: demo},
 spec: {rules: [{http: {paths: [{path: /, pathType: Prefix,
   backend: {service: {name: app-canary, port: {number: 80}}}}]}}]}}]]
local APISIX = [[
{apiVersion: apisix.apache.org/v2, kind: ApisixRoute, metadata: {name: app-app-canary-canary, namespace: demo},
 spec: {http: [{name: main, backends: [{serviceName: app-canary, servicePort: 80, weight: 100}]}]}}]]
local HTTPROUTE = [[
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: app-canary, namespace: demo},
 spec: {rules: [{backendRefs: [{name: app-canary, port: 80, weight: 100}]}]}}]]

--- A world in which 100 requests a second have gone to one pod, 10 % of them in vain, for a minute.
local function after_a_minute(route)
  local w = world.new()
  w:apply(MANIFESTS .. (route or ""))
  w:advance(5)
  w.traffic:add({ namespace = "demo", service = "app-canary", rate = 100 })
  w:advance(60)
  return function(query)
    local result = assert(w.prometheus:query(query))
    return result[1] and math.floor(result[1].value * 100 + 0.5) / 100
  end
end

-- Metric -> what chooses its errors, its requests, its histogram in which unit, and the route it needs.
local METRICS = {
  { "http_requests_total", 'status=~"5.."', 'namespace="demo",app="app"', "http_request_duration_seconds", 1 },
  { "grpc_server_handled_total", 'grpc_code="Internal"', 'namespace="demo",pod=~"app-.*"',
    "grpc_server_handling_seconds", 1 },
  { "istio_requests_total", 'response_code=~"5.*"', 'destination_workload="app",reporter="destination"',
    "istio_request_duration_milliseconds", 1000 },
  { "response_total", 'classification="failure"', 'deployment="app",direction="inbound"', "response_latency_ms", 1000 },
  { "osm_request_total", 'response_code="500"', 'destination_name="app"', "osm_request_duration_ms", 1000 },
  { "traefik_service_requests_total", 'code=~"5.*"', 'service=~"demo-app-canary-80@kubernetescrd"',
    "traefik_service_request_duration_seconds", 1 },
  { "envoy_cluster_upstream_rq", 'envoy_response_code=~"5.*"', 'envoy_cluster_name=~"demo_app-canary_[0-9]+"',
    "envoy_cluster_upstream_rq_time", 1000 },
  { "nginx_ingress_controller_requests", 'status=~"5.*"', 'namespace="demo",ingress="app"',
    "nginx_ingress_controller_response_duration_seconds", 1, INGRESS },
  { "skipper_serve_route_duration_seconds_count", 'code=~"5.."', 'route=~"kube_demo__app.*__app_canary"',
    "skipper_serve_route_duration_seconds", 1, INGRESS },
  { "apisix_http_status", 'code=~"5.."', 'route=~"demo_app-app-canary-canary_.*"', "apisix_http_latency", 1000,
    APISIX },
  { "kong_http_requests_total", 'code=~"5.."', 'route=~"httproute[.]demo[.]app-canary[.](.+[.])?0[.][0-9]+"',
    "kong_request_latency_ms", 1000, HTTPROUTE },
}

describe("sandbox.families", function()
  for _, case in ipairs(METRICS) do
    local name, errors, requests, histogram, unit, route = table.unpack(case)

    it("counts requests in " .. name, function()
      assert.equal(100, after_a_minute(route)(("sum(rate(%s{%s}[30s]))"):format(name, requests)))
    end)

    it("counts errors in " .. name, function()
      assert.equal(10, after_a_minute(route)(("sum(rate(%s{%s,%s}[30s]))"):format(name, requests, errors)))
    end)

    it("times requests in " .. histogram, function()
      local mean = after_a_minute(route)(("sum(rate(%s_sum{%s}[30s])) / sum(rate(%s_count{%s}[30s]))")
        :format(histogram, requests, histogram, requests))
      assert.equal(0.12 * unit, mean)
    end)

    it("sorts requests into buckets in " .. histogram, function()
      local p99 = after_a_minute(route)(("histogram_quantile(0.99, sum(rate(%s_bucket{%s}[30s])) by (le))")
        :format(histogram, requests))
      assert.is_true(p99 > 0.1 * unit and p99 <= 0.3 * unit, tostring(p99))
    end)
  end

  it("knows nothing of requests that no pod answered, but for the proxy", function()
    local w = world.new()
    w:apply(MANIFESTS)
    w:advance(5)
    w:patch("Deployment", "demo", "app", { spec = { replicas = 0 } })
    w:advance(1)
    w.traffic:add({ namespace = "demo", service = "app-canary", rate = 100 })
    w:advance(60)
    assert.same({}, w.prometheus:query("rate(http_requests_total[30s])"))
    assert.equal("503", w.prometheus:query("rate(traefik_service_requests_total[30s])")[1].labels.code)
  end)

  it("lets the series of a pod end with it", function()
    local w = world.new()
    w:apply(MANIFESTS)
    w:advance(5)
    w.traffic:add({ namespace = "demo", service = "app-canary", rate = 100 })
    w:advance(60)
    w:patch("Deployment", "demo", "app", { spec = { replicas = 0 } })
    w:advance(5)
    assert.same({}, w.prometheus:query("http_requests_total"))
  end)
end)
