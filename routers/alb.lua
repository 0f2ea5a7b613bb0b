--- AWS load balancer controller: the action of the user's Ingress that is named after the apex forwards in shares.
--
-- The controller knows no second object for a split, so this one annotation of the user's Ingress is ours; what it was
-- is noted beside it and given back. The Ingress leads to the apex with the port name `use-annotation`.

local ingress = require("routing.ingress")
local json = require("json")
local list = require("util.list")
local object = require("util.object")
local shape = require("routing.shape")

local ACTION = "alb.ingress.kubernetes.io/actions."
local BEFORE = "serin.dev/original-action"
local PORT = "use-annotation"
local GROUPS = "forwardConfig.targetGroups"
local START = { primary = 100, canary = 0 }
local GROUP = list.set({ "serviceName", "servicePort", "weight" })

local alb = {
  name = "alb",
  aliases = {},
  weighted = true,
  mirrors = false,
  matches = false,
  affinity = false,
  resolution = 1,
}

function alb.reads(canary)
  return { main = ingress.reads(canary).main }
end

local function name_of(canary)
  return ACTION .. canary.names.apex
end

local function annotation(main, name)
  return object.at(main, "metadata", "annotations", name)
end

local function odd(canary, main, path, what)
  return shape.odd(main, ("metadata.annotations[%s]%s"):format(name_of(canary), path), what)
end

--- The action that is live, {} where there is none; or nil and a message.
local function action_of(canary, main)
  local text = annotation(main, name_of(canary))
  if text == nil then return {} end
  local action = json.decode(text)
  if type(action) ~= "table" or object.is_list(action) then return nil, odd(canary, main, "", "is not an object") end
  local groups = object.at(action, "forwardConfig", "targetGroups")
  if groups ~= nil and (type(groups) ~= "table" or not object.is_list(groups)) then
    return nil, odd(canary, main, "." .. GROUPS, "is not a list")
  end
  return action
end

local function group_of(action, name)
  return list.find(object.at(action, "forwardConfig", "targetGroups") or {}, function(group)
    return object.at(group, "serviceName") == name
  end)
end

local function weight_of(canary, main, action, name)
  local group, index = group_of(action, name)
  if not group then return 0 end
  local path = (".%s[%d].weight"):format(GROUPS, index - 1)
  local weight = math.tointeger(group.weight)
  if weight and weight >= 0 then return weight end
  return nil, odd(canary, main, path, "is not a weight: " .. tostring(group.weight))
end

local function read(canary, main)
  local action, err = action_of(canary, main)
  if not action then return nil, err end
  local primary, weight
  primary, err = weight_of(canary, main, action, canary.names.primary)
  if not primary then return nil, err end
  weight, err = weight_of(canary, main, action, canary.names.canary)
  if not weight then return nil, err end
  return shape.shares(canary, main, primary, weight)
end

--- `action` with our two target groups; a group without requests stays, so that its targets are known to be well.
local function forward(canary, action, routes)
  local function group(arm)
    local name = canary.names[arm]
    local want = { serviceName = name, servicePort = canary.service.port, weight = routes[arm] }
    return object.overlay(group_of(action, name), want, GROUP)
  end
  local config = object.copy(object.at(action, "forwardConfig") or {})
  config.targetGroups = json.array({ group("primary"), group("canary") })
  local out = { type = "forward", forwardConfig = config }
  if action.type == "forward" then out = object.overlay(action, out, { type = true, forwardConfig = true }) end
  out.targetGroupARN = nil -- one group only; not beside several
  return out
end

local function patches(canary, main, action, routes)
  local want = forward(canary, action, routes)
  if object.equal(action, want) then return {} end
  local annotations = { [name_of(canary)] = json.encode(want) }
  if not annotation(main, BEFORE) then annotations[BEFORE] = annotation(main, name_of(canary)) or "" end
  return object.patches("main", main, { metadata = { annotations = annotations } })
end

--- The Ingress has a path or a default backend whose action is asked for.
local function leads(canary, main)
  local function is_apex(holder)
    local service = object.at(holder, "backend", "service")
    return object.at(service, "name") == canary.names.apex and object.at(service, "port", "name") == PORT
  end
  if is_apex({ backend = object.at(main, "spec", "defaultBackend") }) then return true end
  for _, rule in ipairs(object.at(main, "spec", "rules") or {}) do
    if list.find(object.at(rule, "http", "paths") or {}, is_apex) then return true end
  end
  return false
end

--- Makes the action forward to both arms; weights already live are kept.
function alb.prepare(canary, seen)
  if not canary.ingress then return nil, ingress.NO_REFERENCE end
  if not leads(canary, seen.main) then
    return nil, ("backend %s with port name %s not found in ingress %s"):format(canary.names.apex, PORT,
      canary.ingress.name)
  end
  local action, problem = action_of(canary, seen.main)
  if not action then return nil, problem end
  local routes, err, code = read(canary, seen.main)
  if not routes and code ~= "NOT_FOUND" then return nil, err end
  return patches(canary, seen.main, action, routes or START)
end

--- The live split, or nil and a message.
function alb.routes(canary, seen)
  if not canary.ingress then return nil, ingress.NO_REFERENCE end
  local routes, err = read(canary, seen.main)
  if not routes then return nil, err end
  return routes
end

function alb.shift(canary, seen, routes)
  if not canary.ingress then return nil, ingress.NO_REFERENCE end
  local action, err = action_of(canary, seen.main)
  if not action then return nil, err end
  return patches(canary, seen.main, action, routes)
end

--- The action as it was before the Canary.
function alb.restore(canary, seen)
  local before = annotation(seen.main, BEFORE)
  if not before then return {} end
  local annotations = { [name_of(canary)] = before ~= "" and before or json.null, [BEFORE] = json.null }
  local left = object.merged(seen.main.metadata.annotations, annotations)
  if next(left) == nil then annotations = json.null end
  return object.patches("main", seen.main, { metadata = { annotations = annotations } })
end

return alb
