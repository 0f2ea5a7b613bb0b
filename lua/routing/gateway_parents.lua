--- The parents of a route of Gateway API: Gateways, or in a mesh the Services whose requests it divides.

local list = require("util.list")
local object = require("util.object")

local parents = {}

local GROUP = "gateway.networking.k8s.io"

--- A reference with the defaults of the API server.
local function whole(ref)
  return object.merged({ group = GROUP, kind = "Gateway" }, ref)
end

--- The references as they are written.
function parents.of(canary)
  return list.map(canary.service.gateway_refs, whole)
end

--- The place of the first parent that is a Service, or nil.
function parents.service(canary)
  local _, index = list.find(parents.of(canary), function(ref) return ref.kind == "Service" end)
  return index
end

--- A message about a Service for which its group was forgotten, or nil: the definition of Canaries fills in that of
--- Gateways, no controller knows such a parent, and none would say so.
function parents.wrong(canary)
  for index, ref in ipairs(parents.of(canary)) do
    if ref.kind == "Service" and ref.group == GROUP then
      return ("spec.service.gatewayRefs[%d].group: expected core beside kind Service, found %s"):format(index - 1,
        GROUP)
    end
  end
end

return parents
