--- App Mesh v1beta2: VirtualNodes for both arms, VirtualRouters that carry the routes, VirtualServices for both.

local json = require("json")
local object = require("util.object")
local owned = require("routing.owned")
local parts = require("routing.appmesh_parts")
local rules = require("routing.appmesh_rules")

local v1beta2 = { api = "appmesh.k8s.aws/v1beta2", route_kind = "VirtualRouter", http = "httpRoute" }

local function milliseconds(value)
  return { unit = "ms", value = value }
end

function v1beta2.target(name, weight)
  return { virtualNodeRef = { name = name }, weight = weight }
end

function v1beta2.target_name(target)
  return type(target.virtualNodeRef) == "table" and target.virtualNodeRef.name
end

function v1beta2.retries(timeout, attempts, events)
  return { perRetryTimeout = milliseconds(timeout), maxRetries = attempts, httpRetryEvents = events }
end

function v1beta2.timeout(value)
  return { perRequest = milliseconds(value) }
end

function v1beta2.problem() end

--- The objects in the order in which they are made: key -> kind and name.
function v1beta2.objects(canary)
  local names = canary.names
  return {
    { key = "primary_node", kind = "VirtualNode", name = names.primary },
    { key = "canary_node", kind = "VirtualNode", name = names.canary },
    { key = "canary_route", kind = "VirtualRouter", name = names.canary },
    { key = "route", kind = "VirtualRouter", name = names.apex },
    { key = "canary_service", kind = "VirtualService", name = names.canary },
    { key = "service", kind = "VirtualService", name = names.apex },
  }
end

local function port(canary)
  return math.type(canary.service.target_port) == "integer" and canary.service.target_port or canary.service.port
end

local function backend(name)
  if name:find("^arn:aws") then return { virtualService = { virtualServiceARN = name } } end
  return { virtualService = { virtualServiceRef = { name = name } } }
end

--- The pods of an arm are told by the selector label's value, as they are everywhere else.
local function pods(canary, arm)
  local value = canary.target.label_value or canary.target.name
  if not canary.target.label then return nil end
  return { matchLabels = { [canary.target.label] = arm == "primary" and value .. "-primary" or value } }
end

local function node(canary, arm, live)
  local timeout = rules.milliseconds(canary.service.timeout)
  local host = ("%s.%s.svc.cluster.local."):format(canary.names[arm], canary.namespace)
  return {
    listeners = parts.listeners(canary, live, port(canary), timeout and { http = v1beta2.timeout(timeout) }),
    serviceDiscovery = { dns = { hostname = host } },
    podSelector = object.goal(live.podSelector, pods(canary, arm)),
    backends = parts.backends(canary, live, backend),
    logging = parts.logging(canary, live),
  }
end

local function service(name)
  return { provider = { virtualNode = json.null, virtualRouter = { virtualRouterRef = { name = name } } } }
end

--- Our fields of the object's spec, and its metadata.
--- @param live table  its spec as it is
--- @param list table?  the routes of "route" and "canary_route"
function v1beta2.spec(canary, key, live, list)
  local arm = key:match("^(%l+)_node$")
  if arm then return node(canary, arm, live), owned.metadata(canary) end
  if list then return { listeners = parts.listeners(canary, live, port(canary)), routes = list } end
  if key == "service" then return service(canary.names.apex), parts.exposed(canary) end
  return service(canary.names.canary)
end

return v1beta2
