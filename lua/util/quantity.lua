--- Numbers as Kubernetes writes them: `100m`, `1.5`, `2Ki`, `3e6`.

local quantity = {}

local LONGEST = 64 -- bytes

local SUFFIXES = {
  [""] = 1, n = 1e-9, u = 1e-6, m = 1e-3, k = 1e3, M = 1e6, G = 1e9, T = 1e12, P = 1e15, E = 1e18,
  Ki = 2.0 ^ 10, Mi = 2.0 ^ 20, Gi = 2.0 ^ 30, Ti = 2.0 ^ 40, Pi = 2.0 ^ 50, Ei = 2.0 ^ 60,
}

--- The number as a float; nil for what is no quantity.
function quantity.parse(value)
  if type(value) == "number" then return value == value and value + 0.0 or nil end
  if type(value) ~= "string" or #value > LONGEST then return nil end
  local digits, exponent = value:match("^([+-]?[%d.]+)[eE]([+-]?%d+)$")
  if digits then value = digits else digits = value:match("^[+-]?[%d.]+") end
  local number = digits and tonumber((digits:gsub("^%+", "")))
  if not number then return nil end
  if exponent then number = tonumber(("%se%s"):format(digits:gsub("^%+", ""), exponent)) end
  local scale = SUFFIXES[value:sub(#digits + 1)]
  if not scale or number - number ~= 0 then return nil end
  return number * scale + 0.0
end

return quantity
