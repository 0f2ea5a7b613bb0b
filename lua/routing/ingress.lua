--- A second Ingress `<ingress>-canary` beside the user's own. The user's is read and never written.

local json = require("json")
local list = require("util.list")
local object = require("util.object")

local ingress = { api = "networking.k8s.io/v1", kind = "Ingress" }

local APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
local CLASS = "kubernetes.io/ingress.class"
local FLUX = { "kustomize.toolkit.fluxcd.io/reconcile", "helm.toolkit.fluxcd.io/driftDetection" }

ingress.NO_REFERENCE = "ingress selector is empty" -- COMPAT: the words

--- { main = the user's, route = the second one }, or {} when the Canary names none.
function ingress.reads(canary)
  if not canary.ingress then return {} end
  local function read(name, optional)
    return { apiVersion = ingress.api, kind = ingress.kind, name = name, namespace = canary.namespace,
      optional = optional }
  end
  return { main = read(canary.ingress.name, false), route = read(ingress.name(canary), true) }
end

--- The name of the second Ingress.
function ingress.name(canary)
  return canary.ingress.name .. "-canary"
end

--- What to say when there is no second Ingress.
function ingress.absent(canary)
  if not canary.ingress then return ingress.NO_REFERENCE end
  return ("%s %s.%s not found"):format(ingress.kind, ingress.name(canary), canary.namespace)
end

local function items(value)
  return type(value) == "table" and value or {}
end

local function with_service(path, name)
  local out = object.copy(path)
  out.backend.service.name = name
  return out
end

--- The spec of the user's Ingress with the Services `arms` in place of the apex: the first takes its path, each further
--- one gets a copy of it at the end of the rule. With one arm the default backend is replaced too.
--- nil and a message when nothing leads to the apex.
function ingress.spec(canary, main, arms)
  local apex = canary.names.apex
  local function leads(holder) return object.at(holder, "backend", "service", "name") == apex end
  local spec, found = object.copy(main.spec or {}), false
  for _, rule in ipairs(items(spec.rules)) do
    local paths = items(object.at(rule, "http", "paths"))
    for _, path in ipairs(list.filter(paths, leads)) do
      for index = 2, #arms do paths[#paths + 1] = with_service(path, arms[index]) end
      path.backend.service.name, found = arms[1], true
    end
  end
  if #arms == 1 and leads({ backend = spec.defaultBackend }) then
    spec.defaultBackend.service.name, found = arms[1], true
  end
  if found then return spec end
  return nil, ("backend %s not found in ingress %s"):format(apex, canary.ingress.name)
end

local function begins(text, prefix)
  return text:sub(1, #prefix) == prefix
end

--- The labels and annotations of the second Ingress: those of the user's, which are followed, and `mine`. What else it
--- has stays, but for annotations of the controller (`prefix` "x.io/"), which would take effect.
--- @param live table?   the second Ingress, if there is one
--- @param mine table    annotations; json.null for those that must be absent
--- @param without string?  annotations of the user's Ingress that begin with this are not taken over
function ingress.metadata(canary, main, live, mine, prefix, without)
  local out = {}
  for key, value in pairs(main.metadata.annotations or {}) do
    if key ~= APPLIED and not (without and begins(key, without)) then out[key] = value end
  end
  for _, key in ipairs(FLUX) do out[key] = canary.annotations[key] end
  for key, value in pairs(mine) do out[key] = value end
  for key in pairs(live and live.metadata.annotations or {}) do
    if out[key] == nil and (key == CLASS or begins(key, prefix)) then out[key] = json.null end
  end
  return { annotations = out, labels = object.some(object.copy(main.metadata.labels)) }
end

return ingress
