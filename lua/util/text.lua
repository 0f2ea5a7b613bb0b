--- Texts for queries, URLs and people.

local text = {}

local PLAIN_FROM, PLAIN_BELOW = -4, 6 -- Go prints other exponents as such

local function plain(scientific)
  local sign, mantissa, exponent = scientific:match("^(-?)([%d.]+)e([+-]%d+)$")
  exponent = tonumber(exponent)
  if exponent < PLAIN_FROM or exponent >= PLAIN_BELOW then return scientific end
  local whole, fraction = mantissa:match("^(%d+)%.?(%d*)$")
  if exponent < 0 then return sign .. "0." .. ("0"):rep(-exponent - 1) .. whole .. fraction end
  local digits = fraction .. ("0"):rep(exponent - #fraction)
  local rest = digits:sub(exponent + 1)
  return sign .. whole .. digits:sub(1, exponent) .. (rest ~= "" and "." .. rest or "")
end

--- The shortest decimal that reads back as `number`, as Go's %v prints it: `99`, `99.5`, `1e+06`.
--- An integer keeps all its digits.
function text.shortest(number)
  if number ~= number then return "NaN" end
  if number == math.huge then return "+Inf" end
  if number == -math.huge then return "-Inf" end
  if math.type(number) == "integer" then return ("%d"):format(number) end
  local out
  for digits = 0, 16 do
    out = ("%." .. digits .. "e"):format(number)
    if tonumber(out) == number then break end
  end
  return plain(out)
end

--- `number` with two decimals, as Go's %.2f prints it.
function text.fixed2(number)
  if number ~= number or number == math.huge or number == -math.huge then return text.shortest(number) end
  return ("%.2f"):format(number)
end

--- Every run of white space as one space.
function text.collapse(value)
  return (value:gsub("[\t\n\f\r ]+", " "))
end

--- `value` as a part of a URL: everything but letters, digits and `-._~` as %XX.
function text.percent(value)
  return (value:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- nil when `value` is a text of 1 to `most` bytes; else what was expected of it and what was found.
function text.problem(path, value, most)
  local size = type(value) == "string" and #value or nil
  if size and size > 0 and size <= most then return nil end
  return ("%s: expected a text of 1 to %d bytes, found %s"):format(path, most,
    size and ("one of %d"):format(size) or value == nil and "nothing" or "a " .. type(value))
end

--- At most `most` bytes of `value`, cut between characters.
function text.cut(value, most)
  if #value <= most then return value end
  local stop = most
  while stop > 0 and value:byte(stop + 1) & 0xC0 == 0x80 do stop = stop - 1 end
  return value:sub(1, stop) .. "..."
end

return text
