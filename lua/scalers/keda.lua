--- KEDA's ScaledObject beside the target, and its copy for the primary.
--
-- Pure. The user's object is only ever given or relieved of one annotation, by a merge patch, so that fields of any
-- version of KEDA survive.

local json = require("json")
local list = require("util.list")
local merge = require("util.merge")
local pods = require("targets.pods")

local keda = { kind = "ScaledObject", api_version = "keda.sh/v1alpha1" }

local PAUSED = "autoscaling.keda.sh/paused-replicas"
local MARK = "\1" -- stands for the target's own name while the other is replaced

local function replaced(text, from, to)
  return (text:gsub(from:gsub("%p", "%%%0"), (to:gsub("%%", "%%%%"))))
end

--- COMPAT: in a query, the target's name becomes the primary's.
local function query_of(query, name)
  local out = replaced(query, name .. "-canary", MARK)
  out = replaced(out, name, name .. "-primary")
  return replaced(out, MARK, name .. "-primary")
end

local function trigger_of(trigger, canary)
  local out, queries = merge.copy(trigger), canary.scaler.primary_queries
  local metadata = out.metadata
  if type(metadata) ~= "table" then return out end
  if queries then
    metadata.query = out.name and queries[out.name] or metadata.query
  elseif type(metadata.query) == "string" then
    metadata.query = query_of(metadata.query, canary.target.name)
  end
  return out
end

local function spec_of(canary, object)
  local out, scaler = merge.copy(object.spec), canary.scaler
  out.scaleTargetRef.name = canary.target.name .. "-primary"
  out.minReplicaCount = scaler.min_replicas or out.minReplicaCount
  out.maxReplicaCount = scaler.max_replicas or out.maxReplicaCount
  local config = (out.advanced or {}).horizontalPodAutoscalerConfig
  if config and config.name then config.name = config.name .. "-primary" end
  for index, trigger in ipairs(out.triggers or {}) do out.triggers[index] = trigger_of(trigger, canary) end
  return out
end

local function labels_of(object)
  local out = pods.without_flux(object.metadata.labels)
  out["scaledobject.keda.sh/name"] = nil -- KEDA's own
  return out
end

local function annotations_of(object)
  local out = pods.without_flux(object.metadata.annotations)
  out[PAUSED] = nil
  out["kubectl.kubernetes.io/last-applied-configuration"] = nil
  return out
end

--- The ScaledObject of the primary as it is first created.
function keda.primary(canary, object)
  return {
    apiVersion = keda.api_version,
    kind = keda.kind,
    metadata = { name = canary.scaler.name .. "-primary", labels = labels_of(object),
      annotations = annotations_of(object) },
    spec = spec_of(canary, object),
  }
end

--- The patch that brings the primary's ScaledObject up to date, or nil.
function keda.repair(canary, object, primary)
  return merge.diff({ spec = primary.spec }, { spec = spec_of(canary, object) })
end

--- nil, or what is wrong with the Canary's autoscalerRef for this object: a query for a trigger that is not there
--- would leave the primary to the load of the canary.
function keda.check(canary, object)
  local known, names = {}, {}
  for _, trigger in ipairs(object.spec.triggers or {}) do
    if trigger.name and not known[trigger.name] then known[trigger.name], names[#names + 1] = true, trigger.name end
  end
  for _, name in ipairs(list.keys(canary.scaler.primary_queries or {})) do
    if not known[name] then
      return ("spec.autoscalerRef.primaryScalerQueries: expected names of triggers of ScaledObject %s.%s (%s), " ..
        "found %s"):format(object.metadata.name, canary.namespace, #names > 0 and table.concat(names, ", ") or "none",
        name)
    end
  end
end

--- The patch that keeps the target at 0 pods, or nil.
function keda.pause(object)
  if (object.metadata.annotations or {})[PAUSED] == "0" then return nil end
  return { metadata = { annotations = { [PAUSED] = "0" } } }
end

--- The patch that lets the target be scaled again, or nil.
function keda.resume(object)
  if (object.metadata.annotations or {})[PAUSED] == nil then return nil end
  return { metadata = { annotations = { [PAUSED] = json.null } } }
end

--- The most pods it makes; KEDA's own default where it does not say.
function keda.maximum(object)
  return object.spec.maxReplicaCount or 100
end

--- The fewest pods it keeps while there is load; a canary needs one.
function keda.minimum(object)
  return math.max(1, object.spec.minReplicaCount or 0)
end

return keda
