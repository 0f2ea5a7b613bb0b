--- The only place that moves traffic, scales the target and promotes; each asks the guard first.

local acceptance = require("canary.acceptance")
local cluster = require("canary.cluster")
local digest = require("digest")
local guard = require("canary.guard")
local json = require("json")
local notify = require("canary.notify")
local status = require("canary.status")
local tracked = require("canary.tracked")

local act = {}

local function refused(sentence)
  return { problem = "refused by the guard: " .. sentence, reason = "Guard" }
end

--- Applies a router's patches. Returns nil, or a stop; `ctx.seen` holds what the server stored.
function act.apply(ctx, patches)
  for _, patch in ipairs(patches) do
    local stored, stop
    if patch.create then
      stored, stop = cluster.create(ctx, patch.create)
    elseif patch.delete then
      stored, stop = cluster.delete(ctx, ctx.seen[patch.key])
    else
      stored, stop = cluster.patch(ctx, ctx.seen[patch.key], patch.merge)
    end
    if not stored then return stop end
    ctx.seen[patch.key] = not patch.delete and stored or nil
  end
end

--- True when the target became another revision while the analysed one was being promoted.
function act.overtaken(ctx)
  local promoting = ctx.status.phase == "Promoting" or ctx.status.phase == "Finalising"
  return promoting and ctx.revision ~= ctx.status.lastAppliedSpec
end

--- True when traffic has to leave the canary although the primary's rollout may not be complete.
function act.urgent(ctx)
  if not ctx.router.weighted and not ctx.router.matches then return false end
  return act.overtaken(ctx) or ctx.kind.available(ctx.target) == 0
end

--- What the guard has to know.
function act.facts(ctx)
  return {
    routes = ctx.routes,
    fine = ctx.router.fine == true,
    nominal = not ctx.router.weighted and not ctx.router.matches,
    primary = ctx.primary and ctx.kind.available(ctx.primary) or 0,
    canary = ctx.target and ctx.kind.available(ctx.target) or 0,
    primary_ready = ctx.primary_ready == true,
    canary_ready = ctx.canary_ready == true,
    checks = ctx.checks,
    phase = ctx.status.phase,
    apex_on_primary = ctx.apex_on_primary,
    unaccepted = ctx.unaccepted,
    urgent = ctx.target == nil or act.urgent(ctx),
    primary_wanted = ctx.primary and ctx.kind.replicas(ctx.primary) or 0,
  }
end

local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

local function cookie(ctx, name)
  local out = {}
  for index, byte in ipairs({ ctx.host.random(10):byte(1, 10) }) do
    local at = byte % #LETTERS + 1
    out[index] = LETTERS:sub(at, at)
  end
  return name .. "=" .. table.concat(out)
end

--- Cookies of session affinity live in the status before a route names them.
local function ensure_cookies(ctx, want)
  local affinity, cookies = ctx.canary.analysis.session_affinity, ctx.canary.cookies
  if not affinity or not ctx.router.affinity then return nil end
  local fields = {}
  if want.canary > 0 and (cookies.canary or "") == "" then
    cookies.canary = cookie(ctx, affinity.cookieName)
    fields.sessionAffinityCookie = cookies.canary
    if affinity.primaryCookieName then
      cookies.primary = cookie(ctx, affinity.primaryCookieName)
      fields.primarySessionAffinityCookie = cookies.primary
    end
  elseif want.canary == 0 and (cookies.canary or "") ~= "" then
    cookies.previous, cookies.canary = cookies.canary, nil
    fields.previousSessionAffinityCookie, fields.sessionAffinityCookie = cookies.previous, json.null
  end
  if next(fields) then return status.write(ctx, fields) end
end

--- Sends `want` = { primary, canary, mirrored } to the router. Returns nil, or a stop.
function act.shift(ctx, want)
  local sentence = guard.shift(want, act.facts(ctx))
  if sentence then return refused(sentence) end
  local stop = ensure_cookies(ctx, want)
  if stop then return stop end
  local patches, message = ctx.router.shift(ctx.canary, ctx.seen, want)
  if not patches then return { problem = message, reason = "Route" } end
  stop = act.apply(ctx, patches)
  if stop then return stop end
  if #patches > 0 then acceptance.look(ctx) end
  if want.canary ~= ctx.routes.canary then ctx.memory.shifted = { canary = want.canary, at = ctx.now } end
  ctx.routes = want
  ctx.host.metrics.weights(ctx.canary, want)
end

--- All traffic to the primary.
function act.to_primary(ctx)
  return act.shift(ctx, { primary = 100, canary = 0, mirrored = false })
end

--- Keeps a scaler that would bring the pods back from doing so ("pause"), or lets it ("resume").
local function tell_scaler(ctx, verb)
  if not ctx.scaler or not ctx.scaler_kind[verb] then return nil end
  local stored, stop = cluster.patch(ctx, ctx.scaler, ctx.scaler_kind[verb](ctx.scaler))
  if not stored then return stop end
  ctx.scaler = stored
end

