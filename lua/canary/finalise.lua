--- A Canary with `revertOnDeletion` gives everything back before it goes; one whose route cannot be owned by it deletes
--- that route.

local act = require("canary.act")
local arms = require("canary.arms")
local cluster = require("canary.cluster")
local custom_router = require("canary.custom_router")
local json = require("json")
local mark = require("util.mark")
local notify = require("canary.notify")
local object = require("util.object")
local observe = require("canary.observe")
local registry = require("canary.registry")
local rfc3339 = require("util.rfc3339")
local scaling = require("canary.scaling")
local services = require("canary.services")
local status = require("canary.status")
local view = require("canary.view")

local finalise = {}

local FINALIZER = "finalizer.flagger.app"
local NO_ANALYSIS = { analysis = json.null, canaryAnalysis = json.null }
local PATIENCE = 300 -- seconds a deletion waits for pods before it goes on without them

local function finalizers(ctx, keep)
  local out = json.array()
  for _, name in ipairs(ctx.object.metadata.finalizers or {}) do
    if name ~= FINALIZER then out[#out + 1] = name end
  end
  if keep then out[#out + 1] = FINALIZER end
  return out
end

local function protected(ctx)
  for _, name in ipairs(ctx.object.metadata.finalizers or {}) do
    if name == FINALIZER then return true end
  end
  return false
end

local function set_finalizer(ctx, keep)
  local stored, stop = cluster.patch(ctx, ctx.object, { metadata = { finalizers = finalizers(ctx, keep) } })
  if not stored then return stop end
  ctx.object, ctx.status = stored, stored.status or ctx.status
end

--- True when the router creates what no owner reference takes away.
local function leaves_behind(ctx, router)
  if not router or router.unowned then return router ~= nil end
  if not ctx.canary.elsewhere then return false end
  for _, ref in pairs(router.reads(ctx.canary) or {}) do
    if cluster.elsewhere(ctx, ref) then return true end
  end
  return false
end

--- Keeps the finalizer in step with what has to be done before the Canary goes.
function finalise.protect(ctx)
  local wanted = ctx.canary.revert_on_deletion or leaves_behind(ctx,
    custom_router.of(ctx) or registry.router(ctx.canary))
  if wanted ~= protected(ctx) then return set_finalizer(ctx, wanted) end
end

--- The apex Service selects the target's pods again, as its user wrote it.
local function restore_apex(ctx)
  if ctx.kind.services == false then return nil end
  local service, stop = cluster.get(ctx, "v1", "Service", ctx.canary.names.apex)
  if not service then return stop end
  if cluster.owned(ctx, service) then return nil end
  local stored
  stored, stop = cluster.patch(ctx, service, services.restore(ctx.canary, service))
  if not stored then return stop end
end

local function restore_routes(ctx)
  if not ctx.router or not ctx.seen then return nil end
  local patches, message = ctx.router.restore(ctx.canary, ctx.seen)
  if message then notify.warning(ctx, message) end
  return act.apply(ctx, patches or {})
end

--- What would be left behind because nothing owns it is deleted.
local function delete_routes(ctx)
  local patches = {}
  for key, live in pairs(ctx.seen or {}) do
    if mark.is_on(ctx.canary, live) then patches[#patches + 1] = { key = key, delete = true } end
  end
  table.sort(patches, function(a, b) return a.key < b.key end)
  return act.apply(ctx, patches)
end

--- What a kind of target wrote on the target itself goes.
local function restore_marks(ctx)
  if not ctx.kind.restore then return nil end
  local live = ctx.seen and ctx.seen.service or ctx.target
  local stored, stop = cluster.patch(ctx, live, ctx.kind.restore(live))
  return not stored and stop or nil
end

--- As many pods as the target needs for all of the traffic, where they were counted for a share or a step; else one.
local function least(ctx)
  local counted = ctx.router and ctx.router.counts_pods and ctx.primary and ctx.kind.replicas(ctx.primary)
  return math.max(1, counted or scaling.own(ctx))
end

--- The target carries everything again before anything is pointed at it.
local function restore_target(ctx)
  if not ctx.target then return nil end
  local stop = act.scale_up(ctx, least(ctx))
  if stop then return stop end
  local deleted = rfc3339.parse(ctx.object.metadata.deletionTimestamp) or ctx.now
  local waiting = ctx.kind.scale and ctx.kind.available(ctx.target) < least(ctx)
  if waiting and ctx.now < deleted + PATIENCE then return { after = 5 } end
  return restore_routes(ctx) or restore_apex(ctx) or delete_routes(ctx) or restore_marks(ctx)
end

local function read_scaler(ctx)
  local ref, stop = ctx.canary.scaler
  ctx.scaler_kind = ref and registry.scaler(ref)
  if not ctx.scaler_kind then return nil end
  ctx.scaler, stop = cluster.get(ctx, ctx.scaler_kind.api_version, ctx.scaler_kind.kind, ref.name)
  return stop and stop.fail and stop or nil
end

--- The view of the Canary; of one that was edited into nonsense, of the parts that say what was made for it.
local function readable(ctx)
  return view.of(ctx.object, ctx.host.settings)
    or view.of(object.merged(ctx.object, { spec = NO_ANALYSIS }), ctx.host.settings)
end

--- What can be read of the world; a part that is gone cannot be given back and holds nothing up.
local function look(ctx)
  ctx.canary = readable(ctx)
  if not ctx.canary then return nil end
  ctx.target_label = ctx.canary.target.name .. "." .. ctx.namespace
  local stop = arms.find(ctx)
  if stop and stop.fail then return stop end
  if stop then
    ctx.target = nil
    return nil
  end
  stop = read_scaler(ctx)
  if stop then return stop end
  ctx.primary = cluster.get(ctx, ctx.kind.api_version, ctx.kind.kind, ctx.canary.target.name .. "-primary")
  stop = observe.router(ctx)
  if stop then ctx.router = nil else stop = observe.read_route(ctx) end
  if stop and stop.fail then return stop end
end

--- Goes without giving anything back: as without a finalizer, but for what nothing owns.
local function leave(ctx)
  local stop = delete_routes(ctx)
  if stop and not stop.problem then return stop end
  return set_finalizer(ctx, false) or {}
end

--- Runs instead of everything else once the Canary is being deleted.
function finalise.run(ctx)
  if not ctx.object.metadata.deletionTimestamp then return nil end
  if not protected(ctx) then return {} end
  local stop = look(ctx)
  if stop then return stop end
  if ctx.canary and not ctx.canary.revert_on_deletion then return leave(ctx) end
  if ctx.canary and ctx.status.phase ~= "Terminating" then
    stop = status.enter(ctx, "Terminating", {})
    if stop then return stop end
    notify.normal(ctx, ("Terminating canary %s"):format(ctx.label))
  end
  if ctx.canary then
    stop = restore_target(ctx)
    if stop and not stop.problem then return stop end
  end
  notify.normal(ctx, ("Terminated canary %s"):format(ctx.label))
  return set_finalizer(ctx, false) or {}
end

return finalise
