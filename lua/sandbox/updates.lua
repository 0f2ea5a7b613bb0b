--- How a write changes a stored object: merge, what a client may not touch, generation, the precondition.

local json = require("json")
local merge = require("util.merge")

local updates = {}

--- RFC 7386; `value` may be changed, `patch` is not.
function updates.merged(value, patch)
  if type(patch) ~= "table" or json.is_array(patch) or #patch > 0 then return merge.copy(patch) end
  local is_object = type(value) == "table" and not json.is_array(value)
  local out = is_object and value or {}
  for key, item in pairs(patch) do
    if item == json.null then
      out[key] = nil
    else
      out[key] = updates.merged(out[key], item)
    end
  end
  return out
end

--- A copy without nulls, which the API does not store.
function updates.without_nulls(value)
  if type(value) ~= "table" then return value end
  local out = json.is_array(value) and json.array() or {}
  for key, item in pairs(value) do
    if item ~= json.null then out[key] = updates.without_nulls(item) end
  end
  return out
end

local KEPT = { "name", "namespace", "uid", "creationTimestamp", "generation", "deletionTimestamp", "resourceVersion" }

--- What `wanted` makes of `old`: a status write changes nothing but the status, another write anything but
--- the status and what the server keeps.
function updates.bounded(entry, old, wanted, subresource)
  local new = wanted
  if subresource == "status" then
    new = merge.copy(old)
    new.status = wanted.status
  elseif entry.status then
    new.status = merge.copy(old.status)
  end
  for _, key in ipairs(KEPT) do new.metadata[key] = old.metadata[key] end
  new.apiVersion, new.kind = old.apiVersion, old.kind
  return new
end

--- Whether a change raises metadata.generation. A Deployment's annotations count as well.
function updates.is_desired_change(entry, old, new)
  local annotations = entry.id == "apps/Deployment"
    and not merge.equal(old.metadata.annotations or {}, new.metadata.annotations or {})
  if annotations then return true end
  for _, side in ipairs({ old, new }) do
    for key in pairs(side) do
      if key ~= "metadata" and key ~= "status" and not merge.equal(old[key], new[key]) then return true end
    end
  end
  return false
end

return updates
