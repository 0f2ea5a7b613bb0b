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

return finite
