--- The `spec.rules` of a route of Gateway API that splits between primary and canary.

local affinity = require("routing.affinity")
local filters = require("routing.gateway_filters")
local json = require("json")
local kinds = require("routing.gateway_kinds")
local list = require("util.list")
local match = require("routing.gateway_match")
local object = require("util.object")
local shape = require("routing.shape")

local rules = {}

-- What is ours in a backend; everything else stays as found.
local BACKEND = list.set({ "group", "kind", "name", "namespace", "port", "weight", "filters" })

--- The backend of a rule by its Service's name, and its place.
function rules.backend(rule, name)
  local refs = type(rule.backendRefs) == "table" and rule.backendRefs or {}
  return list.find(refs, function(ref) return ref.name == name end)
end

local function last_rule(live, name, without)
  for index = #live, 1, -1 do
    if rules.backend(live[index], name) and not (without and rules.backend(live[index], without)) then
      return live[index], index
    end
  end
end

--- The rule whose weights count, and its place: affinity puts its own rules before it.
function rules.weighted(live, canary)
  return last_rule(live, canary.names.canary)
end

local function backend(canary, live, name, weight, cookie)
  local have = live and rules.backend(live, name)
  local want = { group = "", kind = "Service", name = name, port = canary.service.port, weight = weight }
  if cookie then want.filters = filters.with_cookie(json.array(), cookie) end
  return object.overlay(have, want, BACKEND)
end

local function split(canary, live, routes, cookies)
  local parts = shape.parts(routes)
  return json.array({
    backend(canary, live, canary.names.primary, parts.primary, cookies and cookies.primary),
    backend(canary, live, canary.names.canary, parts.canary, cookies and cookies.canary),
  })
end

local function rule(canary, live, matches, items, backends)
  local form = kinds.of(canary)
  local want = {
    matches = matches and #matches > 0 and object.copy(matches) or nil,
    filters = #items > 0 and object.copy(items) or nil,
    backendRefs = backends,
    timeouts = form.timeouts(canary),
  }
  return object.overlay(live, want, form.fields)
end

--- The service's filters, with the copy to the canary where asked for.
local function with_mirror(canary, items, routes)
  return routes.mirrored and list.join(items, { filters.to_canary(canary) }) or items
end

local function matched(canary, live, routes, parts)
  local ours, err = kinds.of(canary).analysis(canary)
  if not ours then return nil, err end
  local first = rules.weighted(live, canary)
  local second = last_rule(live, canary.names.primary, canary.names.canary)
  local rest = json.array({ backend(canary, second, canary.names.primary, 100) })
  return json.array({
    rule(canary, first, ours, with_mirror(canary, parts.filters, routes), split(canary, first, routes)),
    rule(canary, second, parts.matches, parts.filters, rest),
  })
end

local function sticky(canary, routes, extra, parts)
  local matches = match.with_cookie(parts.matches, extra.regex)
  if extra.forget then
    return rule(canary, nil, matches, filters.with_cookie(parts.filters, extra.forget), split(canary, nil, routes))
  end
  local all = extra.arm == "canary" and 100 or 0
  return rule(canary, nil, matches, parts.filters, split(canary, nil, { primary = 100 - all, canary = all }))
end

local function set_cookies(canary, weight)
  if weight == 0 then return nil end
  return { primary = affinity.set_cookie(canary, "primary"), canary = affinity.set_cookie(canary, "canary") }
end

local function weighted_rules(canary, live, routes, parts)
  local out, cookies = json.array(), nil
  if affinity.on(canary) then
    for index, extra in ipairs(affinity.rules(canary, routes.canary)) do
      out[index] = sticky(canary, routes, extra, parts)
    end
    cookies = set_cookies(canary, routes.canary)
  end
  local have = rules.weighted(live, canary)
  local items = with_mirror(canary, parts.filters, routes)
  out[#out + 1] = rule(canary, have, parts.matches, items, split(canary, have, routes, cookies))
  return out
end

--- The rules that send `routes`, keeping what the live ones have beside our fields; or nil and a message.
function rules.of(canary, live, routes)
  local form = kinds.of(canary)
  local matches, err = form.service(canary)
  if err then return nil, err end
  local parts = { matches = matches, filters = form.filters(canary) }
  if #canary.analysis.match > 0 then return matched(canary, live, routes, parts) end
  return weighted_rules(canary, live, routes, parts)
end

--- The canary gets copies beyond those that the service asks for.
function rules.is_mirrored(canary, rule_)
  local given = filters.count_to_canary(canary, filters.of(canary, false))
  return filters.count_to_canary(canary, rule_.filters) > given
end

return rules
