--- What the Deployment controller decides: which pods come and go, and what the status says. Pure.

local json = require("json")

local rollout = {}

local function share(value, replicas, round_up)
  if type(value) == "number" then return value end
  local percent = tonumber((value or "25%"):match("^(%d+)%%$")) or 25
  local exact = replicas * percent
  return round_up and -(-exact // 100) or exact // 100
end

--- How many pods may be too many, and how many missing, while a revision is rolled out.
function rollout.bounds(spec)
  local rolling = (spec.strategy or {}).rollingUpdate or {}
  local surge = math.tointeger(share(rolling.maxSurge, spec.replicas, true))
  local missing = math.tointeger(share(rolling.maxUnavailable, spec.replicas, false))
  if surge == 0 and missing == 0 then missing = 1 end
  return surge, math.min(missing, spec.replicas)
end

local function count(pods, key)
  local n = 0
  for _, pod in ipairs(pods) do
    if pod[key] then n = n + 1 end
  end
  return n
end

--- The first `n` pods to take away: those that are not ready first, then the youngest.
local function victims(pods, n)
  local order = { table.unpack(pods) }
  table.sort(order, function(a, b)
    if a.ready ~= b.ready then return not a.ready end
    return a.born > b.born
  end)
  return { table.unpack(order, 1, math.max(0, math.min(n, #order))) }
end

local function append(list, items)
  for _, item in ipairs(items) do list[#list + 1] = item end
end

local function unready(pods)
  local out = {}
  for _, pod in ipairs(pods) do
    if not pod.available then out[#out + 1] = pod end
  end
  return out
end

--- The old pods that may go now.
local function retired(spec, new, old, missing)
  local out, floor = {}, spec.replicas - missing
  local cleanup = #new + #old - floor - (#new - count(new, "available"))
  append(out, victims(unready(old), cleanup))
  local gone = {}
  for _, pod in ipairs(out) do gone[pod] = true end
  local left = {}
  for _, pod in ipairs(old) do
    if not gone[pod] then left[#left + 1] = pod end
  end
  append(out, victims(left, count(new, "available") + count(left, "available") - floor))
  return out
end

--- @param pods table  { { name, hash, ready, available, born }, ... }
--- @return table  { create = number of pods of the new revision, delete = pods }
function rollout.plan(spec, pods, hash)
  local new, old = {}, {}
  for _, pod in ipairs(pods) do
    local side = pod.hash == hash and new or old
    side[#side + 1] = pod
  end
  local plan = { create = 0, delete = victims(new, #new - spec.replicas) }
  if (spec.strategy or {}).type == "Recreate" then
    append(plan.delete, old)
    plan.create = #old == 0 and math.max(0, spec.replicas - #new) or 0
    return plan
  end
  local surge, missing = rollout.bounds(spec)
  append(plan.delete, retired(spec, new, old, missing))
  local room = spec.replicas + surge - (#pods - #plan.delete)
  plan.create = math.max(0, math.min(spec.replicas - #new, room))
  return plan
end

local function condition_of(conditions, kind)
  for _, condition in ipairs(conditions) do
    if condition.type == kind then return condition end
  end
end

rollout.condition = condition_of

--- `conditions` with `new` in it: as before when status and reason are the same; the time of the last
--- transition stays while the status does. `force` renews the update time in any case.
function rollout.with_condition(conditions, new, now, force)
  local old = condition_of(conditions, new.type)
  if old and old.status == new.status and old.reason == new.reason and not force then return conditions end
  local out = json.array()
  for _, condition in ipairs(conditions) do
    if condition.type ~= new.type then out[#out + 1] = condition end
  end
  out[#out + 1] = {
    type = new.type, status = new.status, reason = new.reason, message = new.message, lastUpdateTime = now,
    lastTransitionTime = old and old.status == new.status and old.lastTransitionTime or now,
  }
  return out
end

local function available_condition(spec, status)
  local _, missing = rollout.bounds(spec)
  if (status.availableReplicas or 0) >= spec.replicas - missing then
    return { type = "Available", status = "True", reason = "MinimumReplicasAvailable",
      message = "Deployment has minimum availability." }
  end
  return { type = "Available", status = "False", reason = "MinimumReplicasUnavailable",
    message = "Deployment does not have minimum availability." }
end

local function is_complete(spec, status)
  local updated, replicas = status.updatedReplicas or 0, status.replicas or 0
  return updated == spec.replicas and replicas == spec.replicas and (status.availableReplicas or 0) == spec.replicas
end

local function has_progressed(old, new)
  local function value(status, key) return status[key] or 0 end
  local function left(status) return value(status, "replicas") - value(status, "updatedReplicas") end
  return value(new, "updatedReplicas") > value(old, "updatedReplicas") or left(new) < left(old)
    or value(new, "readyReplicas") > value(old, "readyReplicas")
    or value(new, "availableReplicas") > value(old, "availableReplicas")
end

--- The Progressing condition that follows, whether its time is renewed; nil when it stays.
local function progressing_condition(spec, old, new, set, timed_out)
  local current = condition_of(new.conditions, "Progressing")
  local done = (new.replicas or 0) == (new.updatedReplicas or 0)
    and current and current.reason == "NewReplicaSetAvailable"
  if done then return nil end
  local name = ('ReplicaSet "%s"'):format(set)
  if is_complete(spec, new) then
    return { type = "Progressing", status = "True", reason = "NewReplicaSetAvailable",
      message = name .. " has successfully progressed." }
  end
  if has_progressed(old, new) then
    return { type = "Progressing", status = "True", reason = "ReplicaSetUpdated",
      message = name .. " is progressing." }, true
  end
  local may_time_out = current and current.reason ~= "NewReplicaSetAvailable"
  if may_time_out and (timed_out or current.reason == "ProgressDeadlineExceeded") then
    return { type = "Progressing", status = "False", reason = "ProgressDeadlineExceeded",
      message = name .. " has timed out progressing." }
  end
end

--- The status of a Deployment whose pods are `pods`.
--- @param at table  { now = text, generation =, hash =, set = name of the new ReplicaSet, timed_out = bool }
function rollout.status(spec, pods, old, at)
  local function positive(n) return n > 0 and n or nil end
  local updated = 0
  for _, pod in ipairs(pods) do
    if pod.hash == at.hash then updated = updated + 1 end
  end
  local available = count(pods, "available")
  local status = {
    observedGeneration = at.generation,
    replicas = positive(#pods),
    updatedReplicas = positive(updated),
    readyReplicas = positive(count(pods, "ready")),
    availableReplicas = positive(available),
    unavailableReplicas = positive(math.max(0, #pods - available)),
    conditions = old.conditions or json.array(),
  }
  status.conditions = rollout.with_condition(status.conditions, available_condition(spec, status), at.now)
  local condition, renewed = progressing_condition(spec, old, status, at.set, at.timed_out)
  if condition then status.conditions = rollout.with_condition(status.conditions, condition, at.now, renewed) end
  return status
end

return rollout
