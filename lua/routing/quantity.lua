--- Weights that are written as Kubernetes quantities: `100`, `"100"`, `"900m"`, `0.5`.

local quantity = {}

local LONGEST = 32 -- characters; longer ones are no weights
local MOST = 10 ^ 12
local SUFFIXES = { [""] = 1000, m = 1, k = 10 ^ 6, M = 10 ^ 9 }

local function number_of(value)
  if type(value) == "number" then return value, 1000 end
  if type(value) ~= "string" or #value > LONGEST then return nil end
  local digits, suffix = value:match("^%+?([%d.]+)([mkM]?)$")
  return digits and tonumber(digits), SUFFIXES[suffix]
end

--- Thousandths as an integer of 0 or more, rounded up as quantities are; nil for what is no weight.
function quantity.milli(value)
  local number, scale = number_of(value)
  if not number or number ~= number or number < 0 or number * scale > MOST then return nil end
  return math.ceil(number * scale)
end

return quantity
