--- The apex, primary and canary Services.
--
-- Pure: what each should be, and the smallest patch that makes it so.

local json = require("json")
local merge = require("util.merge")
local view = require("canary.view")

local services = {}

local function ports(canary, discovered)
  local service = canary.service
  local out = json.array({ {
    name = service.port_name,
    protocol = "TCP",
    port = service.port,
    targetPort = service.target_port or service.port,
    appProtocol = service.app_protocol,
  } })
  for _, port in ipairs(discovered) do
    out[#out + 1] = { name = port.name, protocol = "TCP", port = port.port, targetPort = port.port }
  end
  return out
end

--- The Service of one role: "apex", "primary", "canary", or "pods", which only gives the primary's pods their names.
function services.wanted(canary, role, discovered)
  local name, given = canary.names[role], canary.service[role] or {}
  local label = canary.target.label
  local pods = canary.target.label_value
  if role ~= "canary" then pods = pods .. "-primary" end
  local metadata = {
    name = name, labels = merge.copy(given.labels or {}), annotations = merge.copy(given.annotations or {}),
  }
  metadata.labels[label] = name
  for key, value in pairs(view.flux_annotations) do metadata.annotations[key] = value end
  return {
    apiVersion = "v1",
    kind = "Service",
    metadata = metadata,
    spec = {
      type = "ClusterIP",
      selector = { [label] = pods },
      ports = ports(canary, discovered),
      clusterIP = (canary.service.headless or role == "pods") and "None" or nil,
      publishNotReadyAddresses = role == "pods" or nil, -- peers find each other before they are ready
      trafficDistribution = canary.service.traffic_distribution,
    },
  }
end

--- Server-side defaults and node ports of a live port of the same name are kept.
local function merged_ports(have, want)
  local by_name, out = {}, json.array()
  for _, port in ipairs(have or {}) do by_name[port.name or ""] = port end
  for _, port in ipairs(want) do
    local live = by_name[port.name] or {}
    local merged = merge.copy(port)
    merged.nodePort = live.nodePort
    out[#out + 1] = merged
  end
  return out
end

local function sorted(list)
  local out = {}
  for index, port in ipairs(list or {}) do out[index] = port end
  table.sort(out, function(a, b)
    if a.port ~= b.port then return a.port < b.port end
    return (a.name or "") < (b.name or "")
  end)
  return out
end

local function unmanaged(wanted, have, keys)
  for _, key in ipairs(keys or {}) do wanted[key] = (have or {})[key] end
  return wanted
end

local ORIGINAL = "serin.dev/original-service"

--- A Service that is the user's is changed with a note of what it was, written once.
local function note(have, patch)
  if not patch.spec or ((have.metadata.annotations or {})[ORIGINAL]) then return end
  local before = { selector = have.spec.selector or json.null, ports = patch.spec.ports and have.spec.ports or nil }
  patch.metadata = { annotations = { [ORIGINAL] = json.encode(before) } }
end

--- The merge patch that gives a user's Service back as it was, or nil. Without a note of ours (another controller
--- changed it): the selector that kubectl applied, else that of the target's pods.
function services.restore(canary, have)
  local annotations = have.metadata.annotations or {}
  local before = json.decode(annotations[ORIGINAL] or "")
  local applied = json.decode(annotations["kubectl.kubernetes.io/last-applied-configuration"] or "")
  local selector = { [canary.target.label] = canary.target.label_value }
  if type(applied) == "table" and type(applied.spec) == "table" then selector = applied.spec.selector or selector end
  if type(before) == "table" then selector = before.selector or selector else before = {} end
  local patch = { spec = {
    selector = selector == json.null and json.null or merge.diff(have.spec.selector or {}, selector),
    ports = before.ports and not merge.equal(before.ports, have.spec.ports) and before.ports or nil,
  } }
  if next(patch.spec) == nil then patch.spec = nil end
  if annotations[ORIGINAL] then patch.metadata = { annotations = { [ORIGINAL] = json.null } } end
  return next(patch) and patch or nil
end

--- The merge patch that repairs `have`, or nil. `owned`: metadata is ours too.
--- @param kept table?  annotations that a router writes to it
function services.repair(canary, have, wanted, owned, kept)
  local patch = {}
  local spec = { selector = merge.diff(have.spec.selector or {}, wanted.spec.selector) }
  local want_ports = merged_ports(have.spec.ports, wanted.spec.ports)
  if not merge.equal(sorted(have.spec.ports), sorted(want_ports)) then spec.ports = want_ports end
  if next(spec) then patch.spec = spec end
  if not owned then
    note(have, patch)
  else
    local skip = canary.service.unmanaged
    local labels = unmanaged(merge.copy(wanted.metadata.labels), have.metadata.labels, skip.labels)
    local annotations = unmanaged(merge.copy(wanted.metadata.annotations), have.metadata.annotations, skip.annotations)
    unmanaged(annotations, have.metadata.annotations, kept)
    local metadata = {
      labels = merge.diff(have.metadata.labels or {}, labels),
      annotations = merge.diff(have.metadata.annotations or {}, annotations),
    }
    if next(metadata) then patch.metadata = metadata end
  end
  return next(patch) and patch or nil
end

return services
