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
    metadata: {labels: {app: app}}
    spec:
      containers: [{name: app, image: "podinfo:6.0.0", ports: [{name: http, containerPort: 9898}]}]
]]

local METRICS = [[
    metrics:
    - {name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}
    - {name: request-duration, thresholdRange: {max: 500}, interval: 30s}
]]

local STEPS = [[
    interval: 10s
    threshold: 3
    maxWeight: 60
    stepWeight: 20
]]

local function canary(provider, service, analysis)
  return ([[
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: $(namespace)}
spec:
  provider: "%s"
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  progressDeadlineSeconds: 120
  service: {port: 80, targetPort: http%s}
  analysis:
%s]]):format(provider, service, analysis)
end

manifests.traefik = canary("traefik", "", STEPS .. METRICS) .. [[
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: app, namespace: $(namespace)}
spec:
  entryPoints: [web]
  routes:
  - {kind: Rule, match: "Host(`$(host)`)", services: [{kind: TraefikService, name: app}]}
]]

manifests.gateway = canary("gatewayapi:v1",
  ", hosts: [$(host)], gatewayRefs: [{name: web, namespace: $(namespace)}]", STEPS .. METRICS) .. [[
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
]]

manifests.bluegreen = canary("kubernetes", "", [[
    interval: 10s
    threshold: 3
    iterations: 3
]] .. METRICS)

-- Only its objects are real here: nothing carries the traffic of a mesh, so nothing can be measured.
manifests.istio = canary("istio", ", gateways: [mesh], hosts: [$(host)], trafficPolicy: {tls: {mode: DISABLE}}",
  STEPS .. "    metrics: []\n")

function manifests.fill(text, values)
  return (text:gsub("%$%((%w+)%)", values))
end

return manifests
