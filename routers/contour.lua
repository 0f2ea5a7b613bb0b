--- Contour: an HTTPProxy named after the apex, which the user's root HTTPProxy includes.

local acceptance = require("routing.acceptance")
local object = require("util.object")
local owned = require("routing.owned")
local rules = require("routing.contour_rules")
local shape = require("routing.shape")

local API, KIND = "projectcontour.io/v1", "HTTPProxy"
local START = { primary = 100, canary = 0 }

local contour = {
  name = "contour",
  aliases = {},
  weighted = true,
  mirrors = false,
  matches = true,
  affinity = false,
  resolution = 1,
  fine = true,
}

function contour.reads(canary)
  return { route = {
    apiVersion = API, kind = KIND, name = canary.names.apex, namespace = canary.namespace, optional = true,
  } }
end

local function live_routes(live)
  return shape.list(live, "spec.routes", true)
end

--- All that is ours in the spec, or nil and a message.
local function spec(canary, live, routes)
  local made, err = rules.of(canary, live, routes)
  if not made then return nil, err end
  local class = canary.settings.ingress_class
  return { ingressClassName = class ~= "" and class or nil, routes = made }
end

local function read(canary, live)
  local all, err = live_routes(live)
  if not all then return nil, err end
  local route, index = rules.weighted(all, canary)
  local weights = {}
  for _, arm in ipairs({ "primary", "canary" }) do
    local service, place
    if route then service, place = rules.service(route, canary.names[arm]) end
    local path = ("spec.routes[%d].services[%d].weight"):format((index or 1) - 1, (place or 1) - 1)
    weights[arm], err = shape.weight(live, path, service and service.weight, 0)
    if not weights[arm] then return nil, err end
  end
  return shape.shares(canary, live, weights.primary, weights.canary, true)
end

local function update(canary, live, metadata)
  local all, problem = live_routes(live)
  if not all then return nil, problem end
  local routes, err, code = read(canary, live)
  if not routes and code ~= "NOT_FOUND" then return nil, err end
  local want
  want, err = spec(canary, all, routes or START)
  if not want then return nil, err end
  return owned.repair("route", canary, live, want, metadata)
end

--- Makes the HTTPProxy exist; weights already live are kept.
function contour.prepare(canary, seen)
  local metadata = owned.metadata(canary)
  if seen.route then return update(canary, seen.route, metadata) end
  local want, err = spec(canary, {}, START)
  if not want then return nil, err end
  return { owned.create("route", API, KIND, canary.names.apex, want, metadata) }
end

--- The live split, or nil and a message.
function contour.routes(canary, seen)
  if not seen.route then return nil, shape.absent(canary, KIND) end
  local routes, err = read(canary, seen.route)
  if not routes then return nil, err end
  return routes
end

--- Whether Contour found the newest generation valid. One to which no root leads is not waited for: nobody's requests
--- go by it, and it may be that they never shall.
function contour.accepted(_, seen)
  local items = object.at(seen.route, "status", "conditions")
  local orphaned = object.at(seen.route, "status", "currentStatus") == "orphaned"
  local why = seen.route and not orphaned and acceptance.unmet(seen.route, "", items, { "Valid" }) or nil
  local said = object.at(seen.route, "status", "description")
  return acceptance.verdict(why and type(said) == "string" and why .. ": " .. said or why)
end

function contour.shift(canary, seen, routes)
  if not seen.route then return nil, shape.absent(canary, KIND) end
  local all, err = live_routes(seen.route)
  if not all then return nil, err end
  local want
  want, err = rules.of(canary, all, routes)
  if not want then return nil, err end
  return owned.repair("route", canary, seen.route, { routes = want })
end

function contour.restore(canary, seen)
  return owned.restore("route", canary, seen.route)
end

return contour
