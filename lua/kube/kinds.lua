--- The kinds the engine may look at. `always`: watched from the start; `metadata`: watched as metadata only;
--- `cluster`: in no namespace; `route`: in the cluster of -kubeconfig-service-mesh, where that is given.

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
  { apiVersion = "networking.istio.io/v1beta1", kind = "VirtualService", plural = "virtualservices", route = true },
  { apiVersion = "networking.istio.io/v1beta1", kind = "DestinationRule", plural = "destinationrules", route = true },
  { apiVersion = "gateway.networking.k8s.io/v1", kind = "HTTPRoute", plural = "httproutes", route = true },
  { apiVersion = "gateway.networking.k8s.io/v1beta1", kind = "HTTPRoute", plural = "httproutes", route = true },
  { apiVersion = "gateway.networking.k8s.io/v1", kind = "GRPCRoute", plural = "grpcroutes", route = true },
  { apiVersion = "gateway.networking.k8s.io/v1", kind = "TCPRoute", plural = "tcproutes", route = true },
  { apiVersion = "gateway.networking.k8s.io/v1alpha2", kind = "TCPRoute", plural = "tcproutes", route = true },
  { apiVersion = "traefik.io/v1alpha1", kind = "TraefikService", plural = "traefikservices", route = true },
  { apiVersion = "networking.k8s.io/v1", kind = "Ingress", plural = "ingresses" },
  { apiVersion = "projectcontour.io/v1", kind = "HTTPProxy", plural = "httpproxies", route = true },
  { apiVersion = "gloo.solo.io/v1", kind = "Upstream", plural = "upstreams", route = true },
  { apiVersion = "gateway.solo.io/v1", kind = "RouteTable", plural = "routetables", route = true },
  { apiVersion = "split.smi-spec.io/v1alpha1", kind = "TrafficSplit", plural = "trafficsplits", route = true },
  { apiVersion = "split.smi-spec.io/v1alpha2", kind = "TrafficSplit", plural = "trafficsplits", route = true },
  { apiVersion = "split.smi-spec.io/v1alpha3", kind = "TrafficSplit", plural = "trafficsplits", route = true },
  { apiVersion = "apisix.apache.org/v2", kind = "ApisixRoute", plural = "apisixroutes", route = true },
  { apiVersion = "appmesh.k8s.aws/v1beta1", kind = "VirtualNode", plural = "virtualnodes", route = true },
  { apiVersion = "appmesh.k8s.aws/v1beta1", kind = "VirtualService", plural = "virtualservices", route = true },
  { apiVersion = "appmesh.k8s.aws/v1beta2", kind = "VirtualNode", plural = "virtualnodes", route = true },
  { apiVersion = "appmesh.k8s.aws/v1beta2", kind = "VirtualRouter", plural = "virtualrouters", route = true },
  { apiVersion = "appmesh.k8s.aws/v1beta2", kind = "VirtualService", plural = "virtualservices", route = true },
  { apiVersion = "kuma.io/v1alpha1", kind = "TrafficRoute", plural = "trafficroutes", cluster = true, route = true },
}

for _, kind in ipairs(kinds) do kind.namespaced = not kind.cluster end

return kinds
