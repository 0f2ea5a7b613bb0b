--- Linkerd: a route of Gateway API whose parent is the apex Service, where the Canary asks for one; else a TrafficSplit
--- (smi.lua), which Linkerd 2.12 and later read by their SMI extension only.

local gatewayapi = require("routers.gatewayapi")
local kinds = require("routing.gateway_kinds")
local parents = require("routing.gateway_parents")
local smi = require("routers.smi")

local linkerd = {
  name = "linkerd",
  aliases = {},
  weighted = true,
  mirrors = false,
  matches = true,
  affinity = false,
  resolution = 1,
  fine = true,
  route_kinds = { "TrafficSplit", "HTTPRoute", "GRPCRoute" },
}

-- What Linkerd's proxies do not do for a route; Linkerd drops a route that asks for it.
local FIELDS = {
  { "spec.service.rewrite", "service", "rewrite" },
  { "spec.service.corsPolicy", "service", "cors_policy" },
  { "spec.service.mirror", "service", "mirror" },
  { "spec.analysis.sessionAffinity", "analysis", "session_affinity" },
}

--- The router that makes the kind of route this canary asks for. COMPAT: without a word about it, or a Service among
--- its parents, a TrafficSplit.
function linkerd.of(canary)
  local kind = canary.service.route_kind
  if kind == "TrafficSplit" or kind == nil and not parents.service(canary) then return smi end
  return linkerd
end

local function with(base, key, value)
  local out = {}
  for name, item in pairs(base) do out[name] = item end
  out[key] = value
  return out
end

--- The canary with the apex Service as the parent where it names none. Linkerd calls the group without a name core.
local function with_parent(canary)
  if #canary.service.gateway_refs > 0 then return canary end
  local apex = { group = "core", kind = "Service", name = canary.names.apex, port = canary.service.port }
  return with(canary, "service", with(canary.service, "gateway_refs", { apex }))
end

--- What this canary asks for that Linkerd cannot give, or nil.
function linkerd.unfit(canary)
  if #canary.service.gateway_refs > 0 and not parents.service(canary) then
    return ("spec.service.gatewayRefs: expected one of kind Service with provider linkerd, found %s alone"):format(
      parents.of(canary)[1].kind)
  end
  return parents.wrong(canary) or kinds.misplaced(canary, FIELDS, "a route of Linkerd")
end

linkerd.reads = gatewayapi.reads

--- Makes the route exist; weights already live are kept.
function linkerd.prepare(canary, seen)
  return gatewayapi.prepare(with_parent(canary), seen)
end

linkerd.routes = gatewayapi.routes
linkerd.accepted = gatewayapi.accepted
linkerd.shift = gatewayapi.shift
linkerd.restore = gatewayapi.restore

return linkerd
