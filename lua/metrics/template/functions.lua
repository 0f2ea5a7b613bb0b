--- The functions every template may call. Each returns a value, or nil and a message.
--
-- `and` and `or` are not here: they evaluate their arguments one by one (metrics.template).

local printf = require("metrics.template.printf")
local text = require("util.text")
local values = require("metrics.template.values")

local kind_of = values.kind_of
local functions = { printf = printf }

--- Every argument printed; `between(a, b)` says whether a space goes between two of them.
local function printed(between, tail, ...)
  local add, done = values.collector()
  for index = 1, select("#", ...) do
    local value = (select(index, ...))
    if index > 1 and between((select(index - 1, ...)), value) then add(" ") end
    if not values.write(value, add, 1) then break end
  end
  add(tail)
  return done()
end

function functions.print(...)
  return printed(function(a, b) return type(a) ~= "string" and type(b) ~= "string" end, "", ...)
end

function functions.println(...) return printed(function() return true end, "\n", ...) end

functions["not"] = function(...)
  if select("#", ...) ~= 1 then return nil, "not: expected 1 argument" end
  return not values.truth((...))
end

function functions.len(value)
  local kind = kind_of(value)
  if kind == "string" or kind == "list" then return #value end
  if kind ~= "map" then return nil, ("len of a %s"):format(kind) end
  return #values.keys(value)
end

--- COMPAT: a map without the key gives an empty text; a list without the place is an error.
function functions.index(value, ...)
  for at = 1, select("#", ...) do
    local key, kind = (select(at, ...)), kind_of(value)
    if kind == "map" then
      if type(key) ~= "string" then return nil, "index: the key of a map is a text" end
      value = value[key]
      if value == nil then value = "" end
    elseif kind == "list" then
      if math.type(key) ~= "integer" then return nil, "index: the place in a list is an integer" end
      if key < 0 or key >= #value then return nil, ("index: %d is out of range"):format(key) end
      value = value[key + 1]
    else
      return nil, ("index of a %s"):format(kind)
    end
  end
  return value
end

function functions.slice(value, from, to)
  if type(value) ~= "string" then return nil, ("slice of a %s is not supported"):format(kind_of(value)) end
  from, to = from or 0, to or #value
  if math.type(from) ~= "integer" or math.type(to) ~= "integer" or from < 0 or to < from or to > #value then
    return nil, "slice: out of range"
  end
  return value:sub(from + 1, to)
end

function functions.urlquery(...)
  local value, message = functions.print(...)
  if not value then return nil, message end
  return (text.percent(value):gsub("%%20", "+"))
end

local HTML = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&#34;", ["'"] = "&#39;" }

function functions.html(...)
  local value, message = functions.print(...)
  if not value then return nil, message end
  return (value:gsub("[&<>\"']", HTML))
end

local function comparable(a, b)
  if type(a) == type(b) then return true end
  return nil, ("incompatible types for comparison: %s and %s"):format(kind_of(a), kind_of(b))
end

local function equal(a, b)
  if a == nil or b == nil then return a == b end
  local ok, message = comparable(a, b)
  if not ok then return nil, message end
  if type(a) == "table" then return nil, "lists and maps cannot be compared" end
  return a == b
end

--- True when the first argument equals any of the others.
function functions.eq(a, ...)
  if select("#", ...) == 0 then return nil, "eq: missing argument for comparison" end
  for index = 1, select("#", ...) do
    local same, message = equal(a, (select(index, ...)))
    if same == nil then return nil, message end
    if same then return true end
  end
  return false
end

function functions.ne(...)
  if select("#", ...) ~= 2 then return nil, "ne: expected 2 arguments" end
  local same, message = equal(...)
  if same == nil then return nil, message end
  return not same
end

local function ordering(name, decide)
  functions[name] = function(...)
    if select("#", ...) ~= 2 then return nil, name .. ": expected 2 arguments" end
    local a, b = ...
    local ok, message = comparable(a, b)
    if not ok then return nil, message end
    if type(a) ~= "number" and type(a) ~= "string" then return nil, ("%s of a %s"):format(name, kind_of(a)) end
    return decide(a, b)
  end
end

ordering("lt", function(a, b) return a < b end)
ordering("le", function(a, b) return a <= b end)
ordering("gt", function(a, b) return a > b end)
ordering("ge", function(a, b) return a >= b end)

return functions
