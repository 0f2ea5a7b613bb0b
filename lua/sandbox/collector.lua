--- The garbage collector's second duty: what names only owners that are not there goes a moment after it came.
--
-- The first one, that what is owned goes with its owner, is in removal.lua.

local removal = require("sandbox.removal")

local collector = {}

local function has_owners(object)
  return #(object.metadata.ownerReferences or {}) > 0
end

--- Looks at every object that appears in `world`, `delay` seconds later.
function collector.attach(world, delay)
  local api = world.api
  api.store:subscribe(function(event)
    if event.type ~= "ADDED" or not has_owners(event.object) or not removal.is_orphan(api, event.object) then return end
    local metadata = event.object.metadata
    world:at(world.now + delay, function()
      local object = api.store:find(event.entry, metadata.namespace, metadata.name)
      local same = object and object.metadata.uid == metadata.uid
      if same and has_owners(object) and removal.is_orphan(api, object) then api:drop(event.entry, object) end
    end)
  end)
end

return collector
