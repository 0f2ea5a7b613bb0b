--- The scale subresource: how many replicas a workload has and wants.

local scales = {}

local function selector_text(object)
  local parts = {}
  for key, value in pairs((object.spec.selector or {}).matchLabels or {}) do parts[#parts + 1] = key .. "=" .. value end
  table.sort(parts)
  return table.concat(parts, ",")
end

--- The Scale of a workload.
function scales.of(object)
  local metadata = object.metadata
  return {
    apiVersion = "autoscaling/v1", kind = "Scale",
    metadata = { name = metadata.name, namespace = metadata.namespace, uid = metadata.uid,
      resourceVersion = metadata.resourceVersion, creationTimestamp = metadata.creationTimestamp },
    spec = { replicas = object.spec.replicas },
    status = { replicas = (object.status or {}).replicas or 0, selector = selector_text(object) },
  }
end

--- Gives a workload the replicas of a Scale. Returns the workload, or nil, message, CODE.
function scales.write(api, ref, scale)
  local wanted = type(scale.spec) == "table" and scale.spec.replicas or 0
  if math.type(wanted) ~= "integer" then return nil, "spec.replicas: Invalid value: must be an integer", "INVALID" end
  local version = type(scale.metadata) == "table" and scale.metadata.resourceVersion or nil
  return api:patch(ref, { metadata = { resourceVersion = version }, spec = { replicas = wanted } })
end

--- The same for a patch of the Scale: `apply` makes the new value of the old one.
function scales.patch(api, ref, apply)
  local object, message, code = api:get(ref)
  if not object then return nil, message, code end
  local scale = scales.of(object)
  scale.metadata.resourceVersion = nil
  scale, message, code = apply(scale)
  if not scale then return nil, message, code end
  return scales.write(api, ref, scale)
end

return scales
