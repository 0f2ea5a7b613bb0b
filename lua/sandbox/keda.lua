--- KEDA, simply: a paused ScaledObject holds its target at the given number of pods, another at its minimum at least.

local keda = {}

local PAUSED = "autoscaling.keda.sh/paused-replicas"

local function sync(api, object)
  local ref, spec = object.spec.scaleTargetRef or {}, object.spec
  local target_ref = { apiVersion = ref.apiVersion or "apps/v1", kind = ref.kind or "Deployment", name = ref.name,
    namespace = object.metadata.namespace }
  local target = api:peek(target_ref)
  if not target then return end
  local paused = tonumber((object.metadata.annotations or {})[PAUSED])
  local wanted = paused or math.max(target.spec.replicas or 1, spec.minReplicaCount or 0, 1)
  wanted = paused or math.min(wanted, spec.maxReplicaCount or 100)
  if target.spec.replicas ~= wanted then api:patch(target_ref, { spec = { replicas = math.tointeger(wanted) } }) end
end

--- Follows every ScaledObject of `world`, `period` seconds after it or the scale of a target has changed.
function keda.attach(world, period)
  local api = world.api
  api.store:subscribe(function(event)
    local object = event.object
    if event.type == "DELETED" then return end
    if event.entry.kind ~= "ScaledObject" and event.entry.group ~= "apps" then return end
    for _, scaler in ipairs(api:all("keda.sh/v1alpha1", "ScaledObject", object.metadata.namespace)) do
      local name = scaler.metadata.name
      world:at(world.now + period, function()
        local live = api:peek({ apiVersion = "keda.sh/v1alpha1", kind = "ScaledObject",
          namespace = object.metadata.namespace, name = name })
        if live then sync(api, live) end
      end)
    end
  end)
end

return keda
