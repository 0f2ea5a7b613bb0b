--- Strategic merge patches: lists whose elements have a key are merged by it.

local json = require("json")
local merge = require("util.merge")

local strategic = {}

-- Name of a list -> the key of its elements. Lists with other names are replaced.
local KEYS = {
  containers = "name", initContainers = "name", ephemeralContainers = "name", env = "name", volumes = "name",
  volumeMounts = "mountPath", volumeDevices = "devicePath", imagePullSecrets = "name", hostAliases = "ip",
  ownerReferences = "uid", conditions = "type", secrets = "name",
}
local SETS = { finalizers = true }

local function is_list(value)
  return type(value) == "table" and json.is_array(value)
end

local function is_map(value)
  return type(value) == "table" and not json.is_array(value)
end

--- Ports of containers have other keys than those of Services.
local function key_for(name, items)
  if name ~= "ports" then return KEYS[name] end
  for _, item in ipairs(items) do
    if is_map(item) and item.containerPort then return "containerPort" end
  end
  return "port"
end

local function find(list, key, value)
  for index, item in ipairs(list) do
    if is_map(item) and item[key] == value then return index end
  end
end

--- `have` with its elements in the order of `order`; those it does not name keep their place at the end.
local function ordered(have, order, key)
  local out, done = json.array(), {}
  for _, wanted in ipairs(order) do
    local value = is_map(wanted) and key and wanted[key] or wanted
    for _, item in ipairs(have) do
      local mine = is_map(item) and key and item[key] or item
      if mine == value and not done[item] then
        done[item] = true
        out[#out + 1] = item
      end
    end
  end
  for _, item in ipairs(have) do
    if not done[item] then out[#out + 1] = item end
  end
  return out
end

local function merge_elements(have, items, key)
  for _, item in ipairs(items) do
    local at = is_map(item) and find(have, key, item[key])
    if is_map(item) and item["$patch"] == "delete" then
      if at then table.remove(have, at) end
    elseif at then
      have[at] = strategic.merged(have[at], item)
    else
      have[#have + 1] = is_map(item) and strategic.merged({}, item) or item
    end
  end
  return have
end

local function replaces(items)
  for index, item in ipairs(items) do
    if is_map(item) and item["$patch"] == "replace" then
      local out = merge.copy(items)
      table.remove(out, index)
      return out
    end
  end
end

local function merge_list(name, have, items)
  local key = key_for(name, items)
  if not is_list(have) then have = json.array() end
  if SETS[name] then
    for _, item in ipairs(items) do
      local known = false
      for _, other in ipairs(have) do known = known or other == item end
      if not known then have[#have + 1] = item end
    end
    return have
  end
  if not key then return merge.copy(items) end
  return replaces(items) or merge_elements(have, items, key)
end

local directives = {}

function directives.setElementOrder(out, name, order)
  if is_list(out[name]) and is_list(order) then out[name] = ordered(out[name], order, key_for(name, order)) end
end

function directives.deleteFromPrimitiveList(out, name, gone)
  if not is_list(out[name]) or not is_list(gone) then return end
  for _, value in ipairs(gone) do
    for index = #out[name], 1, -1 do
      if out[name][index] == value then table.remove(out[name], index) end
    end
  end
end

local function retain(out, keys)
  local kept = {}
  for _, key in ipairs(is_list(keys) and keys or {}) do kept[key] = true end
  for key in pairs(merge.copy(out)) do
    if not kept[key] then out[key] = nil end
  end
end

--- `value` (which is changed) after `patch`.
function strategic.merged(value, patch)
  if not is_map(patch) then return merge.copy(patch) end
  local out = is_map(value) and patch["$patch"] ~= "replace" and patch["$patch"] ~= "delete" and value or {}
  if patch["$patch"] == "delete" then return out end
  if patch["$retainKeys"] then retain(out, patch["$retainKeys"]) end
  for key, item in pairs(patch) do
    if item == json.null then
      out[key] = nil
    elseif is_list(item) and key:sub(1, 1) ~= "$" then
      out[key] = merge_list(key, out[key], item)
    elseif key:sub(1, 1) ~= "$" then
      out[key] = strategic.merged(out[key], item)
    end
  end
  for key, item in pairs(patch) do
    local directive, name = key:match("^%$(%a+)/(.+)$")
    if directive and directives[directive] then directives[directive](out, name, item) end
  end
  return out
end

return strategic
