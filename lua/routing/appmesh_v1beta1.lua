--- App Mesh v1beta1: VirtualNodes for the apex and both arms, VirtualServices that carry the routes.

local owned = require("routing.owned")
local parts = require("routing.appmesh_parts")

local v1beta1 = { api = "appmesh.k8s.aws/v1beta1", route_kind = "VirtualService", http = "http" }

function v1beta1.target(name, weight)
  return { virtualNodeName = name, weight = weight }
end

function v1beta1.target_name(target)
  return target.virtualNodeName
end

function v1beta1.retries(milliseconds, attempts, events)
  return { perRetryTimeoutMillis = milliseconds, maxRetries = attempts, httpRetryEvents = events }
end

--- nil, or what is missing in the Canary.
function v1beta1.problem(canary)
  if (canary.service.mesh_name or "") == "" then return "mesh name cannot be empty" end
end

--- The objects in the order in which they are made: key -> kind and name.
function v1beta1.objects(canary)
  local names = canary.names
  local function host(name) return name .. "." .. canary.namespace end
  return {
    { key = "apex_node", kind = "VirtualNode", name = names.apex },
    { key = "primary_node", kind = "VirtualNode", name = names.primary },
    { key = "canary_node", kind = "VirtualNode", name = names.canary },
    { key = "canary_route", kind = "VirtualService", name = host(names.canary) },
    { key = "route", kind = "VirtualService", name = host(names.apex) },
  }
end

local HOSTS = { apex_node = "primary", primary_node = "primary", canary_node = "canary" }

local function node(canary, key, live)
  return {
    meshName = canary.service.mesh_name,
    listeners = parts.listeners(canary, live, canary.service.port),
    serviceDiscovery = { dns = { hostName = canary.names[HOSTS[key]] .. "." .. canary.namespace } },
    backends = parts.backends(canary, live, function(name)
      return { virtualService = { virtualServiceName = name } }
    end),
    logging = parts.logging(canary, live),
  }
end

local function service(canary, key, live, rules)
  local router = live.virtualRouter or {}
  return {
    meshName = canary.service.mesh_name,
    virtualRouter = {
      name = key == "route" and canary.names.apex or canary.names.canary,
      listeners = parts.listeners(canary, router, canary.service.port),
    },
    routes = rules,
  }
end

--- Our fields of the object's spec, and its metadata.
--- @param live table  its spec as it is
--- @param rules table?  of "route" and "canary_route"
function v1beta1.spec(canary, key, live, rules)
  if HOSTS[key] then return node(canary, key, live), owned.metadata(canary) end
  return service(canary, key, live, rules), key == "route" and parts.exposed(canary) or nil
end

return v1beta1
