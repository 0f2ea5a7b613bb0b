--- HAProxy Technologies' Kubernetes Ingress Controller: the annotation `route-acl` of the canary's Service says which
-- requests it gets, a second Ingress `<ingress>-canary` leads there. Its documentation releases canaries so:
--   github.com/haproxytech/kubernetes-ingress: documentation/canary-deployment.md, pkg/route/route.go (AddCustomRoute)
--
-- The other controller, jcmoraisjr/haproxy-ingress, is not served: its blue-green weights want one Service over the
-- pods of both arms, but the apex selects the primary's alone, and HAProxy counts by Service.

local headers = require("routing.headers")
local ingress = require("routing.ingress")
local json = require("json")
local object = require("util.object")
local owned = require("routing.owned")
local paths = require("routing.haproxy_paths")
local shape = require("routing.shape")

local OWN = "haproxy.org/"
local ACL = OWN .. "route-acl"
local START = { primary = 100, canary = 0 }

local haproxy = {
  name = "haproxy",
  aliases = {},
  weighted = true,
  mirrors = false,
  matches = true,
  affinity = false,
  resolution = 1,
  fine = true,
  match_resolution = 100, -- one condition: either a share or a header
  annotates = { ACL },
}

--- { main = the user's Ingress, route = the second one, service = the canary's Service }
function haproxy.reads(canary)
  local out = ingress.reads(canary)
  out.service = { apiVersion = "v1", kind = "Service", name = canary.names.canary, namespace = canary.namespace,
    optional = true }
  return out
end

local function is_matched(canary) return #canary.analysis.match > 0 end

local function absent(canary)
  if not canary.ingress then return ingress.NO_REFERENCE end
  return ("Service %s.%s not found"):format(canary.names.canary, canary.namespace)
end

local METHODS = { exact = "str", prefix = "beg", suffix = "end", regex = "reg" }
local ONE = "spec.analysis.match: expected one entry with one header, all that HAProxy's controller can compare, " ..
  "found %s"
local WORD = "spec.analysis.match[0].headers.%s: expected %s without blanks, quotes, backslashes, # and braces, " ..
  "which mean something in HAProxy's configuration, found %s"

--- The condition of those who match, or nil and a message. Nothing in it can end the word that it is.
local function condition(canary)
  local all, err = headers.of(canary, { "exact", "prefix", "suffix", "regex" })
  if not all then return nil, err end
  if #all > 1 then return nil, ONE:format(#all .. " entries") end
  if #all[1] > 1 then return nil, ONE:format(all[1][1].name .. " and " .. all[1][2].name) end
  local one = all[1][1]
  if not one.name:find("^[%w_-]+$") then return nil, WORD:format(one.name, "a name", one.name) end
  if one.value:find("[^\33-\126]") or one.value:find("[\"'\\#{}]") then
    return nil, WORD:format(one.name, "a text", one.value)
  end
  return ("req.fhdr(%s) -m %s -- %s"):format(one.name, METHODS[one.kind], one.value)
end

local function share(routes)
  local parts = shape.parts(routes)
  return ("rand(%d) lt %d"):format(parts.primary + parts.canary, parts.canary)
end

--- The condition that sends `routes`, or nil and a message. Of those who match all go to one arm: less than all of them
--- is none.
local function wanted(canary, routes)
  if not is_matched(canary) then return share(routes) end
  local text, err = condition(canary)
  if not text then return nil, err end
  return routes.canary == 100 and text or share(START)
end

local function read(canary, service)
  local text = object.at(service, "metadata", "annotations", ACL)
  local path = ("metadata.annotations[%s]"):format(ACL)
  if text == nil then return nil, shape.odd(service, path, "is missing"), "NOT_FOUND" end
  local total, weight = text:match("^rand%((%d+)%) lt (%d+)$")
  total, weight = math.tointeger(tonumber(total)), math.tointeger(tonumber(weight))
  if total and weight and weight <= total then
    return shape.shares(canary, service, total - weight, weight, true)
  end
  if is_matched(canary) then return { primary = 0, canary = 100, mirrored = false } end
  return nil, shape.odd(service, path, "is not a share: " .. text), "NOT_FOUND"
end

--- What this canary asks for that no Ingress can do, or nil.
local function impossible(canary)
  if not canary.ingress then return ingress.NO_REFERENCE end
  if is_matched(canary) and canary.strategy == "canary" then
    return "spec.analysis.iterations: expected 1 or more beside spec.analysis.match, since HAProxy's controller " ..
      "cannot weigh requests that match, found 0"
  end
end

local function annotated(canary, service, text)
  return owned.repair("service", canary, service, {}, { annotations = { [ACL] = text } })
end

--- The condition first: a second Ingress without it would take the path from the user's.
function haproxy.prepare(canary, seen)
  local err = impossible(canary)
  if err then return nil, err end
  if not seen.service then return nil, absent(canary) end
  local spec, text
  spec, err = paths.spec(canary, seen.main)
  if not spec then return nil, err end
  text, err = wanted(canary, read(canary, seen.service) or START)
  if not text then return nil, err end
  local out, live = annotated(canary, seen.service, text), seen.route
  local metadata = ingress.metadata(canary, seen.main, live, {}, OWN)
  if not live then
    out[#out + 1] = owned.create("route", ingress.api, ingress.kind, ingress.name(canary), spec, metadata)
    return out
  end
  out[#out + 1] = owned.repair("route", canary, live, object.goal(live.spec or {}, spec), metadata)[1]
  return out
end

--- The live split, or nil and a message.
function haproxy.routes(canary, seen)
  if not seen.service then return nil, absent(canary) end
  local routes, err = read(canary, seen.service)
  if not routes then return nil, err end
  return routes
end

function haproxy.shift(canary, seen, routes)
  if not seen.service then return nil, absent(canary) end
  local text, err = wanted(canary, routes)
  if not text then return nil, err end
  return annotated(canary, seen.service, text)
end

--- The second Ingress goes before the condition does, for the reason that `prepare` has.
function haproxy.restore(canary, seen)
  local out, route, service = {}, seen.route, seen.service
  if route and owned.is_ours(canary, route) then
    out[1] = { key = "route", delete = true }
  elseif route then
    out = owned.restore("route", canary, route)
  end
  if not service then return out end
  if not owned.is_ours(canary, service) then
    out[#out + 1] = owned.restore("service", canary, service)[1]
  elseif object.at(service, "metadata", "annotations", ACL) then
    local left = object.merged(service.metadata.annotations, { [ACL] = json.null })
    local annotations = next(left) and { [ACL] = json.null } or json.null
    out[#out + 1] = object.patches("service", service, { metadata = { annotations = annotations } })[1]
  end
  return out
end

return haproxy
