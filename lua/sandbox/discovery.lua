--- What an API server tells of itself: its version, groups, resources.

local json = require("json")

local discovery = {}

local VERBS = { "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch" }
local SUB_VERBS = { "get", "patch", "update" }
local IN_ALL = { ["apps/Deployment"] = true, ["apps/DaemonSet"] = true, ["apps/StatefulSet"] = true, ["/Pod"] = true,
  ["/Service"] = true, ["autoscaling/HorizontalPodAutoscaler"] = true, ["flagger.app/Canary"] = true }
local SCALED = { ["apps/Deployment"] = true, ["apps/StatefulSet"] = true, ["apps/ReplicaSet"] = true }

discovery.version = {
  major = "1", minor = "32", gitVersion = "v1.32.0+serin", gitCommit = "", gitTreeState = "clean", buildDate = "",
  goVersion = "", compiler = "", platform = "",
}

--- Whether a kind has /scale.
function discovery.is_scaled(entry)
  return SCALED[entry.id] or false
end

local function group_version(group, version)
  return group == "" and version or group .. "/" .. version
end

local function versions_of(kinds, group)
  local seen, preferred = {}, nil
  for _, entry in ipairs(kinds.order) do
    if entry.group == group and not kinds:is_missing(entry) then
      preferred = preferred or entry.version
      for version in pairs(entry.versions) do seen[version] = true end
    end
  end
  local out = {}
  for version in pairs(seen) do out[#out + 1] = version end
  table.sort(out)
  return out, preferred
end

--- The APIGroup object of a group, or nil when nothing is in it.
function discovery.group(kinds, group)
  local names, preferred = versions_of(kinds, group)
  if not preferred then return nil end
  local versions = json.array()
  for index, version in ipairs(names) do
    versions[index] = { groupVersion = group_version(group, version), version = version }
  end
  return {
    apiVersion = "v1", kind = "APIGroup", name = group, versions = versions,
    preferredVersion = { groupVersion = group_version(group, preferred), version = preferred },
  }
end

--- /apis
function discovery.groups(kinds)
  local out, seen = json.array(), { [""] = true }
  for _, entry in ipairs(kinds.order) do
    if not seen[entry.group] then
      seen[entry.group] = true
      out[#out + 1] = discovery.group(kinds, entry.group)
    end
  end
  return { apiVersion = "v1", kind = "APIGroupList", groups = out }
end

--- /api
function discovery.core()
  return {
    kind = "APIVersions", versions = json.array({ "v1" }),
    serverAddressByClientCIDRs = json.array({ { clientCIDR = "0.0.0.0/0", serverAddress = "127.0.0.1" } }),
  }
end

local function add_resource(out, entry)
  local short = entry.short and json.array({ entry.short }) or nil
  out[#out + 1] = {
    name = entry.plural, singularName = entry.kind:lower(), namespaced = entry.namespaced, kind = entry.kind,
    verbs = json.array({ table.unpack(VERBS) }), shortNames = short,
    categories = IN_ALL[entry.id] and json.array({ "all" }) or nil,
  }
  if entry.status then
    out[#out + 1] = { name = entry.plural .. "/status", singularName = "", namespaced = entry.namespaced,
      kind = entry.kind, verbs = json.array({ table.unpack(SUB_VERBS) }) }
  end
  if discovery.is_scaled(entry) then
    out[#out + 1] = { name = entry.plural .. "/scale", singularName = "", namespaced = entry.namespaced,
      group = "autoscaling", version = "v1", kind = "Scale", verbs = json.array({ table.unpack(SUB_VERBS) }) }
  end
end

--- /api/v1 and /apis/GROUP/VERSION; nil when nothing is served there.
function discovery.resources(kinds, group, version)
  local out = json.array()
  for _, entry in ipairs(kinds.order) do
    if entry.group == group and entry.versions[version] and not kinds:is_missing(entry) then
      add_resource(out, entry)
    end
  end
  if #out == 0 then return nil end
  return { apiVersion = "v1", kind = "APIResourceList", groupVersion = group_version(group, version), resources = out }
end

--- /openapi/v3, and its documents: nothing but what tells kubectl that the server checks fields itself.
function discovery.openapi(kinds, path)
  local at = path:match("^/openapi/v3/apis/(.+)$") or path:match("^/openapi/v3/api/(.+)$")
  if not at then
    local documents = {}
    for _, group in ipairs({ discovery.group(kinds, ""), table.unpack(discovery.groups(kinds).groups) }) do
      for _, item in ipairs(group.versions) do
        local key = (group.name == "" and "api/" or "apis/") .. item.groupVersion
        documents[key] = { serverRelativeURL = "/openapi/v3/" .. key }
      end
    end
    return { paths = documents }
  end
  local group, version = at:match("^([^/]+)/([^/]+)$")
  local list = discovery.resources(kinds, group or "", version or at)
  if not list then return nil end
  local operations = {}
  for _, resource in ipairs(list.resources) do
    operations["/" .. resource.name] = { patch = {
      ["x-kubernetes-group-version-kind"] = { group = group or "", version = version or at, kind = resource.kind },
      parameters = json.array({ { name = "fieldValidation", ["in"] = "query", schema = { type = "string" } } }),
      responses = {},
    } }
  end
  return { openapi = "3.0.0", info = { title = "serin", version = "v1" }, paths = operations }
end

return discovery
