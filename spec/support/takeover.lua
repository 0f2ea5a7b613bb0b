--- What Flagger 1.44 leaves behind when it is stopped in the middle: the objects of a recorded run as they were at one
--- of its steps, and those phases that the recording did not pass through, made from the step before them.

local json = require("json")
local merge = require("util.merge")
local yaml = require("yaml")
local recorded = require("spec.support.recorded")

local takeover = {}

local ROOT = "spec/fixtures/recorded/"

local function entries(name)
  local out = {}
  for line in io.lines(ROOT .. name .. "/timeline.jsonl") do
    local entry = assert(json.decode(line))
    if entry.obj.kind ~= "Event" then out[#out + 1] = entry.obj end
  end
  return out
end

--- The newest version of every object when the Canary first was at a step; `list` is eldest first.
local function snapshot(list, step)
  local out, order = {}, {}
  for _, object in ipairs(list) do
    local id = object.kind .. "/" .. object.metadata.name
    if not out[id] then order[#order + 1] = id end
    out[id] = object
    if object.kind == "Canary" and recorded.step(object.status) == step then
      local objects = {}
      for index, key in ipairs(order) do objects[index] = merge.copy(out[key]) end
      return objects
    end
  end
  error("the recording has no step " .. step)
end

local function find(objects, kind, name)
  for _, object in ipairs(objects) do
    if object.kind == kind and object.metadata.name == name then return object end
  end
  error(("no %s %s in the recording"):format(kind, name))
end

local function with_image(objects, name, image)
  find(objects, "Deployment", name).spec.template.spec.containers[1].image = image
end

local function with_status(objects, fields)
  local status = find(objects, "Canary", "app").status
  for key, value in pairs(fields) do status[key] = value end
  for _, condition in ipairs(status.conditions) do condition.reason = fields.phase or condition.reason end
  return objects
end

local function applied_spec(list, step)
  return find(snapshot(list, step), "Canary", "app").status.lastAppliedSpec
end

-- name -> function(list) -> objects; what Flagger writes in these phases is in state-machine §6.1, §8.2 to §8.4, §9
local derived = {
  Waiting = function(list)
    local objects = with_status(snapshot(list, "Initialized 0 0"), { phase = "Waiting" })
    with_image(objects, "app", "podinfo:2")
    return objects
  end,
  WaitingPromotion = function(list)
    return with_status(snapshot(list, "Progressing 50 0"),
      { phase = "WaitingPromotion", canaryWeight = 0, iterations = -1 })
  end,
  Failed = function(list)
    local objects = with_status(snapshot(list, "Initialized 0 0"),
      { phase = "Failed", lastAppliedSpec = applied_spec(list, "Progressing 25 0") })
    with_image(objects, "app", "podinfo:2")
    find(objects, "Deployment", "app").spec.replicas = 0
    return objects
  end,
  ["Failed promotion"] = function(list)
    local objects = with_status(snapshot(list, "Promoting 50 0"), { phase = "Failed", canaryWeight = 100 })
    for _, route in ipairs(find(objects, "VirtualService", "app").spec.http[1].route) do
      route.weight = route.destination.host == "app-canary" and 100 or 0
    end
    return objects
  end,
}

--- The steps and phases of a recording that can be taken over, in order.
takeover.steps = { "Initializing 0 0", "Initialized 0 0", "Progressing 0 0", "Progressing 25 0", "Progressing 50 0",
  "Promoting 50 0", "Finalising 0 0", "Succeeded 0 0", "Waiting", "WaitingPromotion", "Failed", "Failed promotion" }

--- The user's objects as they were applied, without the Canary.
function takeover.input(name)
  local file, out = assert(io.open(ROOT .. name .. "/input.yaml")), {}
  for _, object in ipairs(assert(yaml.decode(file:read("a")))) do
    if object.kind ~= "Canary" then out[#out + 1] = object end
  end
  file:close()
  return out
end

--- Every object at a step; the Canary first. Statuses of other objects are left to their controllers.
--- @param namespace string  where they are put
function takeover.objects(name, step, namespace)
  local list = entries(name)
  local objects = derived[step] and derived[step](list) or snapshot(list, step)
  for _, object in ipairs(objects) do
    object.metadata.namespace = namespace
    object.metadata.resourceVersion, object.metadata.uid, object.metadata.generation = nil, nil, nil
    if object.kind ~= "Canary" then object.status = nil end
    if object.kind == "Service" then object.spec.clusterIP, object.spec.clusterIPs = nil, nil end
  end
  table.sort(objects, function(a, b)
    if (a.kind == "Canary") ~= (b.kind == "Canary") then return a.kind == "Canary" end
    return a.kind .. a.metadata.name < b.kind .. b.metadata.name
  end)
  return objects
end

--- Gives what is owned its owner's uid.
function takeover.own(object, uid)
  for _, owner in ipairs(object.metadata.ownerReferences or {}) do
    if owner.kind == "Canary" then owner.uid = uid end
  end
  return object
end

return takeover
