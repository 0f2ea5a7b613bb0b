--- No mesh and no ingress controller: a request meets the canary as often as the canary has ready pods among those of
--- the apex Service.
--
-- The Service selects the primary's pods, those of both arms by labels that they share, or the canary's alone. The
-- primary keeps all of its pods all the time, so that one write gives it the traffic back; what is counted are the
-- canary's, from one to as many as the primary has. What was asked for is noted on the Service. It takes up to three
-- looks until it is so: the Service selects both arms only when the canary has no more pods than its share allows.

local counts = require("routing.pod_counts")
local json = require("json")
local object = require("util.object")
local shape = require("routing.shape")

local of_status, wanted = counts.of_status, counts.wanted

local ASKED = "serin.dev/canary-weight"

local replicas = {
  name = "replicas",
  aliases = {},
  weighted = true,
  mirrors = false,
  matches = false,
  affinity = false,
  resolution = 1,
  counts_pods = true,
}

--- What this canary asks for that pods cannot give, or nil.
function replicas.unfit(canary)
  if canary.target.kind ~= "Deployment" then
    return ("spec.targetRef.kind: expected Deployment with provider replicas, found %s"):format(canary.target.kind)
  end
  if canary.scaler then
    return ("spec.autoscalerRef: expected none with provider replicas, since both would count the canary's pods, " ..
      "found %s %s"):format(tostring(canary.scaler.kind), tostring(canary.scaler.name))
  end
  if canary.service.traffic_distribution then
    return "spec.service.trafficDistribution: expected none with provider replicas, since it prefers pods by their " ..
      "place, found " .. tostring(canary.service.traffic_distribution)
  end
  if next(canary.service.selector) == nil then
    return "spec.service.selector: expected labels that the pods of both arms have and no others, found none"
  end
end

function replicas.reads(canary)
  local function workload(name)
    return { apiVersion = canary.target.api_version or "apps/v1", kind = canary.target.kind, name = name,
      namespace = canary.namespace, optional = true }
  end
  return {
    apex = { apiVersion = "v1", kind = "Service", name = canary.names.apex, namespace = canary.namespace,
      optional = true },
    canary = workload(canary.target.name),
    primary = workload(canary.target.name .. "-primary"),
  }
end

--- The selectors that the Service can have, by whose pods it selects. The label is not known while the target is gone;
--- the primary tells its own then.
local function selectors(canary, primary)
  local label, value = canary.target.label, canary.target.label_value
  local own = label and { [label] = value .. "-primary" } or object.at(primary, "spec", "selector", "matchLabels")
  return { primary = own, both = canary.service.selector, canary = label and { [label] = value } }
end

--- Whose pods the live Service selects; nil when they are none of ours.
local function selected(canary, service, primary)
  local live = service.spec.selector or {}
  for arm, selector in pairs(selectors(canary, primary)) do
    if object.equal(live, selector) then return arm end
  end
end

local function noted(service) return (service.metadata.annotations or {})[ASKED] end

--- The weight that was asked for; what nobody here wrote is none.
local function asked(service)
  local weight = math.tointeger(tonumber(noted(service)))
  return weight and weight >= 0 and weight <= 100 and weight or 0
end

--- The same of both arms, where both are to be selected: a primary whose pods are not would lose all of its requests.
local function unshared(canary, seen, weight)
  if weight == 0 or weight == 100 then return nil end
  return counts.unlabelled(canary, seen.canary) or counts.unlabelled(canary, seen.primary)
end

--- Whose pods the Service has to select now, on its way to `weight`.
local function next_arm(canary, seen, weight)
  if weight == 0 or unshared(canary, seen, weight) then return "primary" end
  local now, count = selected(canary, seen.apex, seen.primary) or "primary", counts.of_share(weight, seen.primary)
  if weight == 100 then return of_status(seen.canary, "availableReplicas") >= count and "canary" or now end
  return (now ~= "primary" or counts.is_within(seen.canary, count)) and "both" or "primary"
end

