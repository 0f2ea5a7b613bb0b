--- Two Canaries on one target or one scaler: the older one has it.

local rivals = {}

local function older(a, b)
  local one, two = a.metadata.creationTimestamp or "", b.metadata.creationTimestamp or ""
  if one ~= two then return one < two end
  return a.metadata.name < b.metadata.name
end

--- Kinds of one name in different groups are different things: a Service of Knative's is beside one of Kubernetes'.
local function group_of(ref)
  return type(ref.apiVersion) == "string" and ref.apiVersion:match("^(.+)/") or ""
end

local function same(one, two)
  return type(one) == "table" and type(two) == "table" and one.kind == two.kind and one.name == two.name
    and group_of(one) == group_of(two)
end

local function target_of(object) return object.spec and object.spec.targetRef end
local function scaler_of(object) return object.spec and object.spec.autoscalerRef end

-- What a Canary has for itself: the field, how to read it, and the reason of its problem.
local OWN = {
  { "spec.targetRef", target_of, "TargetTaken", "a target" },
  { "spec.autoscalerRef", scaler_of, "ScalerTaken", "a scaler" },
}

local TAKEN = "%s: expected %s of its own, found %s %s.%s managed by Canary %s"

--- A stop when an older Canary of the namespace manages the same target or the same scaler.
function rivals.check(ctx)
  local list, message, code = ctx.host.kube.list({
    apiVersion = "flagger.app/v1beta1", kind = "Canary", namespace = ctx.namespace })
  if not list then return { fail = message, code = code } end
  for _, other in ipairs(list) do
    for _, own in ipairs(OWN) do
      local mine = own[2](ctx.object)
      if other.metadata.name ~= ctx.name and same(own[2](other), mine) and older(other, ctx.object) then
        -- looking at it makes this tick run again when it goes
        ctx.host.kube.get({ apiVersion = "flagger.app/v1beta1", kind = "Canary", namespace = ctx.namespace,
          name = other.metadata.name })
        return { reason = own[3], problem = TAKEN:format(own[1], own[4], mine.kind, mine.name, ctx.namespace,
          other.metadata.name) }
      end
    end
  end
end

return rivals
