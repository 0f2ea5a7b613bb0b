--- The steps that read what a Canary's traffic needs, and create what is missing: Services, scaler, routes.
--
-- Each is a step of canary.tick: it gets the context and returns nil to go on, or a stop.

local act = require("canary.act")
local capable = require("canary.capable")
local cluster = require("canary.cluster")
local custom_router = require("canary.custom_router")
local notify = require("canary.notify")
local phase = require("canary.phase")
local registry = require("canary.registry")
local services = require("canary.services")
local observe = {}

local function problem(reason, message, ...)
  return { problem = message:format(...), reason = reason }
end

local function owned_by_another(ctx, object)
  return problem("ServiceOwned", "Service %s.%s: expected to be free or this Canary's own, found it controlled by %s",
    object.metadata.name, ctx.namespace, cluster.foreign_owner(ctx, object))
end

--- One Service of ours, created or repaired. Returns it, or nil and a stop.
local function ensure_service(ctx, role)
  local wanted = services.wanted(ctx.canary, role, ctx.ports)
  local have, stop = cluster.get(ctx, "v1", "Service", wanted.metadata.name)
  if stop then return nil, stop end
  if not have then return cluster.create(ctx, wanted) end
  if cluster.foreign_owner(ctx, have) then return nil, owned_by_another(ctx, have) end
  if role == "apex" and ctx.router.apex then wanted = ctx.router.apex(ctx.canary, have, wanted) end
  local kept = role == "canary" and ctx.router.annotates or nil
  return cluster.patch(ctx, have, services.repair(ctx.canary, have, wanted, cluster.owned(ctx, have), kept))
end

--- The Service of the canary arm of a target that is a Service itself.
local function ensure_copy(ctx)
  local want = ctx.kind.canary(ctx.target, act.copy_rule(ctx))
  local have, stop = cluster.get(ctx, "v1", "Service", want.metadata.name)
  if stop then return stop end
  if have and cluster.foreign_owner(ctx, have) then return owned_by_another(ctx, have) end
  if have then
    have, stop = cluster.patch(ctx, have, ctx.kind.follow(have, want))
  else
    have, stop = cluster.create(ctx, want)
  end
  return not have and stop or nil
end

--- The canary's and the primary's Services, and the one that names the primary's pods where another cannot.
function observe.services(ctx)
  if ctx.kind.services == false then return ctx.kind.canary and ensure_copy(ctx) or nil end
  local own_names = ctx.canary.names.pods and not ctx.canary.service.headless
  for _, role in ipairs({ "canary", "primary", own_names and "pods" or nil }) do
    local service, stop = ensure_service(ctx, role)
    if not service then return stop end
  end
end

--- The target's autoscaler, and the primary's copy of it.
function observe.scaler(ctx)
  local ref, stop = ctx.canary.scaler
  if not ref then return nil end
  ctx.scaler_kind = registry.scaler(ref)
  if not ctx.scaler_kind then
    return problem("UnknownScaler", "spec.autoscalerRef.kind: expected one of %s, found %s",
      registry.scaler_kinds(), tostring(ref.kind))
  end
  ctx.scaler, stop = cluster.get(ctx, ctx.scaler_kind.api_version, ctx.scaler_kind.kind, ref.name)
  if stop then return stop end
  if not ctx.scaler then
    return problem("ScalerMissing", "%s %s.%s get query error: not found", ref.kind, ref.name, ctx.namespace)
  end
  local wrong = ctx.scaler_kind.check and ctx.scaler_kind.check(ctx.canary, ctx.scaler)
  if wrong then return problem("ScalerUnfit", "%s", wrong) end
  ctx.primary_scaler, stop = cluster.get(ctx, ctx.scaler_kind.api_version, ctx.scaler_kind.kind, ref.name .. "-primary")
  if stop then return stop end
  local owner = ctx.primary_scaler and cluster.foreign_owner(ctx, ctx.primary_scaler)
  if owner then
    return problem("ScalerOwned",
      "%s %s-primary.%s: expected to be free or this Canary's own, found it controlled by %s",
      ref.kind, ref.name, ctx.namespace, owner)
  end
  if not ctx.primary_scaler then
    ctx.primary_scaler, stop = cluster.create(ctx, ctx.scaler_kind.primary(ctx.canary, ctx.scaler))
    if not ctx.primary_scaler then return stop end
  end
end

--- The apex Service; from here on it selects the primary. A primary that cannot take requests does not get them.
function observe.apex(ctx)
  if ctx.kind.services == false then
    ctx.apex_on_primary = true
    return nil
  end
  if phase.initial(ctx.status.phase or "") and ctx.kind.available(ctx.primary) == 0 then
    return problem("Guard", "refused by the guard: the primary has no ready pods to take over the apex Service")
  end
  local service, stop = ensure_service(ctx, "apex")
  if not service then return stop end
  local selector = services.wanted(ctx.canary, "apex", ctx.ports).spec.selector
  ctx.apex_on_primary = service.spec.selector ~= nil
    and service.spec.selector[ctx.canary.target.label] == selector[ctx.canary.target.label]
end

--- The router of the provider, and whether it can do what the spec asks.
function observe.router(ctx)
  local message
  ctx.router, message = custom_router.of(ctx)
  if not ctx.router and not message then
    ctx.router, message = registry.router(ctx.canary, custom_router.names(ctx))
  end
  if not ctx.router then return problem("UnknownProvider", "spec.provider: %s", message) end
  return capable.check(ctx)
end

--- Fills `ctx.seen` with the objects the router asks for.
function observe.read_route(ctx)
  ctx.seen = {}
  local refs, message = ctx.router.reads(ctx.canary)
  if not refs then return problem("Route", "%s", message) end
  for key, ref in pairs(refs) do
    local object, stop = cluster.get(ctx, ref.apiVersion, ref.kind, ref.name, ref.namespace)
    if stop then return stop end
    if not object and not ref.optional then
      return problem("RouteMissing", "%s %s.%s get query error: not found%s", ref.kind, ref.name, ctx.namespace,
        ctx.router.script and (" (reads.%s of %s)"):format(key, ctx.router.script) or "")
    end
    if object and object.apiVersion == nil then object.apiVersion, object.kind = ref.apiVersion, ref.kind end
    ctx.seen[key] = object
  end
end

--- The route objects: created or repaired, live weights kept.
function observe.route(ctx)
  local stop = observe.read_route(ctx)
  if stop then return stop end
  local patches, message = ctx.router.prepare(ctx.canary, ctx.seen)
  if not patches then return problem("Route", "%s", message) end
  return act.apply(ctx, patches)
end

--- Where the share that was asked for can be had by and by only, what has become of it.
local function tell_reached(ctx, routes)
  if not routes.reached or routes.reached == routes.canary then return nil end
  if ctx.router.accepted and not ctx.router.accepted(ctx.canary, ctx.seen) then return nil end
  notify.once(ctx, "Normal", ("Canary weight %d of %s is %d by its ready pods"):format(routes.canary, ctx.label,
    routes.reached))
end

--- The live weights.
function observe.routes(ctx)
  local routes, message = ctx.router.routes(ctx.canary, ctx.seen)
  if not routes then
    notify.once(ctx, "Warning", message)
    return { after = ctx.canary.analysis.interval }
  end
  ctx.routes = routes
  ctx.host.metrics.weights(ctx.canary, routes)
  tell_reached(ctx, routes)
end

return observe
