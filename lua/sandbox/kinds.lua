--- The kinds an embedded cluster serves: their resource names, scope and habits.

local kinds = {}

-- apiVersion and further served versions, kind, plural, short name ("-": none), traits:
--   cluster     not namespaced
--   plain       no status subresource
--   unversioned metadata.generation is not kept
local BUILTIN = [[
v1 Namespace namespaces ns cluster,unversioned
v1 Node nodes no cluster,unversioned
v1 Service services svc unversioned
v1 Pod pods po unversioned
v1 ConfigMap configmaps cm plain,unversioned
v1 Secret secrets - plain,unversioned
v1 PersistentVolumeClaim persistentvolumeclaims pvc unversioned
v1 ServiceAccount serviceaccounts sa plain,unversioned
v1 Event events ev plain,unversioned
events.k8s.io/v1 Event events - plain,unversioned
coordination.k8s.io/v1 Lease leases - plain,unversioned
apps/v1 Deployment deployments deploy -
apps/v1 DaemonSet daemonsets ds -
apps/v1 StatefulSet statefulsets sts -
apps/v1 ReplicaSet replicasets rs -
autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers hpa unversioned
networking.k8s.io/v1 Ingress ingresses ing -
apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions crd cluster
flagger.app/v1beta1 Canary canaries canary -
flagger.app/v1beta1 MetricTemplate metrictemplates - -
flagger.app/v1beta1 AlertProvider alertproviders - -
networking.istio.io/v1,v1beta1,v1alpha3 VirtualService virtualservices vs -
networking.istio.io/v1,v1beta1,v1alpha3 DestinationRule destinationrules dr -
gateway.networking.k8s.io/v1,v1beta1 HTTPRoute httproutes - -
gateway.networking.k8s.io/v1 GRPCRoute grpcroutes - -
gateway.networking.k8s.io/v1,v1alpha2 TCPRoute tcproutes - -
gateway.networking.k8s.io/v1,v1beta1 Gateway gateways gtw -
traefik.io/v1alpha1 TraefikService traefikservices - -
traefik.io/v1alpha1 IngressRoute ingressroutes - -
projectcontour.io/v1 HTTPProxy httpproxies - -
split.smi-spec.io/v1alpha1,v1alpha2,v1alpha3 TrafficSplit trafficsplits ts -
appmesh.k8s.aws/v1beta2,v1beta1 VirtualNode virtualnodes - -
appmesh.k8s.aws/v1beta2 VirtualRouter virtualrouters - -
appmesh.k8s.aws/v1beta2,v1beta1 VirtualService virtualservices - -
gloo.solo.io/v1 Upstream upstreams - -
gateway.solo.io/v1 RouteTable routetables - -
apisix.apache.org/v2 ApisixRoute apisixroutes ar -
kuma.io/v1alpha1 TrafficRoute trafficroutes - cluster
serving.knative.dev/v1 Service services ksvc -
serving.knative.dev/v1 Revision revisions rev -
keda.sh/v1alpha1 ScaledObject scaledobjects so -
]]

--- "apps", "v1" of "apps/v1"; "", "v1" of "v1".
function kinds.split(api_version)
  local group, version = api_version:match("^([^/]+)/(.+)$")
  if group then return group, version end
  return "", api_version
end

--- Whether API servers know the kind without a CustomResourceDefinition.
function kinds.is_compiled(entry)
  local group = entry.group
  return not group:find(".", 1, true) or (group:find("%.k8s%.io$") ~= nil and group ~= "gateway.networking.k8s.io")
end

--- The plural that a kind most likely has.
function kinds.plural(kind)
  local lower = kind:lower()
  if lower:find("[^aeiou]y$") then return lower:sub(1, -2) .. "ies" end
  if lower:find("s$") or lower:find("x$") or lower:find("ch$") or lower:find("sh$") then return lower .. "es" end
  return lower .. "s"
end

local registry_methods = {}
local registry_mt = { __index = registry_methods }

local function traits_of(text)
  return { cluster = text:find("cluster"), plain = text:find("plain"), unversioned = text:find("unversioned") }
end

function registry_methods:add(api_version, kind, options)
  local group, version = kinds.split(api_version)
  local id = group .. "/" .. kind
  local entry = self.by_id[id]
  if not entry then
    entry = {
      id = id, group = group, version = version, kind = kind,
      plural = options.plural or kinds.plural(kind),
      short = options.short,
      namespaced = options.namespaced ~= false,
      status = options.status ~= false,
      generation = options.generation ~= false,
      versions = {},
    }
    self.by_id[id] = entry
    self.order[#self.order + 1] = entry
  end
  entry.versions[version] = true
  return entry
end

--- The entry of a kind; kinds nobody has declared are taken for namespaced custom resources.
--- nil when the kind is not installed.
function registry_methods:of(api_version, kind)
  local group, version = kinds.split(api_version)
  local id = group .. "/" .. kind
  if self.missing[id] or self.missing[kind] then return nil end
  local entry = self.by_id[id]
  if not entry then return self:add(api_version, kind, {}) end
  entry.versions[version] = true
  return entry
end

--- The entry that serves `plural` in a group, or nil.
function registry_methods:resource(group, plural)
  for _, entry in ipairs(self.order) do
    if entry.group == group and entry.plural == plural and not self:is_missing(entry) then return entry end
  end
end

--- The entry a person means by "deploy", "deployments", "Deployment" or "deployments.apps".
function registry_methods:named(name)
  local lower = name:lower()
  for _, entry in ipairs(self.order) do
    if lower == entry.short or lower == entry.plural or lower == entry.kind:lower()
      or lower == entry.plural .. "." .. entry.group then return entry end
  end
end

function registry_methods:is_missing(entry)
  return self.missing[entry.id] or self.missing[entry.kind] or false
end

--- Takes a kind ("TraefikService") out of the cluster, as if its definition were not installed; `false` puts it back.
function registry_methods:uninstall(kind, gone)
  self.missing[kind] = gone ~= false and true or nil
end

--- A registry with the usual kinds.
function kinds.new()
  local registry = setmetatable({ by_id = {}, order = {}, missing = {} }, registry_mt)
  for line in BUILTIN:gmatch("[^\n]+") do
    local api_version, also, kind, plural, short, traits = line:match("^([^ ,]+)(%S*) (%S+) (%S+) (%S+) (%S+)$")
    traits = traits_of(traits)
    local entry = registry:add(api_version, kind, {
      plural = plural,
      short = short ~= "-" and short or nil,
      namespaced = not traits.cluster,
      status = not traits.plain,
      generation = not traits.unversioned,
    })
    for version in also:gmatch("[^,]+") do entry.versions[version] = true end
  end
  return registry
end

return kinds
