--- Lists, all of them tagged so that an empty one is written `[]`.

local json = require("json")

local list = {}

--- The results of `f(item, index)`.
function list.map(items, f)
  local out = json.array()
  for index, item in ipairs(items) do out[index] = f(item, index) end
  return out
end

--- The items for which `f` is true.
function list.filter(items, f)
  local out = json.array()
  for _, item in ipairs(items) do
    if f(item) then out[#out + 1] = item end
  end
  return out
end

--- The first item for which `f` is true, and its place.
function list.find(items, f)
  for index, item in ipairs(items) do
    if f(item) then return item, index end
  end
end

function list.contains(items, wanted)
  for _, item in ipairs(items) do
    if item == wanted then return true end
  end
  return false
end

--- All items of several lists in order.
function list.join(...)
  local out = json.array()
  for index = 1, select("#", ...) do
    for _, item in ipairs((select(index, ...))) do out[#out + 1] = item end
  end
  return out
end

--- The keys of a map in ascending order.
function list.keys(map)
  local out = json.array()
  for key in pairs(map) do out[#out + 1] = key end
  table.sort(out)
  return out
end

--- { [item] = true }
function list.set(items)
  local out = {}
  for _, item in ipairs(items) do out[item] = true end
  return out
end

return list