--- Scales the target to zero. Returns nil, or a stop.
function act.scale_down(ctx)
  if not ctx.kind.scale then return nil end
  local sentence = guard.scale_down(act.facts(ctx))
  if sentence then return refused(sentence) end
  local stop = tell_scaler(ctx, "pause")
  if stop then return stop end
  local stored
  stored, stop = cluster.patch(ctx, ctx.target, ctx.kind.scale(ctx.target, 0))
  if not stored then return stop end
  ctx.target = stored
end

--- Scales the target to `replicas` pods, one at least. Returns nil, or a stop.
function act.scale_to(ctx, replicas)
  local sentence = guard.scale_to(replicas, ctx.kind.replicas(ctx.target), act.facts(ctx))
  if sentence then return refused(sentence) end
  local stored, stop = cluster.patch(ctx, ctx.target, ctx.kind.scale(ctx.target, replicas))
  if not stored then return stop end
  ctx.target = stored
end

--- As many pods for the target as its scaler or the primary has, if it has none, or fewer than `least`. Returns nil, or
--- a stop.
function act.scale_up(ctx, least)
  if not ctx.kind.scale then return nil end
  local stop = tell_scaler(ctx, "resume")
  if stop then return stop end
  if ctx.kind.replicas(ctx.target) >= (least or 1) then return nil end
  local replicas = 1
  if ctx.scaler then
    replicas = math.max(1, ctx.scaler_kind.minimum(ctx.scaler))
  elseif ctx.primary then
    replicas = math.max(1, ctx.kind.replicas(ctx.primary))
  end
  local stored
  stored, stop = cluster.patch(ctx, ctx.target, ctx.kind.scale(ctx.target, math.max(replicas, least or 1)))
  if not stored then return stop end
  ctx.target = stored
end

--- A UUID that is the same whenever the same revision and configuration are promoted, so that a promotion
--- that was interrupted can be repeated without a second rollout.
function act.promotion_id(ctx)
  local sums = json.encode(ctx.configs.sums)
  local hex = digest.sha256(table.concat({ ctx.object.metadata.uid or "", ctx.revision, sums }, "\n"))
  return ("%s-%s-4%s-8%s-%s"):format(hex:sub(1, 8), hex:sub(9, 12), hex:sub(14, 16), hex:sub(18, 20), hex:sub(21, 32))
end

--- How the primary is made from the target.
function act.copy_rule(ctx)
  return {
    name = ctx.canary.target.name,
    label = ctx.canary.target.label,
    value = (ctx.canary.target.label_value or "") .. "-primary",
    labels = ctx.host.settings.selector_labels,
    prefixes = ctx.host.settings.include_label_prefix,
    tracked = ctx.configs.set,
    id = act.promotion_id(ctx),
    service = not ctx.canary.service.headless and ctx.canary.names.pods or ctx.canary.names.primary,
    distribution = ctx.canary.service.traffic_distribution,
  }
end

--- Makes the primary run the analysed revision. Returns nil, or a stop.
function act.promote(ctx)
  local sentence = guard.promote(ctx.status.lastAppliedSpec, ctx.revision)
  if sentence then return refused(sentence) end
  notify.normal(ctx, ("Copying %s template spec to %s-primary.%s"):format(
    ctx.target_label, ctx.canary.target.name, ctx.namespace))
  local stop = tracked.copy(ctx, ctx.configs)
  if stop then return stop end
  local patch = ctx.kind.promotion(ctx.target, ctx.primary, act.copy_rule(ctx),
    ctx.scaler ~= nil or ctx.router.counts_pods)
  local stored
  stored, stop = cluster.patch(ctx, ctx.primary, patch)
  if not stored then return stop end
  ctx.primary = stored
  if ctx.kind.arms then ctx.target = stored end
end

--- Brings the primary's scaler up to date. Returns nil, or a stop.
function act.scale_primary(ctx)
  if not ctx.scaler or not ctx.primary_scaler then return nil end
  local stored, stop = cluster.patch(ctx, ctx.primary_scaler,
    ctx.scaler_kind.repair(ctx.canary, ctx.scaler, ctx.primary_scaler))
  if not stored then return stop end
  ctx.primary_scaler = stored
end

--- Pods that the canary's scaler found necessary for the canary's share say how many all of the traffic needs.
--- nil when its number says nothing about load.
local function needed(ctx)
  local pods, share = ctx.kind.available(ctx.target), ctx.routes.canary
  if share < 100 and pods <= ctx.scaler_kind.minimum(ctx.scaler) then return nil end
  return math.min(ctx.scaler_kind.maximum(ctx.primary_scaler), math.ceil(pods * 100 / share))
end

--- Gives the primary the pods for all of the traffic before it gets it; its scaler, which saw a part of the traffic
--- only, goes on from there. Returns nil when they are there, or a stop.
function act.reserve(ctx)
  if not ctx.scaler or not ctx.primary_scaler or not ctx.kind.counts or ctx.routes.canary == 0 then return nil end
  local wanted = needed(ctx)
  if not wanted or ctx.kind.available(ctx.primary) >= wanted then return nil end
  if ctx.kind.replicas(ctx.primary) < wanted then
    local stored, stop = cluster.patch(ctx, ctx.primary, ctx.kind.scale(ctx.primary, wanted))
    if not stored then return stop end
    ctx.primary = stored
  end
  return { after = ctx.canary.analysis.interval }
end

return act
