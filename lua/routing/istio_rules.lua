--- The `spec.http` and `spec.tcp` of a VirtualService that splits between primary and canary.

local affinity = require("routing.affinity")
local json = require("json")
local list = require("util.list")
local object = require("util.object")
local shape = require("routing.shape")

local rules = {}

-- What is ours in a rule, a destination entry, a destination; everything else stays as found.
local RULE = list.set({ "match", "rewrite", "timeout", "retries", "corsPolicy", "headers", "route", "mirror",
  "mirrorPercentage" })
local TCP_RULE = list.set({ "match", "route" })
local ENTRY = list.set({ "destination", "weight", "headers" })
local DESTINATION = list.set({ "host", "port" })

function rules.is_tcp(canary)
  return (canary.service.app_protocol or ""):lower() == "tcp"
end

--- The entry of a rule that goes to `host`, and its place.
function rules.entry(rule, host)
  return list.find(type(rule.route) == "table" and rule.route or {}, function(entry)
    return object.at(entry, "destination", "host") == host
  end)
end

--- The last rule with an entry for `host` and none for `without`.
local function last_rule(live, host, without)
  for index = #live, 1, -1 do
    local rule = live[index]
    if rules.entry(rule, host) and not (without and rules.entry(rule, without)) then return rule, index end
  end
end

--- The rule whose weights count, and its place: affinity puts its own rules before it.
function rules.weighted(live, canary)
  return last_rule(live, canary.names.canary)
end

local function port(canary)
  local first = canary.service.gateways[1]
  if not canary.service.port_discovery then return nil end
  if canary.service.delegation or (first and first ~= "mesh") then return { number = canary.service.port } end
end

local function entry(canary, live, host, weight, headers)
  local have = live and rules.entry(live, host) or {}
  local want = { destination = { host = host, port = port(canary) }, weight = weight, headers = headers }
  want.destination = object.overlay(have.destination, want.destination, DESTINATION)
  return object.overlay(have, want, ENTRY)
end

local function split(canary, live, routes, headers)
  local parts = shape.parts(routes)
  return json.array({
    entry(canary, live, canary.names.primary, parts.primary, headers and headers.primary),
    entry(canary, live, canary.names.canary, parts.canary, headers and headers.canary),
  })
end

local function rewrite(canary)
  local given = canary.service.rewrite
  return given and object.some({ uri = given.uri, authority = given.authority })
end

--- A rule with the service's settings.
local function rule(canary, live, match, route)
  local service = canary.service
  local want = {
    match = #match > 0 and object.copy(match) or nil,
    rewrite = rewrite(canary),
    timeout = service.timeout ~= "" and service.timeout or nil,
    retries = object.copy(service.retries),
    corsPolicy = object.copy(service.cors_policy),
    headers = object.copy(service.headers),
    route = route,
  }
  return object.overlay(live, want, RULE)
end

local function mirrored(canary, want, routes)
  if not routes.mirrored then return want end
  local percent = canary.analysis.mirror_weight
  want.mirror = { host = canary.names.canary }
  if percent > 0 then want.mirrorPercentage = { value = percent } end
  return want
end

--- Every analysis match with every service match. COMPAT: a field of the former replaces that of the latter.
local function product(ours, services)
  if #services == 0 then return object.copy(ours) end
  local out = json.array()
  for _, match in ipairs(ours) do
    for _, service in ipairs(services) do
      local merged = object.copy(service)
      for key, value in pairs(match) do merged[key] = object.copy(value) end
      out[#out + 1] = merged
    end
  end
  return out
end

--- The service's matches, narrowed to requests whose cookies fit.
local function with_cookie(services, regex)
  local cookie = { Cookie = { regex = regex } }
  if #services == 0 then return json.array({ { headers = cookie } }) end
  return list.map(services, function(service)
    return object.merged(service, { headers = cookie })
  end)
end

local function matched(canary, live, routes)
  local service = canary.service.match
  local first = rules.weighted(live, canary)
  local second = last_rule(live, canary.names.primary, canary.names.canary)
  local ours = rule(canary, first, product(canary.analysis.match, service), split(canary, first, routes))
  local rest = json.array({ entry(canary, second, canary.names.primary, shape.parts(routes).primary) })
  return json.array({ mirrored(canary, ours, routes), rule(canary, second, service, rest) })
end

local function sticky(canary, routes, extra)
  local match = with_cookie(canary.service.match, extra.regex)
  if extra.forget then
    local out = rule(canary, nil, match, split(canary, nil, routes))
    out.headers = object.merged(out.headers or {}, { response = { add = { ["Set-Cookie"] = extra.forget } } })
    return out
  end
  local all = extra.arm == "canary" and 100 or 0
  return rule(canary, nil, match, split(canary, nil, { primary = 100 - all, canary = all }))
end

local function set_cookies(canary, weight)
  local out = {}
  if weight == 0 then return out end
  for _, arm in ipairs({ "primary", "canary" }) do
    local text = affinity.set_cookie(canary, arm)
    if text then out[arm] = { response = { add = { ["Set-Cookie"] = text } } } end
  end
  return out
end

local function weighted_rules(canary, live, routes)
  local out, headers = json.array(), nil
  if affinity.on(canary) then
    for index, extra in ipairs(affinity.rules(canary, routes.canary)) do out[index] = sticky(canary, routes, extra) end
    headers = set_cookies(canary, routes.canary)
  end
  local have = rules.weighted(live, canary)
  local last = rule(canary, have, canary.service.match, split(canary, have, routes, headers))
  out[#out + 1] = mirrored(canary, last, routes)
  return out
end

--- The rules that send `routes`, keeping what the live ones have beside our fields.
function rules.http(canary, live, routes)
  if #canary.analysis.match > 0 then return matched(canary, live, routes) end
  return weighted_rules(canary, live, routes)
end

function rules.tcp(canary, live, routes)
  local have = rules.weighted(live, canary)
  local match = list.map(canary.service.match, function(one) return { port = one.port } end)
  local want = { match = #match > 0 and match or nil, route = split(canary, have, routes) }
  return json.array({ object.overlay(have, want, TCP_RULE) })
end

return rules
