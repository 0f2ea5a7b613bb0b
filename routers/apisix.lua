--- APISIX: beside the user's ApisixRoute a second one, which takes precedence and splits what goes to the apex.
--
-- The second route follows the user's rule in everything but its priority and its backends.

local json = require("json")
local list = require("util.list")
local object = require("util.object")
local owned = require("routing.owned")
local shape = require("routing.shape")

local API, KIND = "apisix.apache.org/v2", "ApisixRoute"
local RULES = "spec.http"
local PRIORITY = 10000
local DEFAULT_WEIGHT = 100 -- what the controller takes an absent weight for
local START = { primary = 100, canary = 0 }
local APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

local apisix = {
  name = "apisix",
  aliases = {},
  weighted = true,
  mirrors = false,
  matches = false,
  affinity = false,
  resolution = 1,
  fine = true,
}

local function source_name(canary)
  local name = canary.route and canary.route.name
  return name ~= "" and name or nil
end

local function route_name(canary)
  return ("%s-%s-canary"):format(source_name(canary), canary.names.apex)
end

function apisix.reads(canary)
  if not source_name(canary) then return {} end
  local function read(name, optional)
    return { apiVersion = API, kind = KIND, name = name, namespace = canary.namespace, optional = optional }
  end
  return { source = read(source_name(canary)), route = read(route_name(canary), true) }
end

local function named(backends, name)
  return list.find(backends, function(backend) return backend.serviceName == name end)
end

--- The first rule with a backend for one of `names`, its backends and its path; nothing when there is none; or nil, nil
--- and a message.
local function rule_of(body, names)
  local rules, err = shape.list(body, RULES, true)
  if not rules then return nil, nil, err end
  for index, rule in ipairs(rules) do
    local path = ("%s[%d].backends"):format(RULES, index - 1)
    local backends
    backends, err = shape.items(body, path, rule.backends, true)
    if not backends then return nil, nil, err end
    for _, name in ipairs(names) do
      if named(backends, name) then return rule, backends, path end
    end
  end
end

--- The user's rule for the apex and its backend, or nil and a message.
local function source_of(canary, source)
  local rule, backends, path = rule_of(source, { canary.names.apex })
  if not rule then
    -- COMPAT: the words
    return nil, path or ("Can not find %s backend on apisix route %s.%s"):format(canary.names.apex,
      source_name(canary), canary.namespace)
  end
  if #backends == 1 then return rule, backends[1] end
  return nil, shape.odd(source, path, ("expected one backend, found %d"):format(#backends))
end

local function weight_of(live, backends, path, name)
  local backend, index = named(backends, name)
  if not backend then return 0 end
  return shape.weight(live, ("%s[%d].weight"):format(path, index - 1), backend.weight, DEFAULT_WEIGHT)
end

local function read(canary, live)
  local rule, backends, path = rule_of(live, { canary.names.primary, canary.names.canary })
  if not rule and path then return nil, path end
  local primary, weight, err = 0, 0
  if rule then
    primary, err = weight_of(live, backends, path, canary.names.primary)
    if not primary then return nil, err end
    weight, err = weight_of(live, backends, path, canary.names.canary)
    if not weight then return nil, err end
  end
  return shape.shares(canary, live, primary, weight, true)
end

--- The rule that splits. Its priority is above that of the user's.
local function split(canary, rule, backend, routes)
  local function entry(name, weight) return object.merged(backend, { serviceName = name, weight = weight }) end
  local out = object.copy(rule)
  local given = type(rule.priority) == "number" and math.tointeger(rule.priority) or 0
  out.priority = math.max(PRIORITY, given + 1)
  local parts = shape.parts(routes)
  out.backends = json.array({
    entry(canary.names.primary, parts.primary), entry(canary.names.canary, parts.canary),
  })
  return out
end

--- The whole spec, or nil and a message. Rules that do not lead to the apex stay the user's.
local function spec(canary, source, routes)
  local rule, backend = source_of(canary, source)
  if not rule then return nil, backend end
  local out = object.copy(source.spec)
  out.stream = nil
  out.http = json.array({ split(canary, rule, backend, routes) })
  return out
end

local function metadata(source)
  local annotations = object.copy(source.metadata.annotations or {})
  annotations[APPLIED] = nil
  return { labels = object.copy(source.metadata.labels), annotations = object.some(annotations) }
end

local function repair(canary, seen, routes, wanted)
  local want, err = spec(canary, seen.source, routes)
  if not want then return nil, err end
  return owned.repair("route", canary, seen.route, want, wanted)
end

--- What is missing of "source" and "route", in words, or nil.
local function missing(canary, seen, key)
  if not source_name(canary) then return "apisix route selector is empty" end
  if seen[key] then return nil end
  local name = key == "source" and source_name(canary) or route_name(canary)
  return ("%s %s.%s not found"):format(KIND, name, canary.namespace)
end

--- Makes the second route exist and follow the user's; weights already live are kept.
function apisix.prepare(canary, seen)
  local problem = missing(canary, seen, "source")
  if problem then return nil, problem end
  if not seen.route then
    local want, err = spec(canary, seen.source, START)
    if not want then return nil, err end
    return { owned.create("route", API, KIND, route_name(canary), want, metadata(seen.source)) }
  end
  local routes, err, code = read(canary, seen.route)
  if not routes and code ~= "NOT_FOUND" then return nil, err end
  return repair(canary, seen, routes or START, metadata(seen.source))
end

--- The live split, or nil and a message.
function apisix.routes(canary, seen)
  local problem = missing(canary, seen, "route")
  if problem then return nil, problem end
  local routes, err = read(canary, seen.route)
  if not routes then return nil, err end
  return routes
end

function apisix.shift(canary, seen, routes)
  local problem = missing(canary, seen, "route") or missing(canary, seen, "source")
  if problem then return nil, problem end
  return repair(canary, seen, routes)
end

function apisix.restore(canary, seen)
  return owned.restore("route", canary, seen.route)
end

return apisix