local function missing(canary, seen)
  for _, key in ipairs({ "apex", "primary", "canary" }) do
    local ref = replicas.reads(canary)[key]
    if not seen[key] then return ("%s %s.%s not found"):format(ref.kind, ref.name, canary.namespace) end
  end
end

--- The patches on the way to `weight`. A canary without pods is started by nobody here.
local function patches(canary, seen, weight)
  local live = seen.apex
  local goal = object.goal(live.spec.selector or {},
    selectors(canary, seen.primary)[next_arm(canary, seen, weight)])
  local note = weight > 0 and tostring(weight) or noted(live) and json.null
  local out = object.patches("apex", live, {
    metadata = note and { annotations = { [ASKED] = note } }, spec = { selector = goal } })
  if weight == 0 or wanted(seen.canary) == 0 then return out end
  local more = object.patches("canary", seen.canary, { spec = { replicas = counts.of_share(weight, seen.primary) } })
  out[#out + 1] = more[1]
  return out
end

--- Goes on with the share that was asked for, and follows the primary's number of pods.
function replicas.prepare(canary, seen)
  local why = missing(canary, seen)
  if why then return nil, why end
  local weight = asked(seen.apex)
  why = weight == 0 and counts.unlabelled(canary, seen.canary)
  if why then return nil, why end
  return patches(canary, seen, weight)
end

--- What was asked for, and what the ready pods make of it.
function replicas.routes(canary, seen)
  if not seen.apex then return nil, missing(canary, seen) end
  local weight, arm = asked(seen.apex), selected(canary, seen.apex, seen.primary)
  local mine = seen.canary and of_status(seen.canary, "availableReplicas") or 0
  local theirs = seen.primary and of_status(seen.primary, "availableReplicas") or 0
  local reached = arm == "canary" and 100 or 0
  if arm == "both" and mine > 0 then reached = (mine * 200 + mine + theirs) // (2 * (mine + theirs)) end
  return { primary = 100 - weight, canary = weight, mirrored = false, reached = reached }
end

--- Whether the Service selects whom it should, and the canary has the pods of its share.
function replicas.accepted(canary, seen)
  if missing(canary, seen) then return true end
  local weight, arm = asked(seen.apex), selected(canary, seen.apex, seen.primary)
  local why = unshared(canary, seen, weight)
  if why then return false, why end
  local due = weight == 0 and "primary" or weight == 100 and "canary" or "both"
  local count = weight > 0 and counts.of_share(weight, seen.primary) or 0
  local have = of_status(seen.canary, "replicas")
  if arm == due and (weight == 0 or have == count) then return true end
  return false, ("%s selects the pods of %s, not yet of %s; the canary has %d pods, of %d for %d%%"):format(
    shape.title(seen.apex), arm or "neither arm", due, have, count, weight)
end

function replicas.shift(canary, seen, routes)
  if routes.canary == 0 and seen.apex then return patches(canary, seen, 0) end
  local why = missing(canary, seen) or unshared(canary, seen, routes.canary)
  if why then return nil, why end
  return patches(canary, seen, routes.canary)
end

--- What of the apex Service is this router's stays as it is, where the lifecycle repairs it.
function replicas.apex(canary, live, want)
  local weight = asked(live)
  if weight == 0 then return want end
  local out = object.copy(want)
  out.metadata.annotations[ASKED] = tostring(weight)
  out.spec.selector = object.copy(selectors(canary)[selected(canary, live) or "primary"])
  return out
end

--- The Service leads to the primary, and the canary has the pods for all of the traffic, as its user wanted it.
function replicas.restore(canary, seen)
  if not seen.apex or not noted(seen.apex) then return {} end
  local out = patches(canary, seen, 0)
  if not seen.canary or not seen.primary or wanted(seen.canary) == 0 then return out end
  local more = object.patches("canary", seen.canary, { spec = { replicas = math.max(1, wanted(seen.primary)) } })
  out[#out + 1] = more[1]
  return out
end

return replicas
