--- How objects go: finalizers, what they owned, what was in their namespace.

local merge = require("util.merge")

local removal = {}

--- Whether no owner of the object is there.
function removal.is_orphan(api, object)
  for _, owner in ipairs(object.metadata.ownerReferences or {}) do
    if api.store.uids[owner.uid] then return false end
  end
  return true
end

local function drop_owned(api, uid)
  for _, owned in ipairs(api.store:owned_by(uid)) do
    local object = api.store:find(owned.entry, owned.namespace, owned.name)
    if object and removal.is_orphan(api, object) then removal.drop(api, owned.entry, object) end
  end
end

local function drop_space(api, namespace)
  for _, entry in ipairs({ table.unpack(api.kinds.order) }) do
    for _, object in ipairs(entry.namespaced and api.store:all(entry, namespace) or {}) do
      removal.drop(api, entry, object)
    end
  end
end

--- Lets go of what `uid` owns, so that it stays.
local function release(api, uid)
  for _, owned in ipairs(api.store:owned_by(uid)) do
    local object = merge.copy(api.store:find(owned.entry, owned.namespace, owned.name))
    local owners = object.metadata.ownerReferences
    for index = #owners, 1, -1 do
      if owners[index].uid == uid then table.remove(owners, index) end
    end
    if #owners == 0 then object.metadata.ownerReferences = nil end
    api.store:put(owned.entry, object)
  end
end

--- Takes an object away; `last` is its last state. What it owned goes after it.
function removal.remove(api, entry, last)
  api.store:remove(entry, last)
  drop_owned(api, last.metadata.uid)
  if entry.id == "/Namespace" then drop_space(api, last.metadata.name) end
end

--- Deletes a stored object: at once, or by a deletionTimestamp while finalizers hold it.
--- options: { propagation = "Orphan" to let what it owns stay }.
function removal.drop(api, entry, object, options)
  if options and options.propagation == "Orphan" then release(api, object.metadata.uid) end
  local last = merge.copy(object)
  if #(object.metadata.finalizers or {}) == 0 then return removal.remove(api, entry, last) end
  if object.metadata.deletionTimestamp then return end
  last.metadata.deletionTimestamp = api:time()
  if last.metadata.generation then last.metadata.generation = last.metadata.generation + 1 end
  api.store:put(entry, last)
end

return removal
