--- With -max-running, revisions wait for their turn: so many Canaries are in a run at once, the others queue in the
--- order in which they came. The place in the queue is in the status.

local json = require("json")
local phase = require("canary.phase")
local rfc3339 = require("util.rfc3339")
local status = require("canary.status")

local queue = {}

local function waiting(object)
  local field = (object.status or {}).waiting
  return type(field) == "table" and field["for"] == "queue" and field or nil
end

--- Who came first; names decide between those who came at once.
local function before(a, b)
  local one, two = waiting(a).since or "", waiting(b).since or ""
  if one ~= two then return one < two end
  one, two = a.metadata.namespace .. "/" .. a.metadata.name, b.metadata.namespace .. "/" .. b.metadata.name
  return one < two
end

--- One that cannot start by itself holds nobody up.
local function stuck(object)
  if (object.spec or {}).suspend then return true end
  for _, item in ipairs((object.status or {}).conditions or {}) do
    if item.type == "Stalled" and item.status == "True" then return true end
  end
  return false
end

--- How many Canaries are in a run, and how many queue before this one.
local function count(ctx, list)
  local running, ahead = 0, 0
  for _, object in ipairs(list) do
    local own = object.metadata.namespace == ctx.namespace and object.metadata.name == ctx.name
    if phase.active((object.status or {}).phase or "") then running = running + 1 end
    if not own and waiting(object) and not stuck(object) and before(object, ctx.object) then
      ahead = ahead + 1
    end
  end
  return running, ahead
end

--- True while this Canary queues: its gates have agreed already.
function queue.entered(ctx)
  return waiting(ctx.object) ~= nil
end

local function enter(ctx)
  if queue.entered(ctx) then return nil end
  return status.write(ctx, { waiting = { ["for"] = "queue", since = rfc3339.format(ctx.now, 6), position = json.null,
    deadline = json.null, detail = json.null } })
end

--- nil when it is this Canary's turn, else a stop. Whoever wants a turn queues first, so that two who come at once
--- do not both take the last place.
function queue.turn(ctx)
  local limit = ctx.host.settings.max_running or 0
  if limit == 0 then return nil end
  local stop = enter(ctx)
  if stop then return stop end
  -- looking at all Canaries makes this tick run again when one of them ends its run
  local list, message, code = ctx.host.kube.list({ apiVersion = "flagger.app/v1beta1", kind = "Canary" })
  if not list then return { fail = message, code = code } end
  local running, ahead = count(ctx, list)
  if running + ahead < limit then return nil end
  if waiting(ctx.object).position == ahead + 1 then return {} end
  return status.write(ctx, { waiting = { position = ahead + 1 } }) or {}
end

return queue
