--- Ingress NGINX: the annotations of a second Ingress `<ingress>-canary` carry the split.

local headers = require("routing.headers")
local ingress = require("routing.ingress")
local json = require("json")
local object = require("util.object")
local owned = require("routing.owned")
local shape = require("routing.shape")

local PREFIX = "nginx.ingress.kubernetes.io"
local START = { primary = 100, canary = 0 }
local TOTAL = 100 -- of weights, where no annotation says otherwise

local nginx = {
  name = "nginx",
  aliases = {},
  weighted = true,
  mirrors = false,
  matches = true,
  affinity = false,
  resolution = 1,
  fine = true,
  match_resolution = 100, -- a request that matches is not weighed
}

nginx.reads = ingress.reads

--- What the names of the controller's annotations begin with.
local function own(canary)
  local prefix = canary.settings.ingress_annotations_prefix or ""
  return (prefix ~= "" and prefix or PREFIX) .. "/"
end

--- The annotations of a canary; all of them begin with `on`.
local function names(canary)
  local on = own(canary) .. "canary"
  return { on = on, weight = on .. "-weight", total = on .. "-weight-total",
    cookie = on .. "-by-cookie", header = on .. "-by-header", value = on .. "-by-header-value",
    pattern = on .. "-by-header-pattern" }
end

local function matches(canary)
  return #canary.analysis.match > 0
end

local function number(live, name, default)
  local text = (live.metadata.annotations or {})[name]
  if text == nil then return default end
  local path = ("metadata.annotations[%s]"):format(name)
  return shape.weight(live, path, text:find("^%d+$") and math.tointeger(tonumber(text)) or text)
end

local function read(canary, live)
  local name, have = names(canary), live.metadata.annotations or {}
  if matches(canary) and (have[name.cookie] or have[name.header]) then
    return { primary = 0, canary = 100, mirrored = false }
  end
  local total, err = number(live, name.total, TOTAL)
  if not total then return nil, err end
  local weight
  weight, err = number(live, name.weight, 0)
  if not weight then return nil, err end
  if total == 0 then total = TOTAL end
  weight = math.min(weight, total)
  return shape.shares(canary, live, total - weight, weight, true)
end

local ONE = "spec.analysis.match: expected one %s, all that Ingress NGINX can compare, found %s"

--- The annotations by which requests are recognised, or nil and a message. One header and one cookie can be told
--- apart, and either is enough.
local function conditions(canary)
  local name, out = names(canary), {}
  local all, err = headers.of(canary, { "exact", "regex" })
  if not all then return nil, err end
  for _, alternative in ipairs(all) do
    if #alternative > 1 then
      return nil, ONE:format("header in each entry", alternative[1].name .. " and " .. alternative[2].name)
    end
    local given = alternative[1]
    local is_cookie = given.name:lower() == "cookie"
    local key = is_cookie and name.cookie or name.header
    if out[key] then return nil, ONE:format(is_cookie and "cookie" or "header beside the cookie", "two") end
    if is_cookie and given.kind ~= "exact" then return nil, ONE:format("cookie's exact name", given.kind) end
    out[key] = is_cookie and given.value or given.name
    if not is_cookie then out[given.kind == "exact" and name.value or name.pattern] = given.value end
  end
  return out
end

--- The canary annotations that send `routes`, null for the others; or nil and a message.
local function annotations(canary, routes)
  local parts = shape.parts(routes)
  local name, out, weight, total = names(canary), {}, parts.canary, parts.primary + parts.canary
  if matches(canary) then
    local found, err = conditions(canary)
    if not found then return nil, err end
    if weight == 100 then out, weight = found, 0 end
  end
  out[name.on], out[name.weight] = "true", ("%d"):format(weight)
  out[name.total] = total ~= TOTAL and ("%d"):format(total) or nil
  -- All that any call may write is named by each, so that the first one notes what the user had.
  for _, key in pairs(name) do out[key] = out[key] or json.null end
  return out
end

--- What this canary asks for that no Ingress can do, or nil.
local function impossible(canary)
  if not canary.ingress then return ingress.NO_REFERENCE end
  if matches(canary) and canary.strategy == "canary" then
    return "spec.analysis.iterations: expected 1 or more beside spec.analysis.match, since Ingress NGINX cannot " ..
      "weigh requests that match, found 0"
  end
end

--- Makes the second Ingress exist; weights already live are kept, what the user's Ingress says is followed.
function nginx.prepare(canary, seen)
  local err = impossible(canary)
  if err then return nil, err end
  local spec, mine, routes, code
  spec, err = ingress.spec(canary, seen.main, { canary.names.canary })
  if not spec then return nil, err end
  routes = START
  if seen.route then
    routes, err, code = read(canary, seen.route)
    if not routes and code ~= "NOT_FOUND" then return nil, err end
  end
  mine, err = annotations(canary, routes or START)
  if not mine then return nil, err end
  local metadata = ingress.metadata(canary, seen.main, seen.route, mine, own(canary), names(canary).on)
  if not seen.route then
    return { owned.create("route", ingress.api, ingress.kind, ingress.name(canary), spec, metadata) }
  end
  return owned.repair("route", canary, seen.route, object.goal(seen.route.spec or {}, spec), metadata)
end

--- The live split, or nil and a message.
function nginx.routes(canary, seen)
  if not seen.route then return nil, ingress.absent(canary) end
  local routes, err = read(canary, seen.route)
  if not routes then return nil, err end
  return routes
end

--- Of requests that match all go to one arm: less than all of them is none, the primary is the safe side.
function nginx.shift(canary, seen, routes)
  if not seen.route then return nil, ingress.absent(canary) end
  local whole = not matches(canary) or routes.canary == 100
  local mine, err = annotations(canary, whole and routes or START)
  if not mine then return nil, err end
  return owned.repair("route", canary, seen.route, {}, { annotations = mine })
end

--- The user's Ingress carries everything again. The second one goes with the canary; until then it gets nothing.
function nginx.restore(canary, seen)
  if not seen.route or not owned.is_ours(canary, seen.route) then return owned.restore("route", canary, seen.route) end
  return nginx.shift(canary, seen, START) or {}
end

return nginx
