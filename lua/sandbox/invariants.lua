--- What must be true after every step of every release, judged from the cluster alone.
--
--   local watch = invariants.new(world)
--   watch:broken()  --> nil, or a sentence that says which invariant does not hold
--
-- The judge knows the routes from the traffic model, not from the engine's routers, so that a router that
-- is wrong does not judge itself.

local merge = require("util.merge")

local invariants = {}

local invariants_methods = {}
local invariants_mt = { __index = invariants_methods }

-- Which phase may follow which. Terminating may follow any.
local FOLLOWS = {
  Initializing = "Initialized", Initialized = "Waiting Progressing", Succeeded = "Waiting Progressing",
  Failed = "Waiting Progressing Promoting", Waiting = "Progressing Failed",
  Progressing = "WaitingPromotion Promoting Failed", WaitingPromotion = "Progressing Promoting Failed",
  Promoting = "Finalising Failed", Finalising = "Succeeded Failed", Terminating = "",
}

local REQUEST = { path = "/", method = "GET", headers = {} }

local function target_of(canary)
  return canary.spec.targetRef.name
end

local function apex_of(canary)
  return (canary.spec.service or {}).name or target_of(canary)
end

--- The share of plain requests that the canary's Service gets, 0 to 1; nil while no route names it.
local function canary_share(self, canary)
  local namespace, apex = canary.metadata.namespace, apex_of(canary)
  local share
  for _, part in ipairs((self.world.traffic:shares(namespace, apex, REQUEST))) do
    if not part.mirror and part.service == apex .. "-canary" then share = (share or 0) + part.share end
    if not part.mirror and part.service == apex .. "-primary" then share = share or 0 end
  end
  return share
end

local function deployment(self, namespace, name)
  return self.world.api:peek({ apiVersion = "apps/v1", kind = "Deployment", namespace = namespace, name = name })
end

local function complain(self, format, ...)
  self.found = self.found or format:format(...)
end

--- Steps of one Canary's status, old to new.
local function judge_status(self, old, new)
  local before, after, name = old.status or {}, new.status or {}, new.metadata.name
  if before.phase and after.phase ~= before.phase and after.phase ~= "Terminating" then
    local allowed = " " .. (FOLLOWS[before.phase] or "") .. " "
    if not allowed:find(" " .. tostring(after.phase) .. " ", 1, true) then
      complain(self, "%s went from phase %s to %s", name, before.phase, tostring(after.phase))
    end
  end
  if after.phase == "Progressing" and before.phase == "Progressing"
    and (after.canaryWeight or 0) > (before.canaryWeight or 0)
    and (after.failedChecks or 0) > (before.failedChecks or 0) then
    complain(self, "%s: the weight rose from %g to %g in a step with a failed check", name, before.canaryWeight or 0,
      after.canaryWeight)
  end
end

--- What the engine may change of a target: how many pods it has.
local function judge_target(self, old, new)
  local was, is = merge.copy(old), merge.copy(new)
  was.spec.replicas, is.spec.replicas = nil, nil
  for _, object in ipairs({ was, is }) do
    object.metadata.resourceVersion, object.metadata.generation, object.status = nil, nil, nil
  end
  if not merge.equal(was, is) then
    complain(self, "the engine changed more of the target %s than its replicas", new.metadata.name)
  end
end

local function judge_scale_down(self, canary, old, new)
  if (new.spec.replicas or 1) > 0 or (old.spec.replicas or 1) == 0 then return end
  local namespace, target = canary.metadata.namespace, target_of(canary)
  local primary = deployment(self, namespace, target .. "-primary")
  local ready = primary and primary.status and primary.status.availableReplicas or 0
  if ready == 0 then complain(self, "the target %s was scaled to zero without a ready primary", target) end
  if (canary_share(self, canary) or 0) > 0 then
    complain(self, "the target %s was scaled to zero while it receives traffic", target)
  end
  for _, pod in ipairs((self.world.traffic:endpoints(namespace, apex_of(canary)))) do
    local name = pod.metadata.name
    if name:find(target .. "-", 1, true) == 1 and name:find(target .. "-primary-", 1, true) ~= 1 then
      complain(self, "the target %s was scaled to zero while the apex Service selects it", target)
      return
    end
  end
end

local function owned_by_canary(object, uid)
  for _, owner in ipairs(object.metadata.ownerReferences or {}) do
    if owner.kind == "Canary" and (uid == nil or owner.uid == uid) then return true end
  end
  return false
end

local function judge_primary(self, canary, old, new)
  if merge.equal(old.spec.template, new.spec.template) then return end
  local phase = (canary.status or {}).phase
  if phase ~= "Progressing" and phase ~= "WaitingPromotion" and phase ~= "Promoting" and phase ~= "Failed" then
    complain(self, "the primary of %s got another template in phase %s", canary.metadata.name, tostring(phase))
  end
end

local USERS = { ConfigMap = true, Secret = true, HorizontalPodAutoscaler = true }

local function canaries(self, namespace)
  return self.world.api:all("flagger.app/v1beta1", "Canary", namespace)
end

local function on_event(self, event)
  local new, old, kind = event.object, event.old, event.entry.kind
  if event.type ~= "MODIFIED" then return end
  if kind == "Canary" then judge_status(self, old, new) end
  if not self.engine_writes() then return end
  if USERS[kind] and not owned_by_canary(new) then
    complain(self, "the engine changed %s %s, which is the user's", kind, new.metadata.name)
  end
  if kind ~= "Deployment" then return end
  for _, canary in ipairs(canaries(self, new.metadata.namespace)) do
    if target_of(canary) == new.metadata.name then
      judge_target(self, old, new)
      judge_scale_down(self, canary, old, new)
    elseif target_of(canary) .. "-primary" == new.metadata.name and owned_by_canary(new, canary.metadata.uid) then
      judge_primary(self, canary, old, new)
    end
  end
end

--- After the routes of a run: where they may not send anything.
local function judge_routes(self, canary)
  local phase, key = (canary.status or {}).phase, canary.metadata.uid
  local share, before = canary_share(self, canary), self.shares[key]
  self.shares[key] = share
  if not share then return end
  local failed_promotion = phase == "Failed" and (canary.status.canaryWeight or 0) == 100
  if before and share > before and (phase == "Succeeded" or phase == "Initialized"
    or phase == "Finalising" or phase == "Failed" and not failed_promotion) then
    complain(self, "%s: the canary's share rose to %g %% in phase %s", canary.metadata.name, share * 100, phase)
  end
end

local function judge_losses(self)
  self.world.traffic:refresh()
  for namespace, losing in pairs(self.world.traffic.losing) do
    for _, lost in ipairs(losing) do
      if lost.rate > 0 then return complain(self, "requests to %s.%s are lost", lost.service, namespace) end
    end
  end
end

--- @param engine_writes function  true while what happens is the engine's doing
function invariants.new(world, engine_writes)
  local self = setmetatable({ world = world, engine_writes = engine_writes, shares = {} }, invariants_mt)
  world.api.store:subscribe(function(event) on_event(self, event) end)
  return self
end

--- nil, or the first invariant that did not hold since the last call.
function invariants_methods:broken()
  for _, canary in ipairs(canaries(self)) do judge_routes(self, canary) end
  judge_losses(self)
  local found = self.found
  self.found = nil
  return found
end

return invariants
