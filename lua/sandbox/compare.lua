--- How a route compares one value of a request.

local regex = require("sandbox.regex")

--- @param kind string   exact, prefix, suffix, contains or regex
--- @param value string?  of the request
return function(kind, wanted, value)
  if value == nil then return false end
  if kind == "prefix" then return value:sub(1, #wanted) == wanted end
  if kind == "suffix" then return wanted == "" or value:sub(-#wanted) == wanted end
  if kind == "contains" then return value:find(wanted, 1, true) ~= nil end
  if kind == "regex" then return regex.matches(wanted, value) end
  return value == wanted
end
