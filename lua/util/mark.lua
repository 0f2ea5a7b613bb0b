--- The mark of an object that goes with a Canary which cannot own it, as it is in no namespace or in another cluster.

local object = require("util.object")

local mark = {}

local NAME = "serin.dev/canary"

local function of(canary) return canary.namespace .. "/" .. canary.name end

--- A copy of `metadata` with the mark. canary: { namespace, name }.
function mark.on(canary, metadata)
  return object.merged(metadata, { annotations = { [NAME] = of(canary) } })
end

--- True for an object that was created for this canary. Where an owner can be, the mark says nothing.
--- @param canary table  a view; `elsewhere`: its routes are in another cluster
function mark.is_on(canary, live)
  if live.metadata.namespace and not canary.elsewhere then return false end
  return (live.metadata.annotations or {})[NAME] == of(canary)
end

return mark
