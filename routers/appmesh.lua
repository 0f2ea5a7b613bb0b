--- App Mesh: `appmesh` is v1beta1, `appmesh:v1beta2` v1beta2. The versions have other objects, and the same routes.

local list = require("util.list")
local owned = require("routing.owned")
local rules = require("routing.appmesh_rules")
local shape = require("routing.shape")
local v1beta1 = require("routing.appmesh_v1beta1")
local v1beta2 = require("routing.appmesh_v1beta2")

local START = { primary = 100, canary = 0 }

local appmesh = {
  name = "appmesh",
  aliases = { "appmesh:v1beta2" },
  weighted = true,
  mirrors = false,
  matches = true,
  affinity = false,
  resolution = 1,
}

local function form_of(canary)
  return canary.provider == "appmesh" and v1beta1 or v1beta2
end

function appmesh.reads(canary)
  local form, out = form_of(canary), {}
  for _, item in ipairs(form.objects(canary)) do
    out[item.key] = { apiVersion = form.api, kind = item.kind, name = item.name, namespace = canary.namespace,
      optional = true }
  end
  return out
end

--- The weights to keep, or nil and a message.
local function kept(form, canary, live)
  if not live then return START end
  local routes, err, code = rules.read(form, canary, live)
  if routes then return routes end
  if code == "NOT_FOUND" then return START end
  return nil, err
end

--- The routes that an object carries, nil for one that carries none; or nil and a message.
local function carried(form, canary, key, live, routes)
  if key ~= "route" and key ~= "canary_route" then return nil end
  local have, err = {}, nil
  if live then have, err = shape.list(live, "spec.routes", true) end
  if not have then return nil, err end
  if key == "canary_route" then return rules.canary(form, canary, have) end
  return rules.apex(form, canary, have, routes)
end

local function patches_of(form, canary, item, live, routes)
  local made, err = carried(form, canary, item.key, live, routes)
  if err then return nil, err end
  for _, path in ipairs(live and { "spec.listeners", "spec.virtualRouter.listeners", "spec.backends" } or {}) do
    local _, odd = shape.list(live, path, true)
    if odd then return nil, odd end
  end
  local spec, metadata = form.spec(canary, item.key, live and live.spec or {}, made)
  if live then return owned.repair(item.key, canary, live, spec, metadata) end
  return { owned.create(item.key, form.api, item.kind, item.name, spec, metadata) }
end

--- Makes all objects exist, each by itself; weights already live are kept.
function appmesh.prepare(canary, seen)
  local form = form_of(canary)
  local problem = form.problem(canary)
  if problem then return nil, problem end
  local routes, err = kept(form, canary, seen.route)
  if not routes then return nil, err end
  local out = {}
  for _, item in ipairs(form.objects(canary)) do
    local patches
    patches, err = patches_of(form, canary, item, seen[item.key], routes)
    if not patches then return nil, err end
    out = list.join(out, patches)
  end
  return out
end

local function absent(form, canary)
  local item = list.find(form.objects(canary), function(one) return one.key == "route" end)
  return ("%s %s.%s not found"):format(item.kind, item.name, canary.namespace)
end

--- The live split, or nil and a message.
function appmesh.routes(canary, seen)
  local form = form_of(canary)
  if not seen.route then return nil, absent(form, canary) end
  local routes, err = rules.read(form, canary, seen.route)
  if not routes then return nil, err end
  return routes
end

function appmesh.shift(canary, seen, routes)
  local form = form_of(canary)
  if not seen.route then return nil, absent(form, canary) end
  local made, err = carried(form, canary, "route", seen.route, routes)
  if not made then return nil, err end
  return owned.repair("route", canary, seen.route, { routes = made })
end

function appmesh.restore(canary, seen)
  local out = {}
  for _, item in ipairs(form_of(canary).objects(canary)) do
    out = list.join(out, owned.restore(item.key, canary, seen[item.key]))
  end
  return out
end

return appmesh
