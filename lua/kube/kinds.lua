--- The kinds the engine may look at. `always`: watched from the start; `metadata`: watched as metadata only;
--- `cluster`: in no namespace.

local kinds = {
  { apiVersion = "flagger.app/v1beta1", kind = "Canary", plural = "canaries", always = true },
  { apiVersion = "flagger.app/v1beta1", kind = "MetricTemplate", plural = "metrictemplates", always = true },
  { apiVersion = "flagger.app/v1beta1", kind = "AlertProvider", plural = "alertproviders", always = true },
  { apiVersion = "apps/v1", kind = "Deployment", plural = "deployments" },
  { apiVersion = "apps/v1", kind = "DaemonSet", plural = "daemonsets" },
  { apiVersion = "apps/v1", kind = "StatefulSet", plural = "statefulsets" },
  { apiVersion = "v1", kind = "Service", plural = "services" },
  { apiVersion = "v1", kind = "ConfigMap", plural = "configmaps", metadata = true },
  { apiVersion = "v1", kind = "Secret", plural = "secrets", metadata = true },
  { apiVersion = "autoscaling/v2", kind = "HorizontalPodAutoscaler", plural = "horizontalpodautoscalers" },
  { apiVersion = "keda.sh/v1alpha1", kind = "ScaledObject", plural = "scaledobjects" },
  { apiVersion = "serving.knative.dev/v1", kind = "Service", plural = "services" },
  { apiVersion = "serving.knative.dev/v1", kind = "Revision", plural = "revisions" },
  { apiVersion = "metrics.keptn.sh/v1beta1", kind = "KeptnMetric", plural = "keptnmetrics" },
  { apiVersion = "metrics.keptn.sh/v1beta1", kind = "Analysis", plural = "analyses" },
  { apiVersion = "networking.istio.io/v1beta1", kind = "VirtualService", plural = "virtualservices" },
  { apiVersion = "networking.istio.io/v1beta1", kind = "DestinationRule", plural = "destinationrules" },
  { apiVersion = "gateway.networking.k8s.io/v1", kind = "HTTPRoute", plural = "httproutes" },
  { apiVersion = "gateway.networking.k8s.io/v1beta1", kind = "HTTPRoute", plural = "httproutes" },
  { apiVersion = "gateway.networking.k8s.io/v1", kind = "GRPCRoute", plural = "grpcroutes" },
  { apiVersion = "gateway.networking.k8s.io/v1alpha2", kind = "TCPRoute", plural = "tcproutes" },
  { apiVersion = "traefik.io/v1alpha1", kind = "TraefikService", plural = "traefikservices" },
  { apiVersion = "networking.k8s.io/v1", kind = "Ingress", plural = "ingresses" },
  { apiVersion = "projectcontour.io/v1", kind = "HTTPProxy", plural = "httpproxies" },
  { apiVersion = "gloo.solo.io/v1", kind = "Upstream", plural = "upstreams" },
  { apiVersion = "gateway.solo.io/v1", kind = "RouteTable", plural = "routetables" },
  { apiVersion = "split.smi-spec.io/v1alpha1", kind = "TrafficSplit", plural = "trafficsplits" },
  { apiVersion = "split.smi-spec.io/v1alpha2", kind = "TrafficSplit", plural = "trafficsplits" },
  { apiVersion = "split.smi-spec.io/v1alpha3", kind = "TrafficSplit", plural = "trafficsplits" },
  { apiVersion = "apisix.apache.org/v2", kind = "ApisixRoute", plural = "apisixroutes" },
  { apiVersion = "appmesh.k8s.aws/v1beta1", kind = "VirtualNode", plural = "virtualnodes" },
  { apiVersion = "appmesh.k8s.aws/v1beta1", kind = "VirtualService", plural = "virtualservices" },
  { apiVersion = "appmesh.k8s.aws/v1beta2", kind = "VirtualNode", plural = "virtualnodes" },
  { apiVersion = "appmesh.k8s.aws/v1beta2", kind = "VirtualRouter", plural = "virtualrouters" },
  { apiVersion = "appmesh.k8s.aws/v1beta2", kind = "VirtualService", plural = "virtualservices" },
  { apiVersion = "kuma.io/v1alpha1", kind = "TrafficRoute", plural = "trafficroutes", cluster = true },
}

for _, kind in ipairs(kinds) do kind.namespaced = not kind.cluster end

return kinds
