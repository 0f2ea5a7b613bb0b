--- Values as templates see them: their kinds, their truth and how they are printed.

local json = require("json")
local text = require("util.text")

local values = {}

local MAX_TEXT = 65536 -- bytes of any value

--- Collects pieces of text up to MAX_TEXT bytes.
function values.collector()
  local pieces, size = {}, 0
  local function add(piece)
    size = size + #piece
    if size > MAX_TEXT then return false end
    pieces[#pieces + 1] = piece
    return true
  end
  local function done()
    if size > MAX_TEXT then return nil, ("a text of more than %d bytes"):format(MAX_TEXT) end
    return table.concat(pieces)
  end
  return add, done
end

local function is_list(value)
  return type(value) == "table" and (json.is_array(value) or #value > 0)
end

--- nil, boolean, integer, float, string, list or map.
function values.kind_of(value)
  if value == nil or value == json.null then return "nil" end
  if is_list(value) then return "list" end
  return type(value) == "table" and "map" or math.type(value) or type(value)
end

--- The keys of a map in order; their texts decide.
function values.keys(map)
  local out = {}
  for key in pairs(map) do out[#out + 1] = key end
  table.sort(out, function(a, b) return tostring(a) < tostring(b) end)
  return out
end

--- Prints `value` through `add`; false when it became too long.
function values.write(value, add, depth)
  local kind = values.kind_of(value)
  if kind == "nil" then return add(depth == 0 and "<no value>" or "<nil>") end
  if kind == "string" then return add(value) end
  if kind == "boolean" then return add(tostring(value)) end
  if kind == "integer" or kind == "float" then return add(text.shortest(value)) end
  if depth > 16 then return add("...") end
  if kind == "list" then
    add("[")
    for index, item in ipairs(value) do
      if not (add(index > 1 and " " or "") and values.write(item, add, depth + 1)) then return false end
    end
    return add("]")
  end
  add("map[")
  for index, key in ipairs(values.keys(value)) do
    local head = (index > 1 and " " or "") .. tostring(key) .. ":"
    if not (add(head) and values.write(value[key], add, depth + 1)) then return false end
  end
  return add("]")
end

--- What `{{ value }}` prints; nil and a message when it is too long.
function values.show(value)
  local add, done = values.collector()
  values.write(value, add, 0)
  return done()
end

--- Go's idea of true: not false, 0, nil or empty.
function values.truth(value)
  local kind = values.kind_of(value)
  if kind == "nil" or value == false or value == 0 or value == "" then return false end
  if kind == "list" or kind == "map" then return next(value) ~= nil end
  return true
end

return values
