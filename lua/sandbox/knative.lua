--- Knative Serving, simply: each new template of a Service becomes a Revision, which is ready a moment later.

local json = require("json")
local merge = require("util.merge")

local knative = {}

local API = "serving.knative.dev/v1"

local function ready(now, status)
  return json.array({ { type = "Ready", status = status, reason = status ~= "True" and "ContainerMissing" or nil,
    lastTransitionTime = now } })
end

--- The newest Revision that is ready is known to its Service.
local function tell_service(world, revision)
  local object = world.api:peek({ apiVersion = API, kind = "Service", namespace = revision.metadata.namespace,
    name = revision.metadata.labels["serving.knative.dev/service"] })
  if not object or revision.metadata.name <= (object.status.latestReadyRevisionName or "") then return end
  local status = merge.copy(object.status)
  status.latestReadyRevisionName = revision.metadata.name
  world.api:set_status(object, status)
end

--- A Revision's pods start unless its image cannot be pulled ("...-broken").
local function start(world, revision)
  local image = revision.spec.containers[1].image
  world:at(world.now + 1, function()
    local live = world.api:peek({ apiVersion = API, kind = "Revision", namespace = revision.metadata.namespace,
      name = revision.metadata.name })
    local good = not image:find("-broken", 1, true)
    if not live then return end
    world.api:set_status(live, { conditions = ready(world.api:time(), good and "True" or "False") })
    if good then tell_service(world, live) end
  end)
end

local function revise(world, object)
  local last = ((object.status or {}).latestCreatedRevisionName or ""):match("(%d+)$")
  local revision = world.api:create({ apiVersion = API, kind = "Revision", metadata = {
    name = ("%s-%05d"):format(object.metadata.name, math.tointeger(tonumber(last or 0)) + 1),
    namespace = object.metadata.namespace,
    labels = { ["serving.knative.dev/service"] = object.metadata.name } },
    spec = merge.copy(object.spec.template.spec) })
  start(world, revision)
  return revision.metadata.name
end

--- Follows every Knative Service of `world`.
function knative.attach(world)
  world.api.store:subscribe(function(event)
    local object, old = event.object, event.old
    if event.type == "DELETED" or event.entry.group ~= "serving.knative.dev" or event.entry.kind ~= "Service" then
      return
    end
    local status = object.status or {}
    if not old or not merge.equal(old.spec.template, object.spec.template) then
      local name = revise(world, object)
      status = merge.copy(status)
      status.latestCreatedRevisionName = name
      status.observedGeneration = object.metadata.generation
      status.traffic = merge.copy(object.spec.traffic)
      world.api:set_status(object, status)
    elseif not merge.equal(status.traffic, object.spec.traffic) then
      status = merge.copy(status)
      status.traffic = merge.copy(object.spec.traffic)
      world.api:set_status(object, status)
    end
  end)
end

return knative
