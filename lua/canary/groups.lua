--- Canaries of a namespace with the same annotation `serin.dev/group` are released together: none is promoted before
--- all that run have passed their last step, and one that fails takes the others along.
--
-- The first promotion decides: from then on the others are promoted too.

local rfc3339 = require("util.rfc3339")

local groups = {}

local GROUP = "serin.dev/group"

local function group_of(object)
  return (object.metadata.annotations or {})[GROUP]
end

--- The other members, nil when this Canary is in no group; or nil and a stop.
local function members(ctx)
  local group = group_of(ctx.object)
  if not group then return nil end
  -- looking at all of them makes this tick run again when one changes
  local list, message, code = ctx.host.kube.list({
    apiVersion = "flagger.app/v1beta1", kind = "Canary", namespace = ctx.namespace })
  if not list then return nil, { fail = message, code = code } end
  local out = {}
  for _, object in ipairs(list) do
    if object.metadata.name ~= ctx.name and group_of(object) == group then out[#out + 1] = object end
  end
  return out
end

--- When its condition last changed: the end of a run.
local function ended(object)
  for _, item in ipairs((object.status or {}).conditions or {}) do
    if item.type == "Promoted" then return rfc3339.parse(item.lastTransitionTime) or 0 end
  end
  return 0
end

local function began(ctx)
  return math.floor(rfc3339.parse(ctx.status.runStartedAt) or 0)
end

local function at_barrier(object)
  local waiting = (object.status or {}).waiting
  return type(waiting) == "table" and waiting["for"] == "group"
end

--- What the group wants of a run: "rollback" and who failed, "promote" when it was decided, or nil; or nil, nil, stop.
function groups.verdict(ctx)
  local list, stop = members(ctx)
  if not list then return nil, nil, stop end
  local failed
  for _, object in ipairs(list) do
    local name = (object.status or {}).phase
    local this_run = ended(object) >= began(ctx)
    if at_barrier(ctx.object) and (name == "Promoting" or name == "Finalising" or name == "Succeeded" and this_run) then
      return "promote", object.metadata.name
    end
    if name == "Failed" and this_run then failed = object.metadata.name end
  end
  if failed then return "rollback", failed end
end

--- The name of a member that is still on its way to its last step, nil when there is none; or nil and a stop.
function groups.straggler(ctx)
  local list, stop = members(ctx)
  for _, object in ipairs(list or {}) do
    local name = (object.status or {}).phase or ""
    local deciding = name == "Progressing" or name == "WaitingPromotion" or name == "Waiting"
    if deciding and not at_barrier(object) then return object.metadata.name end
  end
  return nil, stop
end

--- The status field of one that waits for the others.
function groups.field(ctx, name)
  local since = at_barrier(ctx.object) and ctx.status.waiting.since or rfc3339.format(ctx.now, 6)
  return { ["for"] = "group", since = since, detail = name }
end

groups.at_barrier = at_barrier

return groups
