--- Which of the declared kinds live in no namespace, and which in the cluster of the routes.

local kinds = require("kube.kinds")

local scope = {}

local CLUSTER, ROUTE = {}, {}
for _, kind in ipairs(kinds) do
  local id = kind.apiVersion .. " " .. kind.kind
  CLUSTER[id], ROUTE[id] = not kind.namespaced, kind.route == true
end

--- True for a kind of the whole cluster; whatever is not declared is taken for namespaced.
function scope.is_cluster(api_version, kind)
  return CLUSTER[tostring(api_version) .. " " .. tostring(kind)] == true
end

--- True for a kind whose objects are in the cluster of -kubeconfig-service-mesh, where that is given.
function scope.is_route(api_version, kind)
  return ROUTE[tostring(api_version) .. " " .. tostring(kind)] == true
end

return scope
