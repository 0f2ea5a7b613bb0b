--- The conditions of an HTTPRoute, made from those of a Canary. Headers and parameters come out sorted.

local json = require("json")
local list = require("util.list")
local object = require("util.object")

local match = {}

local PATHS = { { "regex", "RegularExpression" }, { "exact", "Exact" }, { "prefix", "PathPrefix" } }
local VALUES = { { "exact", "Exact" }, { "regex", "RegularExpression" } }

--- What the API server fills in where a match names no path.
local function any_path() return { type = "PathPrefix", value = "/" } end

local function typed(given, kinds)
  for _, kind in ipairs(kinds) do
    local value = given[kind[1]]
    if value ~= nil then return { type = kind[2], value = value } end
  end
end

--- Headers or parameters as a sorted list of conditions, or nil and a message.
--- @param what string  "header" or "query"
function match.conditions(given, what)
  local out = json.array()
  for _, name in ipairs(list.keys(given)) do
    local one = typed(given[name], VALUES)
    if not one then
      return nil, ("Gateway API doesn't support the specified %s matching selector: %s"):format(what, name)
    end
    one.name = name
    out[#out + 1] = one
  end
  return out
end

--- The mapped match, perhaps empty, or nil and a message.
local function mapped(given)
  local out, err = {}
  if given.uri then
    out.path = typed(given.uri, PATHS)
    if not out.path then return nil, "Gateway API doesn't support the specified path matching selector" end
  end
  if given.method then
    out.method = given.method.exact
    if not out.method then return nil, "Gateway API doesn't support the specified method matching selector" end
  end
  if given.headers then
    out.headers, err = match.conditions(given.headers, "header")
    if not out.headers then return nil, err end
  end
  if given.queryParams then
    out.queryParams, err = match.conditions(given.queryParams, "query")
    if not out.queryParams then return nil, err end
  end
  return out
end

local function all_mapped(matches)
  local out = json.array()
  for _, given in ipairs(matches) do
    local one, err = mapped(given)
    if not one then return nil, err end
    if next(one) then out[#out + 1] = one end
  end
  return out
end

local function with_paths(matches)
  if #matches == 0 then return json.array({ { path = any_path() } }) end
  for _, one in ipairs(matches) do one.path = one.path or any_path() end
  return matches
end

--- The service's own matches, or nil and a message.
function match.service(canary)
  local out, err = all_mapped(canary.service.match)
  if not out then return nil, err end
  return with_paths(out)
end

local EMPTY = "spec.analysis.match has an entry without headers and queryParams, which would match all requests"

--- Every match of `ours` within every one of `services`, or nil and a message.
--- COMPAT: the fields of the former replace those of the latter.
function match.within(canary, ours, services)
  if #ours < #canary.analysis.match then return nil, EMPTY end
  local out = json.array()
  for _, one in ipairs(ours) do
    for _, service in ipairs(#services > 0 and services or { {} }) do
      local both = object.copy(service)
      for key, value in pairs(one) do both[key] = object.copy(value) end
      out[#out + 1] = both
    end
  end
  return out
end

--- The analysis' matches within the service's, or nil and a message.
function match.analysis(canary)
  local ours, err = all_mapped(canary.analysis.match)
  if not ours then return nil, err end
  return match.within(canary, ours, assert(match.service(canary)))
end

--- `matches`, narrowed to requests whose cookies fit.
function match.with_cookie(matches, regex)
  return list.map(matches, function(one)
    local out = object.copy(one)
    out.headers = list.join(out.headers or {}, { { name = "Cookie", type = "RegularExpression", value = regex } })
    table.sort(out.headers, function(a, b) return a.name < b.name end)
    return out
  end)
end

return match
