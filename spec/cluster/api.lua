--- The API server by its own protocol: what a spec asks of it by the thousand. As admin; one request after another.

local T = require("T")
local http, json = require("http"), require("json")
local kinds = require("kube.kinds")
local support = require("spec.cluster.support")

local api = {}

local methods = {}
local mt = { __index = methods }

local STRICT = "?fieldValidation=Strict" -- a field that the schema does not know is refused, not dropped

--- The API server that $KUBECONFIG names.
function api.open()
  local config = assert(json.decode(support.kubectl("config", "view", "--raw", "-o", "json")))
  local cluster = config.clusters[1].cluster
  return setmetatable({ server = cluster.server, ca = support.read(cluster["certificate-authority"]),
    token = config.users[1].user.token }, mt)
end

--- The decoded answer, or nil, what the server says against it, and the status.
function methods:ask(method, path, body, media)
  local answer, message = T.run(function()
    return http.request({ method = method, url = self.server .. path, body = body and json.encode(body),
      tls = { ca = self.ca }, timeout = 30, max_bytes = 1 << 22,
      headers = { Authorization = "Bearer " .. self.token, ["Content-Type"] = media or "application/json" } })
  end)
  if not answer then return nil, message end
  local value = json.decode(answer.body)
  if answer.status < 300 then return value end
  return nil, ("%s %s: %s"):format(method, path, value and value.message or answer.body), answer.status
end

local function path_of(ref)
  for _, kind in ipairs(kinds) do
    if kind.apiVersion == ref.apiVersion and kind.kind == ref.kind then
      local root = ref.apiVersion:find("/", 1, true) and "/apis/" or "/api/"
      local space = kind.namespaced and ("/namespaces/" .. ref.namespace) or ""
      return root .. ref.apiVersion .. space .. "/" .. kind.plural
    end
  end
  error(("%s of %s is not in lua/kube/kinds.lua"):format(ref.kind, ref.apiVersion), 2)
end

local function ref_of(body)
  return { apiVersion = body.apiVersion, kind = body.kind, name = body.metadata.name,
    namespace = body.metadata.namespace }
end

--- The stored object, or nil.
function methods:get(ref)
  local stored, message, status = self:ask("GET", path_of(ref) .. "/" .. ref.name)
  if not stored and status ~= 404 then error(message, 2) end
  return stored
end

--- What is stored, or nil and what the server says. Unknown fields are refused, unless `lenient`.
function methods:create(body, lenient)
  return self:ask("POST", path_of(ref_of(body)) .. (lenient and "" or STRICT), body)
end

--- The same by a merge patch.
function methods:patch(ref, patch, lenient)
  return self:ask("PATCH", path_of(ref) .. "/" .. ref.name .. (lenient and "" or STRICT), patch,
    "application/merge-patch+json")
end

--- Writes the status of an object, as its controller would.
function methods:tell(body)
  local ref = ref_of(body)
  return self:ask("PATCH", path_of(ref) .. "/" .. ref.name .. "/status", { status = body.status },
    "application/merge-patch+json")
end

function methods:delete(ref)
  local _, message, status = self:ask("DELETE", path_of(ref) .. "/" .. ref.name)
  if message and status ~= 404 then error(message, 2) end
end

local CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

--- Gives the cluster this definition in the place of another of the same name, whose objects go.
function methods:define(definition)
  local path = CRDS .. "/" .. definition.metadata.name
  self:ask("DELETE", path)
  support.wait_until(definition.metadata.name .. " is gone", 60, function()
    return select(3, self:ask("GET", path)) == 404
  end)
  assert(self:ask("POST", CRDS .. STRICT, definition))
  support.wait_until(definition.metadata.name .. " is served", 60, function()
    local stored = self:ask("GET", path) or {}
    for _, version in ipairs(stored.spec and stored.spec.versions or {}) do
      local list = ("/apis/%s/%s/%s"):format(stored.spec.group, version.name, stored.spec.names.plural)
      if version.served and not self:ask("GET", list) then return false end
    end
    return stored.spec ~= nil
  end)
end

--- The versions that the cluster serves of a definition, as a set; empty when it has none of that name.
function methods:versions(name)
  local stored, out = self:ask("GET", CRDS .. "/" .. name), {}
  for _, version in ipairs(stored and stored.spec.versions or {}) do out[version.name] = version.served end
  return out
end

return api
