--- Two Canaries on one target: the older one has it.

local rivals = {}

local function older(a, b)
  local one, two = a.metadata.creationTimestamp or "", b.metadata.creationTimestamp or ""
  if one ~= two then return one < two end
  return a.metadata.name < b.metadata.name
end

local function same_target(a, b)
  local one, two = a.spec and a.spec.targetRef or {}, b.spec and b.spec.targetRef or {}
  return one.kind == two.kind and one.name == two.name
end

--- A stop when an older Canary of the namespace manages the same target, or the same apex Service.
function rivals.check(ctx)
  local list, message, code = ctx.host.kube.list({
    apiVersion = "flagger.app/v1beta1", kind = "Canary", namespace = ctx.namespace })
  if not list then return { fail = message, code = code } end
  for _, other in ipairs(list) do
    if other.metadata.name ~= ctx.name and same_target(other, ctx.object) and older(other, ctx.object) then
      -- looking at it makes this tick run again when it goes
      ctx.host.kube.get({ apiVersion = "flagger.app/v1beta1", kind = "Canary", namespace = ctx.namespace,
        name = other.metadata.name })
      local sentence = "spec.targetRef: expected a target of its own, found %s %s managed by Canary %s"
      return { reason = "TargetTaken", problem = sentence:format(
        ctx.canary.target.kind, ctx.target_label, other.metadata.name) }
    end
  end
end

return rivals
