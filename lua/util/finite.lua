--- Values with infinities and NaN, which JSON has no words for, as values without, and back.

local json = require("json")

local finite = {}

local MARK = "$number"
local NUMBERS = { inf = math.huge, ["-inf"] = -math.huge, nan = 0 / 0 }

local function word_of(value)
  if value ~= value then return "nan" end
  if value == math.huge then return "inf" end
  if value == -math.huge then return "-inf" end
end

local function mapped(value, each)
  local done, out = each(value)
  if done then return out end
  if type(value) ~= "table" then return value end
  out = (json.is_array(value) or #value > 0) and json.array() or {}
  for key, item in pairs(value) do out[key] = mapped(item, each) end
  return out
end

--- A copy in which such numbers are { ["$number"] = "inf" }.
function finite.pack(value)
  return mapped(value, function(item)
    local word = type(item) == "number" and word_of(item)
    if word then return true, { [MARK] = word } end
  end)
end

--- The copy that `pack` was made of.
function finite.unpack(value)
  return mapped(value, function(item)
    local word = type(item) == "table" and item[MARK]
    if word and NUMBERS[word] then return true, NUMBERS[word] end
  end)
end

local LARGEST = 1.7976931348623157e308

local function is_list(value)
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  return json.is_array(value) and count == #value or count > 0 and count == #value
end

--- A copy that JSON can hold as it is: infinities become the largest numbers, NaN becomes null, the keys of what is no
--- list become texts.
function finite.bounded(value)
  if type(value) == "number" then
    if value ~= value then return json.null end
    if value == math.huge or value == -math.huge then return value > 0 and LARGEST or -LARGEST end
    return value
  end
  if type(value) ~= "table" then return value end
  local list = is_list(value)
  local out = (list or json.is_array(value) and next(value) == nil) and json.array() or {}
  for key, item in pairs(value) do out[list and key or tostring(key)] = finite.bounded(item) end
  return out
end

return finite
