--- Short manifests for scenarios; `change` replaces parts of them, in YAML's flow style.

local manifests = {}

--- change: { image =, label =, labels = more of them of the pods, ports =, replicas =, annotations = }
function manifests.deployment(name, change)
  change = change or {}
  local label = change.label or "app"
  return ([[
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: demo, labels: {%s: %s}}
spec:
  replicas: %d
  selector: {matchLabels: {%s: %s}}
  template:
    metadata: {labels: {%s: %s%s}, annotations: {%s}}
    spec:
      containers: [{name: app, image: "%s", ports: %s}]
]]):format(name, label, name, change.replicas or 2, label, name, label, name,
    change.labels and ", " .. change.labels or "", change.annotations or "",
    change.image or "podinfo:1", change.ports or "[{name: http, containerPort: 9898}]")
end

--- change: { provider =, target =, service =, analysis =, spec = }
function manifests.canary(name, change)
  change = change or {}
  return ([[
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: %s, namespace: demo}
spec:
  provider: "%s"
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: %s}
  progressDeadlineSeconds: 60
  service: {%s}
  analysis: {%s}
%s
]]):format(name, change.provider or "traefik", change.target or name, change.service or "port: 80, targetPort: http",
    change.analysis or "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25", change.spec or "")
end

--- An Ingress of the user's that leads to `service`.
function manifests.ingress(name, service)
  return ([[
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: %s, namespace: demo}
spec:
  rules:
  - host: app.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: %s, port: {number: 80}}}}]}
]]):format(name, service)
end

return manifests
