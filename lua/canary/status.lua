--- The Canary's status: one conditional merge patch per change.

local cluster = require("canary.cluster")
local json = require("json")
local phase = require("canary.phase")
local rfc3339 = require("util.rfc3339")

local status = {}

local function find(conditions, kind)
  for index, item in ipairs(conditions) do
    if item.type == kind then return index, item end
  end
end

--- The condition list with one type set anew; times move only as Kubernetes' conventions say.
local function with_condition(ctx, wanted)
  local out = json.array()
  for _, item in ipairs(ctx.status.conditions or {}) do out[#out + 1] = item end
  local index, old = find(out, wanted.type)
  if old and old.status == wanted.status and old.reason == wanted.reason and old.message == wanted.message then
    return out
  end
  local now = rfc3339.format(ctx.now)
  wanted.lastUpdateTime = now
  wanted.lastTransitionTime = old and old.status == wanted.status and old.lastTransitionTime or now
  out[index or #out + 1] = wanted
  return out
end

local function without_condition(ctx, kind)
  local out = json.array()
  for _, item in ipairs(ctx.status.conditions or {}) do
    if item.type ~= kind then out[#out + 1] = item end
  end
  return out
end

--- Sends `fields` as a patch of the status and keeps what the server answers. Returns nil, or a stop.
function status.write(ctx, fields)
  if ctx.object.metadata.generation then fields.observedGeneration = ctx.object.metadata.generation end
  local stored, stop = cluster.patch(ctx, ctx.object, { status = fields }, { subresource = "status" })
  if not stored then return stop end
  ctx.object, ctx.status = stored, stored.status or {}
end

--- Enters a phase. `fields` are further fields of the status; the time of this step is written with it.
--- @param special string?  what the condition says instead of the phase's own sentence
function status.enter(ctx, name, fields, special)
  local from = ctx.status.phase or ""
  if not phase.allowed(from, name) then
    error(("a canary cannot go from phase '%s' to '%s'"):format(from, name))
  end
  local condition_status, message = phase.condition(name, ctx.canary.target.kind)
  fields.phase = name
  fields.lastTransitionTime = rfc3339.format(ctx.now)
  fields.lastCheckTime = rfc3339.format(ctx.now, 6)
  fields.waiting = fields.waiting or json.null
  ctx.status.conditions = without_condition(ctx, "Stalled")
  fields.conditions = with_condition(ctx,
    { type = "Promoted", status = condition_status, reason = name, message = special or message })
  local stop = status.write(ctx, fields)
  if stop then return stop end
  if from ~= name then ctx.memory.said = {} end
  ctx.canary.phase, ctx.canary.iterations = name, ctx.status.iterations or 0
  ctx.host.metrics.phase(ctx.canary, name)
end

--- Writes fields of a step within the phase, with its time.
function status.step(ctx, fields)
  fields.lastTransitionTime = rfc3339.format(ctx.now)
  fields.lastCheckTime = rfc3339.format(ctx.now, 6)
  if ctx.status.waiting and fields.waiting == nil then fields.waiting = json.null end
  local stop = status.write(ctx, fields)
  if not stop then ctx.canary.iterations = ctx.status.iterations or 0 end
  return stop
end

--- True when the Canary is in one of these phases.
function status.is(ctx, ...)
  for _, name in ipairs({ ... }) do
    if ctx.status.phase == name then return true end
  end
  return false
end

--- Seconds since the run began; nil when that is not known.
function status.run_seconds(ctx)
  local began = rfc3339.parse(ctx.status.runStartedAt)
  return began and math.max(0, ctx.now - began)
end

--- When the last step or check was, in seconds; 0 when there never was one.
function status.last_step(ctx)
  return rfc3339.parse(ctx.status.lastCheckTime) or rfc3339.parse(ctx.status.lastTransitionTime) or 0
end

--- True when the Stalled condition already says exactly this.
function status.says(ctx, reason, message)
  local _, item = find(ctx.status.conditions or {}, "Stalled")
  return item ~= nil and item.reason == reason and item.message == message
end

--- Shows a problem that the user has to solve. Returns nil, or a stop when it could not be written.
function status.stall(ctx, reason, message)
  if status.says(ctx, reason, message) then return nil end
  return status.write(ctx, { conditions = with_condition(ctx,
    { type = "Stalled", status = "True", reason = reason, message = message }) })
end

--- Takes a solved problem back.
function status.clear(ctx)
  if not find(ctx.status.conditions or {}, "Stalled") then return nil end
  return status.write(ctx, { conditions = without_condition(ctx, "Stalled") })
end

return status
