--- Services as targets: a revision is the Service's spec (where it leads to), and the primary is a copy of it.
--
-- There are no pods to count or to scale. The user's Service is the apex and is never written to.

local digest = require("digest")
local json = require("json")
local merge = require("util.merge")
local pods = require("targets.pods")

local service = {
  kind = "Service",
  api_version = "v1",
  resource = "services",
  noun = "service",
  services = false, -- the lifecycle makes no Services from the pods' labels
}

-- How the target is reached from outside, and what the API server gives to one Service alone. Copies are reached from
-- inside of the cluster; a second load balancer, or a second Service with the same address or port, is none of it.
local OUTSIDE = { "allocateLoadBalancerNodePorts", "clusterIPs", "externalIPs", "externalTrafficPolicy",
  "healthCheckNodePort", "loadBalancerClass", "loadBalancerIP", "loadBalancerSourceRanges" }
-- What the API server chooses where nobody does; only Services without an address keep what their user chose.
local ADDRESS = { "clusterIP", "ipFamilies", "ipFamilyPolicy" }

--- The spec as its user means it, for Services inside of the cluster.
local function spec_of(object)
  local out = merge.copy(object.spec)
  for _, key in ipairs(OUTSIDE) do out[key] = nil end
  if out.clusterIP ~= "None" then
    for _, key in ipairs(ADDRESS) do out[key] = nil end
  end
  if out.type ~= "ExternalName" then out.type = "ClusterIP" end
  for _, port in ipairs(out.ports or {}) do port.nodePort = nil end
  return out
end

--- The names of the copies: they follow the target, not spec.service.name.
function service.names(canary)
  return { apex = canary.names.apex, primary = canary.target.name .. "-primary",
    canary = canary.target.name .. "-canary" }
end

local function is_headless(object)
  return object.spec.clusterIP == "None"
end

local function is_external(object)
  return object.spec.type == "ExternalName"
end

--- nil, or why the primary cannot follow the target: nobody can give an address to a Service or take it.
--- @param primary table?
function service.check(object, primary)
  if not primary or is_external(primary) or is_external(object) then return nil end
  if is_headless(object) == is_headless(primary) then return nil end
  return ("service %s.%s: spec.clusterIP: expected %s as %s has it, which cannot be changed, found %s: delete %s " ..
    "and %s-canary, and they are made again"):format(object.metadata.name, object.metadata.namespace,
    is_headless(primary) and "None" or "an address", primary.metadata.name, tostring(object.spec.clusterIP),
    primary.metadata.name, object.metadata.name)
end

--- A stable digest of the spec.
function service.revision(object)
  return "s1-" .. digest.sha256(json.encode(spec_of(object))):sub(1, 16)
end

local function copy_of(target, name, copy)
  local annotations = pods.without_flux(target.metadata.annotations)
  annotations["kubectl.kubernetes.io/last-applied-configuration"] = nil
  local spec = spec_of(target)
  spec.trafficDistribution = copy.distribution or spec.trafficDistribution
  return {
    apiVersion = "v1",
    kind = "Service",
    metadata = { name = name, labels = pods.without_flux(target.metadata.labels), annotations = annotations },
    spec = spec,
  }
end

--- The primary as it is first created.
--- @param copy table  { distribution = spec.service.trafficDistribution }
function service.primary(target, copy)
  return copy_of(target, target.metadata.name .. "-primary", copy)
end

--- The Service of the canary arm: the target's newest spec.
function service.canary(target, copy)
  return copy_of(target, target.metadata.name .. "-canary", copy)
end

--- The merge patch that makes `live`, a copy, lead where `want` does, or nil.
function service.follow(live, want)
  local have = merge.copy(live.spec)
  if is_external(live) == is_external(want) then -- an address stays, but one is refused for a mere name
    have.clusterIPs = nil
    for _, key in ipairs(ADDRESS) do have[key] = want.spec[key] end
  end
  local patch = merge.diff(have, want.spec)
  return patch and { spec = patch }
end

--- The merge patch that makes the primary the target's revision, or nil.
function service.promotion(target, primary, copy)
  return service.follow(primary, service.primary(target, copy))
end

function service.same_revision(target, primary, copy)
  return service.promotion(target, primary, copy) == nil
end

--- Services have no pods of their own to wait for.
function service.ready() return true end
function service.available() return 1 end
function service.replicas() return 1 end
function service.changed_at() return 0 end

return service
