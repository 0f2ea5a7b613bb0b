--- A Canary object as a plain table: defaulted, named in our own style.
--
-- Subtrees that pass through to route objects keep the API's own names.
-- The fields are listed in routers/README.md.

local duration = require("util.duration")
local schema = require("canary.schema")

local view = {}

local MINIMUM_INTERVAL = 10 -- seconds; COMPAT
local FLUX = {
  ["kustomize.toolkit.fluxcd.io/reconcile"] = "disabled",
  ["helm.toolkit.fluxcd.io/driftDetection"] = "disabled",
}

view.flux_annotations = FLUX

local function with(base, extra)
  local out = {}
  for key, value in pairs(base or {}) do out[key] = value end
  for key, value in pairs(extra or {}) do out[key] = value end
  return out
end

local function positive(value, default)
  if value and value > 0 then return value end
  return default
end

local function interval_of(analysis)
  local seconds = analysis.interval and duration.parse(analysis.interval) or 60
  return math.max(seconds, MINIMUM_INTERVAL)
end

--- min(100, last element) of stepWeights, else maxWeight, else 100.
local function max_weight(analysis)
  local steps = analysis.stepWeights or {}
  if #steps > 0 then return math.min(100, steps[#steps]) end
  return math.min(100, positive(analysis.maxWeight, 100))
end

local function strategy_of(analysis)
  if (analysis.iterations or 0) == 0 then return "canary" end
  if #(analysis.match or {}) > 0 then return "ab-testing" end
  return "blue-green"
end

local function policy_view(given)
  given = given or {}
  local ref = given.scriptRef
  return { name = given.name or ref and ref.name .. "/" .. ref.key or "flagger", params = given.params,
    mode = given.mode or "active", script_ref = ref }
end

local function analysis_view(analysis)
  local steps = analysis.stepWeights or {}
  return {
    interval = interval_of(analysis),
    threshold = positive(analysis.threshold, 1),
    max_weight = max_weight(analysis),
    given_max_weight = analysis.maxWeight or 0,
    step_weight = analysis.stepWeight or 0,
    step_weights = #steps > 0 and (analysis.stepWeight or 0) == 0 and steps or nil,
    step_weight_promotion = analysis.stepWeightPromotion or 0,
    iterations = analysis.iterations or 0,
    mirror = analysis.mirror or false,
    mirror_weight = analysis.mirrorWeight or 0,
    primary_ready = analysis.primaryReadyThreshold or 100,
    canary_ready = analysis.canaryReadyThreshold or 100,
    match = analysis.match or {},
    metrics = analysis.metrics or {},
    webhooks = analysis.webhooks or {},
    alerts = analysis.alerts or {},
    policy = policy_view(analysis.policy),
    session_affinity = analysis.sessionAffinity,
  }
end

local function service_view(service)
  return {
    port = service.port,
    port_name = service.portName or "http",
    app_protocol = service.appProtocol,
    traffic_distribution = service.trafficDistribution,
    target_port = service.targetPort ~= 0 and service.targetPort or nil,
    port_discovery = service.portDiscovery or false,
    headless = service.headless or false,
    timeout = service.timeout,
    backend_timeout = service.backendTimeout,
    mesh_name = service.meshName,
    backends = service.backends,
    hosts = service.hosts or {},
    delegation = service.delegation or false,
    match = service.match or {},
    retries = service.retries,
    rewrite = service.rewrite,
    mirror = service.mirror,
    headers = service.headers,
    gateways = service.gateways or {},
    gateway_refs = service.gatewayRefs or {},
    route_kind = service.routeKind,
    selector = service.selector or {},
    cors_policy = service.corsPolicy,
    traffic_policy = service.trafficPolicy,
    apex = service.apex,
    primary = service.primary,
    canary = service.canary,
    unmanaged = service.unmanagedMetadata or {},
  }
end

local function reference(ref)
  return ref and { api_version = ref.apiVersion, kind = ref.kind, name = ref.name, namespace = ref.namespace }
end

local function scaler_view(ref)
  if not ref then return nil end
  local out = reference(ref)
  local replicas = ref.primaryScalerReplicas or {}
  out.min_replicas, out.max_replicas = replicas.minReplicas, replicas.maxReplicas
  out.primary_queries = ref.primaryScalerQueries
  return out
end

local function cookies_of(status)
  return {
    canary = status.sessionAffinityCookie,
    primary = status.primarySessionAffinityCookie,
    previous = status.previousSessionAffinityCookie,
  }
end

--- COMPAT: with an `apex` block the route objects also carry the apex Service's selector label.
local function set_route_metadata(out, label)
  local apex = out.service.apex
  out.labels = with(apex and apex.labels, apex and label and { [label] = out.names.apex })
  out.annotations = with(apex and apex.annotations, FLUX)
end

--- The view of a Canary object, or nil and a problem { field, expected, found, message }.
--- @param object table  as the API server holds it
--- @param settings table  the process' settings: mesh_provider and what routers need
function view.of(object, settings)
  local bad = schema.check(object)
  if bad then return nil, bad end
  local spec, status = object.spec, object.status or {}
  local apex = spec.service.name or spec.targetRef.name
  local analysis = spec.analysis or spec.canaryAnalysis
  local out = {
    namespace = object.metadata.namespace,
    name = object.metadata.name,
    uid = object.metadata.uid,
    generation = object.metadata.generation,
    own_annotations = object.metadata.annotations or {},
    provider = spec.provider or settings.mesh_provider or "istio",
    metrics_server = spec.metricsServer,
    target = reference(spec.targetRef),
    scaler = scaler_view(spec.autoscalerRef),
    ingress = reference(spec.ingressRef),
    route = reference(spec.routeRef),
    upstream = reference(spec.upstreamRef),
    names = { apex = apex, primary = apex .. "-primary", canary = apex .. "-canary" },
    service = service_view(spec.service),
    analysis = analysis_view(analysis or {}),
    strategy = strategy_of(analysis or {}),
    progress_deadline = spec.progressDeadlineSeconds or 600,
    skip_analysis = spec.skipAnalysis or analysis == nil,
    suspend = spec.suspend or false,
    revert_on_deletion = spec.revertOnDeletion or false,
    phase = status.phase or "",
    iterations = status.iterations or 0,
    cookies = cookies_of(status),
    elsewhere = (settings.kubeconfig_service_mesh or "") ~= "", -- its routes, in a cluster of their own
    settings = settings,
  }
  set_route_metadata(out)
  return out
end

--- Adds what only the target knows: the selector label's key, its value, and the ports found in its pods.
function view.with_target(canary, label, value)
  canary.target.label, canary.target.label_value = label, value
  set_route_metadata(canary, label)
  return canary
end

return view
