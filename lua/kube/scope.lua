--- Which of the declared kinds live in no namespace.

local kinds = require("kube.kinds")

local scope = {}

local CLUSTER = {}
for _, kind in ipairs(kinds) do
  if not kind.namespaced then CLUSTER[kind.apiVersion .. " " .. kind.kind] = true end
end

--- True for a kind of the whole cluster; whatever is not declared is taken for namespaced.
function scope.is_cluster(api_version, kind)
  return CLUSTER[tostring(api_version) .. " " .. tostring(kind)] == true
end

return scope
