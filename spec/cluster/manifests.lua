--- Manifests of the canaries that the specs release. `$(name)` stands for what the caller gives.

local manifests = {}

--- Two pods behind nothing yet; the engine makes the rest.
manifests.target = [[
apiVersion: v1
kind: Namespace
metadata: {name: $(namespace)}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: $(namespace), labels: {app: app}}
spec:
  replicas: 2
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app, serves: app}}
    spec:
      containers: [{name: app, image: "podinfo:6.0.0", ports: [{name: http, containerPort: 9898}]}]
]]

local METRICS = [[
    metrics:
    - {name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}
    - {name: request-duration, thresholdRange: {max: 500}, interval: 30s}
]]

--- What `analysis` says.
manifests.analyses = {
  steps = [[
    interval: 10s
    threshold: 3
    maxWeight: 60
    stepWeight: 20
]] .. METRICS,
  iterations = [[
    interval: 10s
    threshold: 3
    iterations: 3
]] .. METRICS,
  -- Judged by nothing: these are held, to be looked at. An interval is the time there is to hold them.
  held = "    {interval: 15s, threshold: 3, policy: {name: steps, params: {steps: "
    .. "[{weight: 0.5, replicas: 1}, {weight: 20, replicas: 1}, {weight: 50}, {weight: 90}]}}}\n",
  mirrored = "    {interval: 15s, threshold: 3, stepWeights: [20], mirror: true, mirrorWeight: $(mirrorWeight)}\n",
  matched = "    {interval: 15s, threshold: 3, iterations: 20, match: [{headers: {x-canary: {exact: insider}}}]}\n",
}

-- By scripts: those of spec/cluster/scripts, of spec/cluster/hostile, and one in a ConfigMap.
local ARMS = "    - {name: arms, interval: 15s, script: {name: arms, params: {worse: 2, requests: 20}}}\n"
local RAMP = "    policy: {name: ramp, params: {start: 10, max: 40}}\n"

manifests.analyses.ramped = "    interval: 10s\n    threshold: 5\n" .. RAMP .. [[
    metrics:
    - {name: budget, script: {name: budget, params: {service: $(namespace), least: 25}}}
]] .. ARMS
manifests.analyses.split = "    interval: 10s\n    threshold: 5\n" .. RAMP .. "    metrics:\n" .. ARMS
manifests.analyses.hostile = [[
    interval: 10s
    threshold: 3
    stepWeight: 20
    maxWeight: 60
    metrics:
    - {name: spin, script: {name: spin}}
    - {name: hoard, script: {name: hoard}}
    - {name: flood, script: {name: flood}}
    - {name: pry, script: {name: pry}}
]]
manifests.analyses.stuck = "    {interval: 10s, threshold: 3, policy: {name: stuck}, stepWeight: 20}\n"
manifests.analyses.tenant = [[
    interval: 10s
    threshold: 2
    stepWeights: [20, 50]
    metrics:
    - {name: ready, script: {scriptRef: {name: checks, key: ready.lua}, params: {least: 1}}}
]]

local CANARY = [[
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: $(namespace)}
spec:
  provider: "%s"
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  progressDeadlineSeconds: 120
  service: {port: 80, targetPort: http%s}
%s  analysis:
%s]]

--- What a user of each provider writes: fields of the service, of the spec, and objects of his own.
local providers = {}

providers.kubernetes = {}

providers.replicas = { service = ", selector: {serves: app}" }

providers.traefik = { objects = [[
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: app, namespace: $(namespace)}
spec:
  entryPoints: [web]
  routes:
  - {kind: Rule, match: "Host(`$(host)`)", services: [{kind: TraefikService, name: app}]}
]] }

-- Served by spec/cluster/scripts/routers: it writes weights into the user's own route.
providers.ingressroute = { objects = [[
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: app, namespace: $(namespace)}
spec:
  entryPoints: [web]
  routes:
  - {kind: Rule, match: "Host(`$(host)`)", services: [{kind: Service, name: app, port: 80, passHostHeader: true}]}
]] }

providers["gatewayapi:v1"] = {
  service = ", hosts: [$(host)], gatewayRefs: [{name: web, namespace: $(namespace)}]",
  objects = [[
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: traefik}
spec: {controllerName: traefik.io/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: $(namespace)}
spec:
  gatewayClassName: traefik
  listeners: [{name: web, protocol: HTTP, port: 8000, allowedRoutes: {namespaces: {from: All}}}]
]] }

-- The Ingress controller counts under names of its own; prometheus.yml gives them those of Ingress NGINX.
providers.nginx = {
  spec = "  ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: app}\n",
  objects = [[
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: app, namespace: $(namespace)}
spec:
  ingressClassName: nginx
  rules:
  - host: $(host)
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]}
]] }

providers.contour = { spec = "  metricsServer: $(contourMetrics)\n", objects = [[
---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: root, namespace: $(namespace)}
spec:
  virtualhost: {fqdn: $(host)}
  includes: [{name: app}]
]] }

providers.istio = {
  service = ", gateways: [istio-system/public-gateway], hosts: [$(host)], trafficPolicy: {tls: {mode: DISABLE}}",
  spec = "  metricsServer: $(istioMetrics)\n",
}

-- The Gateway API by Gateways that stand already: those of Istio and of Envoy Gateway, which mirror.
local SHARED = { service = ", hosts: [$(host)], gatewayRefs: [{name: gateway, namespace: $(through)}]" }
local gateways = { istio = "istio-system", envoygateway = "envoy-gateway-system" }

--- A target, its Canary and the user's objects around them.
--- @param provider string  one that a Canary names; "gatewayapi:v1 istio" is the same by a key of `gateways`
--- @param analysis string  a key of `manifests.analyses`
function manifests.of(provider, analysis)
  local name, through = provider:match("^(%S+) ?(%S*)$")
  local parts = gateways[through] and SHARED or providers[name]
  local text = manifests.target .. CANARY:format(name, parts.service or "", parts.spec or "",
    manifests.analyses[analysis]) .. (parts.objects or "")
  return (text:gsub("%$%(through%)", gateways[through] or ""))
end

function manifests.fill(text, values)
  return (text:gsub("%$%((%w+)%)", values))
end

return manifests
