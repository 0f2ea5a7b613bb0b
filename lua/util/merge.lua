--- JSON merge patches that take one whole value to another, removing what is not wanted.
--
-- `util.object` patches only the fields that are named; here the caller owns
-- the whole subtree, so a key that the goal lacks is removed by null.

local json = require("json")

local merge = {}

local function is_list(value)
  return json.is_array(value) or #value > 0
end

local function equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not equal(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

merge.equal = equal

--- A copy that shares nothing with `value`; list tags are kept.
function merge.copy(value)
  if type(value) ~= "table" then return value end
  local out = json.is_array(value) and json.array() or {}
  for key, item in pairs(value) do out[key] = merge.copy(item) end
  return out
end

--- The merge patch that makes `have` equal to `want`, or nil when it is.
function merge.diff(have, want)
  if equal(have, want) then return nil end
  if type(have) ~= "table" or type(want) ~= "table" or is_list(have) or is_list(want) then return want end
  local patch = {}
  for key, value in pairs(want) do
    local part = have[key] == nil and value or merge.diff(have[key], value)
    if have[key] == nil or part ~= nil then patch[key] = part end
  end
  for key in pairs(have) do
    if want[key] == nil then patch[key] = json.null end
  end
  return patch
end

return merge
