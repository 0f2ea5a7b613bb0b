--- What the functions of lua/stats accept. Each check gives nil when the value will do, else a message that names
--- it, says what was expected and what was found.

local check = {}

local LARGEST = 2.0 ^ 53 -- up to here every whole number is itself

local function shown(value)
  if type(value) == "string" then return ("%q"):format(value:sub(1, 32)) end
  if type(value) == "number" then return ("%.17g"):format(value) end
  return type(value) == "table" and "a table" or tostring(value)
end

local function expected(name, what, value)
  return ("%s: expected %s, found %s"):format(name, what, shown(value))
end

--- True for a number that is neither NaN nor infinite.
function check.is_finite(value)
  return type(value) == "number" and value == value and value ~= math.huge and value ~= -math.huge
end

function check.finite(name, value)
  if not check.is_finite(value) then return expected(name, "a finite number", value) end
end

--- A finite number from 0 on.
function check.amount(name, value)
  if not check.is_finite(value) or value < 0 then return expected(name, "a number >= 0", value) end
end

--- A finite number above 0.
function check.positive(name, value)
  if not check.is_finite(value) or value <= 0 then return expected(name, "a number > 0", value) end
end

--- A whole number from 0 to 2^53.
function check.count(name, value)
  if not check.is_finite(value) or value < 0 or value > LARGEST or value % 1 ~= 0 then
    return expected(name, "a whole number >= 0", value)
  end
end

--- Strictly between 0 and 1.
function check.open(name, value)
  if not check.is_finite(value) or value <= 0 or value >= 1 then
    return expected(name, "a number between 0 and 1", value)
  end
end

--- `x` of `n`: two counts, the first at most the second.
function check.part(x_name, x, n_name, n)
  local bad = check.count(x_name, x) or check.count(n_name, n)
  if bad then return bad end
  if x > n then return ("%s: expected at most %s (%d), found %d"):format(x_name, n_name, n, x) end
end

--- Absent, or a table.
function check.options(value)
  if value ~= nil and type(value) ~= "table" then return expected("options", "a table", value) end
end

--- A result, or nil and a message when the arguments were too far apart for floating point.
function check.result(name, value)
  if check.is_finite(value) then return value end
  return nil, name .. ": expected numbers of comparable size, found a result that is none"
end

--- A list of 1 to `most` finite numbers.
function check.values(name, value, most)
  if type(value) ~= "table" or #value == 0 then return expected(name, "a list of numbers", value) end
  if #value > most then return ("%s: expected at most %d values, found %d"):format(name, most, #value) end
  for index = 1, #value do
    local bad = check.finite(("%s[%d]"):format(name, index), value[index])
    if bad then return bad end
  end
end

--- A list of 1 to `most` tables.
function check.tables(name, value, most)
  if type(value) ~= "table" or #value == 0 then return expected(name, "a list of tables", value) end
  if #value > most then return ("%s: expected at most %d entries, found %d"):format(name, most, #value) end
  for index = 1, #value do
    if type(value[index]) ~= "table" then return expected(("%s[%d]"):format(name, index), "a table", value[index]) end
  end
end

return check
