--- The steps that read the workload: the target, its configuration, and the primary, which is made where it is missing.
--
-- Each is a step of canary.tick: it gets the context and returns nil to go on, or a stop.

local act = require("canary.act")
local cluster = require("canary.cluster")
local merge = require("util.merge")
local notify = require("canary.notify")
local phase = require("canary.phase")
local registry = require("canary.registry")
local status = require("canary.status")
local tracked = require("canary.tracked")
local view = require("canary.view")
local arms = {}

local function problem(reason, message, ...)
  return { problem = message:format(...), reason = reason }
end

--- COMPAT: the words of Flagger and of Kubernetes for a target that is not there.
local function target_missing(ctx)
  local target, kind = ctx.canary.target, ctx.kind
  return problem("TargetMissing", '%s %s.%s get query error: %s "%s" not found', kind.noun, target.name,
    ctx.namespace, kind.resource, target.name)
end

--- COMPAT: a Knative target needs its router and the router such a target, said by the Canary itself; what scales
--- it is Knative.
local function check_pair(ctx)
  local given, provider = ctx.object.spec.provider, ctx.kind.provider
  if provider and given ~= provider then
    return problem("Unsupported", "spec.provider: expected %s for this kind of target, found %s", provider,
      tostring(given))
  end
  if provider and ctx.canary.scaler then
    return problem("Unsupported", "spec.autoscalerRef: expected none for this kind of target, found %s %s",
      tostring(ctx.canary.scaler.kind), tostring(ctx.canary.scaler.name))
  end
  if not provider and registry.needs_target(ctx.canary.provider) then
    return problem("Unsupported", "spec.targetRef: expected a target of provider %s, found %s %s", ctx.canary.provider,
      tostring(ctx.canary.target.api_version), ctx.canary.target.kind)
  end
end

local function check_ports(ctx)
  if not ctx.kind.port_names then return nil end
  local service = ctx.canary.service
  local names, count = ctx.kind.port_names(ctx.target)
  if type(service.target_port) == "string" and not names[service.target_port] then
    return problem("TargetPorts", "spec.service.targetPort: expected the name of a container port of %s, found %s",
      ctx.target_label, service.target_port)
  end
  if service.port_discovery and count == 0 then
    return problem("TargetPorts", "spec.service.portDiscovery: expected container ports in %s, found none",
      ctx.target_label)
  end
end

--- The target and what its arms are called, whether or not it can be released.
function arms.find(ctx)
  local ref, stop = ctx.canary.target
  ctx.kind = registry.target(ref)
  if not ctx.kind then
    return problem("UnknownTarget", "spec.targetRef.kind: expected one of %s, found %s",
      registry.target_kinds(), tostring(ref.kind))
  end
  ctx.target, stop = cluster.get(ctx, ctx.kind.api_version, ctx.kind.kind, ref.name)
  if stop then return stop end
  if not ctx.target then return target_missing(ctx) end
  if ctx.kind.selector then
    local label, value = ctx.kind.selector(ctx.target, ctx.host.settings.selector_labels)
    if not label then return problem("TargetSelector", "%s", value) end
    view.with_target(ctx.canary, label, value)
  end
  if ctx.kind.names then ctx.canary.names = ctx.kind.names(ctx.canary) end
end

--- The target, its selector label, its ports and its revision.
function arms.target(ctx)
  local stop = arms.find(ctx) or check_pair(ctx)
  if stop then return stop end
  local unfit = ctx.kind.check and ctx.kind.check(ctx.target)
  if unfit then return problem("TargetUnfit", "%s", unfit) end
  ctx.revision = ctx.kind.revision(ctx.target)
  stop = check_ports(ctx)
  if stop then return stop end
  local target_port = ctx.canary.service.target_port or ctx.canary.service.port
  ctx.ports = ctx.canary.service.port_discovery and ctx.kind.ports(ctx.target, target_port) or {}
end

--- ConfigMaps and Secrets of the revision.
function arms.configs(ctx)
  local stop
  ctx.configs, stop = tracked.read(ctx, ctx.kind.references and ctx.kind.references(ctx.target) or {})
  return stop
end

--- Both arms of a target that divides its traffic itself.
local function read_arms(ctx)
  local stored, stop = cluster.patch(ctx, ctx.target, phase.initial(ctx.status.phase or "") and
    ctx.kind.adopt(ctx.target) or nil)
  if not stored then return stop end
  ctx.target = merge.copy(stored)
  ctx.primary = merge.copy(stored)
  local names = ctx.kind.arms(ctx.target)
  for arm, object in pairs({ primary = ctx.primary, canary = ctx.target }) do
    object.arm, stop = cluster.get(ctx, names[arm].apiVersion, names[arm].kind, names[arm].name)
    if stop then return stop end
    object.arm = object.arm or { metadata = { name = names[arm].name } }
  end
end

--- The primary, created from the target when it is not there.
local function ensure_primary(ctx)
  local name, stop = ctx.canary.target.name .. "-primary"
  ctx.primary, stop = cluster.get(ctx, ctx.kind.api_version, ctx.kind.kind, name)
  if stop then return stop end
  if ctx.primary then
    local owner = cluster.foreign_owner(ctx, ctx.primary)
    if owner then
      return problem("PrimaryOwned", "%s %s.%s: expected to be free or this Canary's own, found it controlled by %s",
        ctx.kind.kind, name, ctx.namespace, owner)
    end
  else
    if not phase.initial(ctx.status.phase or "") and ctx.kind.replicas(ctx.target) == 0 then
      notify.warning(ctx, ("%s.%s is gone, creating it again"):format(name, ctx.namespace))
    end
    stop = tracked.copy(ctx, ctx.configs)
    if stop then return stop end
    ctx.primary, stop = cluster.create(ctx, ctx.kind.primary(ctx.target, act.copy_rule(ctx)))
    if not ctx.primary then return stop end
  end
end

--- Whether an arm is ready. For kinds that do not say how long they have not been, it is since the last step, or since
--- this process has seen it so: a pod that goes for a moment late in a long interval misses no deadline.
local function judge(ctx, object, threshold)
  local seen, name = ctx.memory.unready or {}, object.metadata.name
  ctx.memory.unready = seen
  local ready, message, retriable = ctx.kind.ready(object, { deadline = ctx.canary.progress_deadline,
    threshold = threshold, now = ctx.now, since = math.max(status.last_step(ctx), seen[name] or ctx.now) })
  seen[name] = not ready and (seen[name] or ctx.now) or nil
  return ready, message, retriable
end

--- The primary, and whether both arms are ready.
function arms.primary(ctx)
  local stop
  if ctx.kind.arms then stop = read_arms(ctx) else stop = ensure_primary(ctx) end
  if stop then return stop end
  local unfit = ctx.kind.check and ctx.kind.check(ctx.target, ctx.primary)
  if unfit then return problem("TargetUnfit", "%s", unfit) end
  local analysis = ctx.canary.analysis
  ctx.primary_ready, ctx.primary_message, ctx.primary_retriable = judge(ctx, ctx.primary, analysis.primary_ready)
  ctx.canary_ready, ctx.canary_message, ctx.canary_retriable = judge(ctx, ctx.target, analysis.canary_ready)
end

return arms
