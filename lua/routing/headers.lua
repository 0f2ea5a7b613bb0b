--- The header conditions of an analysis, for routers that know headers only.

local json = require("json")
local list = require("util.list")
local object = require("util.object")

local headers = {}

local FIELD = "spec.analysis.match[%d].headers%s: expected %s, found %s"

local function given_kinds(matcher)
  local kinds = type(matcher) == "table" and list.keys(matcher) or {}
  return #kinds > 0 and table.concat(kinds, ", ") or "none"
end

local function condition(name, matcher, kinds)
  for _, kind in ipairs(kinds) do
    local value = object.at(matcher, kind)
    if type(value) == "string" and value ~= "" then return { name = name, kind = kind, value = value } end
  end
end

--- For each entry of the match, which are alternatives, its conditions { name, kind, value }, sorted by name; all of
--- them have to hold. nil and a message when an entry has none, or one that is of no known kind.
--- @param kinds table  what the router can compare by, the first that is given wins: { "exact", "regex" }
function headers.of(canary, kinds)
  local out = json.array()
  for index, match in ipairs(canary.analysis.match) do
    local given = object.at(match, "headers")
    local names = type(given) == "table" and not object.is_list(given) and list.keys(given) or {}
    if #names == 0 then return nil, FIELD:format(index - 1, "", "a header", "none") end
    out[index] = json.array()
    for at, name in ipairs(names) do
      out[index][at] = condition(name, given[name], kinds)
      if not out[index][at] then
        return nil, FIELD:format(index - 1, "." .. name, table.concat(kinds, " or "), given_kinds(given[name]))
      end
    end
  end
  return out
end

return headers
