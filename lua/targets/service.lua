--- Services as targets: a revision is the Service's spec (where it leads to), and the primary is a copy of it.
--
-- There are no pods to count or to scale. The user's Service is the apex and is never written to.

local digest = require("digest")
local json = require("json")
local merge = require("util.merge")

local service = {
  kind = "Service",
  api_version = "v1",
  resource = "services",
  noun = "service",
  services = false, -- the lifecycle makes no Services from the pods' labels
}

-- What the API server gives to one Service alone, or keeps from being changed.
local SERVERS = { "clusterIP", "clusterIPs", "healthCheckNodePort", "ipFamilies", "ipFamilyPolicy",
  "loadBalancerIP" }

--- The spec as its user means it.
local function spec_of(object)
  local out = merge.copy(object.spec)
  if out.clusterIP ~= "None" then
    for _, key in ipairs(SERVERS) do out[key] = nil end
  else
    out.clusterIPs, out.healthCheckNodePort = nil, nil
  end
  for _, port in ipairs(out.ports or {}) do port.nodePort = nil end
  return out
end

--- The names of the copies: they follow the target, not spec.service.name.
function service.names(canary)
  return { apex = canary.names.apex, primary = canary.target.name .. "-primary",
    canary = canary.target.name .. "-canary" }
end

--- A stable digest of the spec.
function service.revision(object)
  return "s1-" .. digest.sha256(json.encode(spec_of(object))):sub(1, 16)
end

local function copy_of(target, name)
  local annotations = merge.copy(target.metadata.annotations or {})
  annotations["kubectl.kubernetes.io/last-applied-configuration"] = nil
  return {
    apiVersion = "v1",
    kind = "Service",
    metadata = { name = name, labels = merge.copy(target.metadata.labels or {}), annotations = annotations },
    spec = spec_of(target),
  }
end

local function with_distribution(object, copy)
  object.spec.trafficDistribution = copy.distribution or object.spec.trafficDistribution
  return object
end

--- The primary as it is first created.
--- @param copy table  { distribution = spec.service.trafficDistribution }
function service.primary(target, copy)
  return with_distribution(copy_of(target, target.metadata.name .. "-primary"), copy)
end

--- The Service of the canary arm: the target's newest spec.
function service.canary(target, copy)
  return with_distribution(copy_of(target, target.metadata.name .. "-canary"), copy)
end

--- What the server adds to ports is kept.
local function with_node_ports(want, live)
  for index, port in ipairs(want.ports or {}) do
    port.nodePort = ((live.ports or {})[index] or {}).nodePort
  end
  return want
end

--- The merge patch that makes `live`, a copy, lead where `want` does, or nil.
function service.follow(live, want)
  local spec = with_node_ports(merge.copy(want.spec), live.spec)
  local have = merge.copy(live.spec)
  for _, key in ipairs(SERVERS) do have[key] = spec[key] end
  if have.type ~= spec.type then
    spec.clusterIP, spec.clusterIPs = json.null, json.null -- an address for one type is refused for another
  end
  local patch = merge.diff(have, spec)
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
