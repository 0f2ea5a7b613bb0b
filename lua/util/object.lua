--- Objects of the API server as tables: patches of the fields one owns, and what comes of applying them.
--
-- A merge patch (RFC 7386) names fields: what it does not name stays. So `patch` compares only the
-- fields of `want`; a field that must not be there is named with `json.null`. Lists are replaced whole.

local json = require("json")
local merge = require("util.merge")

local object = { null = json.null, copy = merge.copy, equal = merge.equal }

--- True for lists: tagged by json.array, or keyed 1..n.
function object.is_list(value)
  return type(value) == "table" and (json.is_array(value) or #value > 0)
end

local function is_map(value)
  return type(value) == "table" and not object.is_list(value)
end

--- A copy without the fields that are to be absent.
local function present(want)
  if not is_map(want) then return object.copy(want) end
  local out = {}
  for key, value in pairs(want) do
    if value ~= json.null then out[key] = present(value) end
  end
  return out
end

--- The smallest merge patch that gives `have` the fields named in `want`, or nil when it has them.
function object.patch(have, want)
  if want == json.null then
    if have == nil then return nil end
    return json.null
  end
  if not is_map(want) then
    if object.equal(have, want) then return nil end
    return object.copy(want)
  end
  if not is_map(have) then return present(want) end
  local out
  for key, value in pairs(want) do
    local part = object.patch(have[key], value)
    if part ~= nil then
      out = out or {}
      out[key] = part
    end
  end
  return out
end

--- One patch, or none when `have` already has all that `want` names.
function object.patches(key, have, want)
  local difference = object.patch(have, want)
  return difference and { { key = key, merge = difference } } or {}
end

--- The patch that creates `body`, its absent fields left out.
function object.create(key, body)
  return { key = key, create = present(body) }
end

--- What a merge patch makes of `have`. Shares nothing with `patch`.
function object.merged(have, patch)
  if not is_map(patch) then return object.copy(patch) end
  local out = {}
  if is_map(have) then
    for key, value in pairs(have) do out[key] = value end
  end
  for key, value in pairs(patch) do
    if value == json.null then
      out[key] = nil
    else
      out[key] = object.merged(out[key], value)
    end
  end
  return out
end

--- The objects that `seen` becomes by `patches`; `seen` itself is left alone.
function object.apply(seen, patches)
  local out = {}
  for key, body in pairs(seen) do out[key] = body end
  for _, patch in ipairs(patches) do
    if patch.delete then
      out[patch.key] = nil
    elseif patch.create then
      out[patch.key] = object.copy(patch.create)
    else
      out[patch.key] = object.merged(out[patch.key], patch.merge)
    end
  end
  return out
end

--- `want` for a subtree that is ours as a whole: what else `have` holds is named as absent.
function object.goal(have, want)
  if not is_map(have) or not is_map(want) then return object.copy(want) end
  local out = {}
  for key in pairs(have) do out[key] = json.null end
  for key, value in pairs(want) do out[key] = object.goal(have[key], value) end
  return out
end

--- The value below `body` along the keys, or nil where the way ends.
function object.at(body, ...)
  for index = 1, select("#", ...) do
    if type(body) ~= "table" then return nil end
    body = body[select(index, ...)]
  end
  return body
end

--- `want` with those fields of `have` that are not in `owned`: how a list element keeps what it is not asked about.
--- @param owned table  set of field names
function object.overlay(have, want, owned)
  local out = object.copy(want)
  if not is_map(have) then return out end
  for key, value in pairs(have) do
    if not owned[key] then out[key] = object.copy(value) end
  end
  return out
end

--- `map`, or nil when it has no entry: an empty map is not kept by the API server.
function object.some(map)
  return map and next(map) ~= nil and map or nil
end

return object
