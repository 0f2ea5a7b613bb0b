--- The metrics that follow from the traffic: for each name, what it counts and how a flow is labelled in it.
--
-- A flow is { namespace, pod, app, version, workload, service, port, status, latency, via, route, rule, canary }; pod
-- is nil when a proxy answered because there was no pod. A family is { labels = function(flow) -> labels | nil,
-- bounds = of its histogram | nil, scale = of seconds in its unit }.

local families = {}

local HTTP = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 }
local MESH = { 0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000 }
local LINKERD = { 1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000, 2000, 3000, 4000, 5000, 10000 }
local PROXY = { 0.1, 0.3, 1.2, 5 }

local function text(number)
  return ("%g"):format(number)
end

local function http(flow)
  if not flow.pod then return nil end
  return {
    namespace = flow.namespace, pod = flow.pod, app = flow.app, version = flow.version, status = text(flow.status),
    kubernetes_namespace = flow.namespace, kubernetes_pod_name = flow.pod,
  }
end

--- Every request as a call, its errors as those of the server.
local function grpc(flow)
  if not flow.pod then return nil end
  return { namespace = flow.namespace, pod = flow.pod, grpc_code = flow.status >= 500 and "Internal" or "OK" }
end

local function istio(flow)
  if not flow.pod then return nil end
  return {
    reporter = "destination", destination_workload_namespace = flow.namespace, destination_workload = flow.workload,
    destination_service_name = flow.service, response_code = text(flow.status), pod = flow.pod,
    destination_version = flow.version,
  }
end

local function linkerd(flow)
  if not flow.pod then return nil end
  return {
    namespace = flow.namespace, deployment = flow.workload, pod = flow.pod, direction = "inbound",
    classification = flow.status >= 500 and "failure" or "success", status_code = text(flow.status),
  }
end

local function osm(flow)
  if not flow.pod then return nil end
  return {
    destination_namespace = flow.namespace, destination_kind = "Deployment", destination_name = flow.workload,
    destination_pod = flow.pod, response_code = text(flow.status),
  }
end

local function traefik(flow)
  return {
    service = ("%s-%s-%d@kubernetescrd"):format(flow.namespace, flow.service, flow.port), code = text(flow.status),
    method = "GET", protocol = "http",
  }
end

local function cluster_name(flow)
  if flow.via == "gloo" then
    local upstream = flow.service:gsub("%-canary$", "-canaryupstream"):gsub("%-primary$", "-primaryupstream")
    return ("%s-%s-%d_gloo-system"):format(flow.namespace, upstream, flow.port)
  end
  return ("%s_%s_%d"):format(flow.namespace, flow.service, flow.port)
end

local function envoy(flow)
  return {
    envoy_cluster_name = cluster_name(flow), envoy_response_code = text(flow.status),
    service = ("%s_%s_svc_%d"):format(flow.service, flow.namespace, flow.port),
    kubernetes_namespace = flow.namespace, kubernetes_pod_name = flow.pod,
  }
end

local function nginx(flow)
  if flow.via ~= "nginx" then return nil end
  local canary = flow.canary and ("%s-%s-%d"):format(flow.namespace, flow.service, flow.port) or ""
  local ingress = flow.route:gsub("%-canary$", "")
  return { namespace = flow.namespace, ingress = ingress, canary = canary, service = flow.service,
    status = text(flow.status) }
end

local function skipper(flow)
  if flow.via ~= "nginx" then return nil end
  local function word(name) return (name:gsub("[^%w_]", "_")) end
  return {
    route = ("kube_%s__%s__all____%s"):format(word(flow.namespace), word(flow.route), word(flow.service)),
    code = text(flow.status), method = "GET",
  }
end

local function apisix(flow)
  if flow.via ~= "apisix" then return nil end
  return { route = ("%s_%s_%s"):format(flow.namespace, flow.route, flow.service), code = text(flow.status) }
end

local function apisix_latency(flow)
  local labels = apisix(flow)
  if labels then labels.type = "request" end
  return labels
end

--- A backend for each Service and port, by the class of the code.
local function haproxy(flow)
  if flow.via ~= "haproxy" then return nil end
  return { proxy = ("%s_svc_%s_http"):format(flow.namespace, flow.service), code = ("%dxx"):format(flow.status // 100) }
end

--- The routes of KIC, by the rule that took the request; `flow.rule` counts from zero.
local function kong(flow)
  if flow.via ~= "gatewayapi" or not flow.rule then return nil end
  return { service = ("httproute.%s.%s._.%d"):format(flow.namespace, flow.route, flow.rule),
    route = ("httproute.%s.%s._.%d.0"):format(flow.namespace, flow.route, flow.rule), code = text(flow.status) }
end

local TABLE = {}

local function counted(name, labels)
  TABLE[name] = { labels = labels, unit = "count" }
end

local function timed(name, labels, bounds, scale)
  TABLE[name .. "_count"] = { labels = labels, unit = "count" }
  TABLE[name .. "_sum"] = { labels = labels, unit = "sum", scale = scale }
  TABLE[name .. "_bucket"] = { labels = labels, unit = "bucket", bounds = bounds, scale = scale }
end

counted("http_requests_total", http)
timed("http_request_duration_seconds", http, HTTP, 1)
counted("grpc_server_handled_total", grpc)
timed("grpc_server_handling_seconds", grpc, HTTP, 1)
counted("istio_requests_total", istio)
timed("istio_request_duration_milliseconds", istio, MESH, 1000)
counted("response_total", linkerd)
timed("response_latency_ms", linkerd, LINKERD, 1000)
counted("osm_request_total", osm)
timed("osm_request_duration_ms", osm, MESH, 1000)
counted("traefik_service_requests_total", traefik)
timed("traefik_service_request_duration_seconds", traefik, PROXY, 1)
counted("envoy_cluster_upstream_rq", envoy)
timed("envoy_cluster_upstream_rq_time", envoy, MESH, 1000)
counted("nginx_ingress_controller_requests", nginx)
timed("nginx_ingress_controller_response_duration_seconds", nginx, HTTP, 1)
timed("skipper_response_duration_seconds", skipper, HTTP, 1)
timed("skipper_serve_route_duration_seconds", skipper, HTTP, 1)
counted("apisix_http_status", apisix)
timed("apisix_http_latency", apisix_latency, MESH, 1000)
counted("haproxy_backend_http_responses_total", haproxy)
counted("kong_http_requests_total", kong)
timed("kong_request_latency_ms", kong, MESH, 1000)

--- The family of a metric's name, or nil.
function families.of(name)
  return TABLE[name]
end

--- The series that one flow is in: calls add(labels, factor) for each.
function families.each(family, flow, add)
  local labels = family.labels(flow)
  if not labels then return end
  if family.unit == "count" then return add(labels, 1) end
  local latency = flow.latency * family.scale
  if family.unit == "sum" then return add(labels, latency) end
  for at = 1, #family.bounds + 1 do
    local bound = family.bounds[at]
    local copy = {}
    for key, value in pairs(labels) do copy[key] = value end
    copy.le = bound and text(bound) or "+Inf"
    add(copy, (not bound or latency <= bound) and 1 or 0)
  end
end

return families
