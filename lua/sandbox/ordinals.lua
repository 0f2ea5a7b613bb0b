--- What the StatefulSet controller decides: which ordinals come and go, in which order, and the claims of each. Pure.

local json = require("json")
local merge = require("util.merge")

local ordinals = {}

--- The names of the pods that a StatefulSet asks for, in order.
function ordinals.names(object)
  local out, first = {}, (object.spec.ordinals or {}).start or 0
  for index = 1, object.spec.replicas do out[index] = ("%s-%d"):format(object.metadata.name, first + index - 1) end
  return out
end

local function ordinal_of(name)
  return math.tointeger(tonumber(name:match("%-(%d+)$"))) or 0
end

--- Pods beyond what is asked for, the highest ordinal first.
local function condemned(names, pods)
  local wanted, out = {}, {}
  for _, name in ipairs(names) do wanted[name] = true end
  for _, pod in ipairs(pods) do
    if not wanted[pod.name] then out[#out + 1] = pod end
  end
  table.sort(out, function(a, b) return ordinal_of(a.name) > ordinal_of(b.name) end)
  return out
end

--- The pod of an old revision that is replaced now, from the highest ordinal down, each after the one before is ready.
local function outdated(spec, names, by_name, hash)
  local strategy = spec.updateStrategy or {}
  if strategy.type == "OnDelete" then return nil end
  local lowest = (strategy.rollingUpdate or {}).partition or 0
  for index = #names, 1, -1 do
    local pod = by_name[names[index]]
    if ordinal_of(names[index]) < lowest then return nil end
    if pod.hash ~= hash then return pod end
    if not pod.available then return nil end
  end
end

--- @param pods table  { { name, hash, ready, available }, ... }
--- @return table  { create = names, delete = pods, scaled = pods that go because fewer are asked for }
function ordinals.plan(object, pods, hash)
  local spec, names, by_name = object.spec, ordinals.names(object), {}
  local one_by_one = spec.podManagementPolicy ~= "Parallel"
  local plan = { create = {}, delete = {}, scaled = {} }
  for _, pod in ipairs(pods) do by_name[pod.name] = pod end
  for _, name in ipairs(names) do
    local pod = by_name[name]
    if not pod then plan.create[#plan.create + 1] = name end
    if one_by_one and not (pod and pod.available) then return plan end
  end
  local extra = condemned(names, pods)
  plan.scaled = { table.unpack(extra, 1, one_by_one and math.min(1, #extra) or #extra) }
  if #plan.create > 0 or #extra > 0 then return plan end
  plan.delete = { outdated(spec, names, by_name, hash) }
  return plan
end

--- The claims of one pod. They go with the StatefulSet when its retention policy says so.
function ordinals.claims(object, pod_name)
  local out, metadata = {}, object.metadata
  local policy = object.spec.persistentVolumeClaimRetentionPolicy or {}
  for index, claim in ipairs(object.spec.volumeClaimTemplates or {}) do
    out[index] = {
      apiVersion = "v1", kind = "PersistentVolumeClaim", spec = merge.copy(claim.spec),
      metadata = { name = claim.metadata.name .. "-" .. pod_name, namespace = metadata.namespace },
    }
    if policy.whenDeleted == "Delete" then
      out[index].metadata.ownerReferences = json.array({ {
        apiVersion = object.apiVersion, kind = object.kind, name = metadata.name, uid = metadata.uid } })
    end
  end
  return out
end

return ordinals
