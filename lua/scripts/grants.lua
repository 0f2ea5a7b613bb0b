--- What a script asks to be allowed: texts in its header, read once and enforced at every call.
--
--   prom                         the Prometheus that is configured
--   prom:http://other:9090       and this one
--   http:https://host/path       URLs of this host (and port) whose path is this one or below it
--   kube:v1/ConfigMap            objects of this kind in the Canary's namespace; routers may write them

local address = require("metrics.address")
local nearest = require("util.nearest")

local grants = {}

local MOST = 32
local FORMS = "prom, prom:URL, http:URL or kube:apiVersion/Kind"

-- Kinds that no script reads, nor routes with: credentials, what the engine itself is told, workloads.
local SECRET = { Secret = true }
local NO_ROUTE = { Secret = true, Canary = true, MetricTemplate = true, AlertProvider = true, Deployment = true,
  DaemonSet = true, StatefulSet = true, ReplicaSet = true, Pod = true, ServiceAccount = true, Role = true,
  RoleBinding = true, ClusterRole = true, ClusterRoleBinding = true }

local PORTS = { http = "80", https = "443" }

--- Scheme, host and port of a URL as one text, and its path; nil where it is none. User and password are refused.
local function place(url)
  local parts = address.split(url)
  if not parts or parts.userinfo then return nil end
  local host, port = parts.host:match("^(.-):?(%d*)$")
  if parts.host:find("^%[") then host, port = parts.host:match("^(%b[]):?(%d*)$") end
  host = host:lower()
  port = port ~= "" and port or PORTS[parts.scheme]
  return ("%s://%s:%s"):format(parts.scheme, host, port), parts.path, host, port
end

grants.place = place

local readers = {}

function readers.prom(out, rest)
  if rest == "" then
    out.prom = true
    return true
  end
  if not place(rest) then return false end
  out.prom_at[rest:gsub("/+$", "")] = true
  return true
end

function readers.http(out, rest)
  local at, path = place(rest)
  if not at or path:find("%.%.", 1) or rest:find("[?#]") then return false end
  out.http[#out.http + 1] = { at = at, path = (path:gsub("/+$", "")) }
  return true
end

function readers.kube(out, rest)
  local kind = rest:match("^[%w./%-]+/(%u%w*)$")
  if not kind or SECRET[kind] then return false end
  out.kube[rest] = true
  return true
end

--- { prom = bool, prom_at = { url = true }, http = list, kube = { "v1/ConfigMap" = true } }; or nil and a message.
function grants.read(list)
  local out = { prom = false, prom_at = {}, http = {}, kube = {} }
  if list == nil then return out end
  if type(list) ~= "table" or #list == 0 and next(list) ~= nil then
    return nil, ("grants: expected a list of %s"):format(FORMS)
  end
  if #list > MOST then return nil, ("grants: expected at most %d, found %d"):format(MOST, #list) end
  for index, item in ipairs(list) do
    local word, rest
    if type(item) == "string" then word, rest = item:match("^(%a+):?(.*)$") end
    if not readers[word] or not readers[word](out, rest) then
      local close = word and not readers[word] and nearest.of(word, readers)
      return nil, ("grants[%d]: expected %s, found %s%s"):format(index, FORMS, tostring(item),
        close and (" (did you mean %s?)"):format(close) or "")
    end
  end
  return out
end

--- What a script of a tenant is granted: the Prometheus of its Canary, and the hosts of the operator's list.
--- @param hosts table  "host" or "host:port"
function grants.of_tenant(hosts)
  return { prom = true, prom_at = {}, http = {}, kube = {}, hosts = hosts }
end

local function below(path, prefix)
  return path == prefix or path:sub(1, #prefix + 1) == prefix .. "/"
end

--- May this URL be asked?
function grants.allows_http(given, url)
  local at, path, host, port = place(url)
  if not at or path:find("%.%.", 1) or path:find("%%2[eE]") then return false end
  for _, item in ipairs(given.http) do
    if at == item.at and below(path, item.path) then return true end
  end
  for _, name in ipairs(given.hosts or {}) do
    if name:lower() == host and (port == "80" or port == "443") or name:lower() == host .. ":" .. port then
      return true
    end
  end
  return false
end

--- May a router read and write objects of this kind?
function grants.allows_route(given, api_version, kind)
  return not NO_ROUTE[kind] and given.kube[("%s/%s"):format(api_version, kind)] == true
end

return grants
