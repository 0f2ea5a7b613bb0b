--- Skipper: a second Ingress `<ingress>-canary` leads to both arms, its annotations say in which shares. It takes
--- precedence over the user's own, and is switched off while the canary gets nothing.

local ingress = require("routing.ingress")
local json = require("json")
local object = require("util.object")
local owned = require("routing.owned")
local shape = require("routing.shape")

local OWN = "zalando.org/"
local WEIGHTS, PREDICATE = OWN .. "backend-weights", OWN .. "skipper-predicate"
local ON, OFF = "Weight(100)", "False()"
local START = { primary = 100, canary = 0 }
local QUOTES = { ['"'] = true, ["`"] = true, ["/"] = true }

local skipper = {
  name = "skipper",
  aliases = {},
  weighted = true,
  mirrors = false,
  matches = false,
  affinity = false,
  resolution = 1,
  fine = true,
}

skipper.reads = ingress.reads

--- The predicates of a text, without those that are ours. `&&` is between them, but may also be in a string or pattern.
local function predicates(text)
  local out, from, at, quote = {}, 1, 1, nil
  local function add(to)
    local one = text:sub(from, to):match("^%s*(.-)%s*$")
    if one ~= "" and one ~= ON and one ~= OFF then out[#out + 1] = one end
  end
  while at <= #text do
    local char = text:sub(at, at)
    if quote then
      if char == "\\" and quote ~= "`" then at = at + 1 elseif char == quote then quote = nil end
    elseif QUOTES[char] then
      quote = char
    elseif text:sub(at, at + 1) == "&&" then
      add(at - 1)
      from, at = at + 2, at + 1
    end
    at = at + 1
  end
  add(#text)
  return out
end

local function annotation(body, name)
  return object.at(body, "metadata", "annotations", name)
end

--- The weights of an Ingress, or nil and a message, and "NOT_FOUND" when it has none.
local function weights_of(body)
  local text = annotation(body, WEIGHTS)
  local path = ("metadata.annotations[%s]"):format(WEIGHTS)
  if text == nil then return nil, shape.odd(body, path, "is missing"), "NOT_FOUND" end
  local found = json.decode(text)
  if type(found) ~= "table" or object.is_list(found) then return nil, shape.odd(body, path, "is not an object") end
  return found
end

local function read(canary, live)
  local weights, problem, absent = weights_of(live)
  if not weights then return nil, problem, absent end
  local out = {}
  for _, arm in ipairs({ "primary", "canary" }) do
    local name = canary.names[arm]
    local weight, err = shape.weight(live, ("metadata.annotations[%s].%s"):format(WEIGHTS, name), weights[name], 0)
    if not weight then return nil, err end
    out[arm] = weight
  end
  return shape.shares(canary, live, out.primary, out.canary, true)
end

--- Our two annotations. What the user's Ingress says about other backends stays.
local function annotations(canary, main, routes)
  local weights, parts = object.copy(weights_of(main) or {}), shape.parts(routes)
  weights[canary.names.primary], weights[canary.names.canary] = parts.primary, parts.canary
  local all = predicates(annotation(main, PREDICATE) or "")
  table.insert(all, 1, routes.canary > 0 and ON or OFF)
  return { [WEIGHTS] = json.encode(weights), [PREDICATE] = table.concat(all, " && ") }
end

local function update(canary, seen, spec)
  local live = seen.route
  local routes, err, code = read(canary, live)
  if not routes and code ~= "NOT_FOUND" then return nil, err end
  local mine = annotations(canary, seen.main, routes or START)
  local metadata = ingress.metadata(canary, seen.main, live, mine, OWN)
  return owned.repair("route", canary, live, object.goal(live.spec or {}, spec), metadata)
end

--- Makes the second Ingress exist; weights already live are kept, what the user's Ingress says is followed.
function skipper.prepare(canary, seen)
  if not canary.ingress then return nil, ingress.NO_REFERENCE end
  local spec, err = ingress.spec(canary, seen.main, { canary.names.primary, canary.names.canary })
  if not spec then return nil, err end
  if seen.route then return update(canary, seen, spec) end
  local metadata = ingress.metadata(canary, seen.main, nil, annotations(canary, seen.main, START), OWN)
  return { owned.create("route", ingress.api, ingress.kind, ingress.name(canary), spec, metadata) }
end

--- The live split, or nil and a message.
function skipper.routes(canary, seen)
  if not seen.route then return nil, ingress.absent(canary) end
  local routes, err = read(canary, seen.route)
  if not routes then return nil, err end
  return routes
end

function skipper.shift(canary, seen, routes)
  if not seen.route then return nil, ingress.absent(canary) end
  return owned.repair("route", canary, seen.route, {}, { annotations = annotations(canary, seen.main, routes) })
end

--- The user's Ingress carries everything again. The second one goes with the canary; until then it is switched off.
function skipper.restore(canary, seen)
  if not seen.route or not owned.is_ours(canary, seen.route) then return owned.restore("route", canary, seen.route) end
  return skipper.shift(canary, seen, START)
end

return skipper
