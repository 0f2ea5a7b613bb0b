--- A tiny API server on loopback for specs of the engine's own run layer: objects in a table, lists,
--- watches, and a log of what was asked. lua/sandbox/ is the real thing; this one can lie.

local json = require("json")
local server = require("server")

local api = {}

local methods = {}
local mt = { __index = methods }

local function merge(into, patch)
  for key, value in pairs(patch) do
    if value == json.null then into[key] = nil
    elseif type(value) == "table" and not json.is_array(value) then
      into[key] = merge(type(into[key]) == "table" and into[key] or {}, value)
    else into[key] = value end
  end
  return into
end

local function copy(value) return json.decode(json.encode(value)) end

local function answer(status, body)
  return { status = status, headers = { ["Content-Type"] = "application/json" }, body = body }
end

local function failure(status, message, headers)
  local out = answer(status, json.encode({ kind = "Status", apiVersion = "v1", code = status, message = message }))
  for name, value in pairs(headers or {}) do out.headers[name] = value end
  return out
end

-- "/apis/apps/v1/namespaces/ns/deployments/web/status" in parts
local function parse(path)
  local group, rest = path:match("^/apis/([^/]+/[^/]+)/(.+)$")
  if not group then group, rest = path:match("^/api/([^/]+)/(.+)$") end
  if not group then return nil end
  local namespace, tail = rest:match("^namespaces/([^/]+)/(.+)$")
  local plural, name, sub = (tail or rest):match("^([^/]+)/?([^/]*)/?([^/]*)$")
  return { api_version = group, namespace = namespace, plural = plural, name = name ~= "" and name or nil,
    sub = sub ~= "" and sub or nil }
end

local function is_metadata(request)
  return (request.headers("Accept") or ""):find("PartialObjectMetadata", 1, true) ~= nil
end

local function shown(object, metadata_only)
  if not metadata_only then return object end
  return { apiVersion = "meta.k8s.io/v1", kind = "PartialObjectMetadata", metadata = object.metadata }
end

function methods:next_version()
  self.version = self.version + 1
  return tostring(self.version)
end

local function event(type, object, metadata_only)
  return json.encode({ type = type, object = shown(object, metadata_only) }) .. "\n"
end

local function covers(watch, object, plural)
  return watch.plural == plural and (not watch.namespace or watch.namespace == object.metadata.namespace)
end

function methods:tell(type, plural, object)
  self.history[#self.history + 1] = { version = math.tointeger(tonumber(object.metadata.resourceVersion)) or 0,
    type = type, plural = plural, object = copy(object) }
  for watch in pairs(self.watches) do
    if covers(watch, object, plural) then watch.stream:write(event(type, object, watch.metadata)) end
  end
end

--- Puts an object as somebody else would: stored, versioned, told to the watches (unless `quietly`).
function methods:put(plural, object, quietly)
  local store = self.kinds[plural]
  local key = (object.metadata.namespace or "") .. "/" .. object.metadata.name
  local old = store[key]
  object = copy(object)
  object.metadata.resourceVersion = self:next_version()
  object.metadata.uid = old and old.metadata.uid or ("uid-" .. object.metadata.resourceVersion)
  store[key] = object
  if not quietly then self:tell(old and "MODIFIED" or "ADDED", plural, object) end
  return object
end

function methods:remove(plural, namespace, name, quietly)
  local store, key = self.kinds[plural], namespace .. "/" .. name
  local object = store[key]
  if not object then return nil end
  store[key] = nil
  object.metadata.resourceVersion = self:next_version()
  if not quietly then self:tell("DELETED", plural, object) end
  return object
end

--- Ends every watch and forgets what was, so that the engine has to list again.
function methods:cut()
  self:next_version()
  self.oldest = self.version
  local open = {}
  for watch in pairs(self.watches) do open[#open + 1] = watch end
  for _, watch in ipairs(open) do watch.stream:close() end
end

--- True when somebody watches.
function methods:watched(plural)
  for watch in pairs(self.watches) do
    if watch.plural == plural then return true end
  end
  return false
end

local function list(self, at, metadata_only)
  local items = json.array()
  for _, object in pairs(self.kinds[at.plural]) do
    if not at.namespace or object.metadata.namespace == at.namespace then
      local item = copy(shown(object, metadata_only))
      item.apiVersion, item.kind = nil, nil
      items[#items + 1] = item
    end
  end
  table.sort(items, function(a, b) return a.metadata.name < b.metadata.name end)
  return answer(200, json.encode({ kind = "List", apiVersion = "v1", items = items,
    metadata = { resourceVersion = tostring(self.version) } }))
end

-- A watch gets what it missed since the version it names.
local function watch(self, at, request, metadata_only)
  local since = tonumber(request.query.resourceVersion) or 0
  if since < self.oldest then return failure(410, "too old resource version") end
  local entry = { plural = at.plural, namespace = at.namespace, metadata = metadata_only }
  return { status = 200, headers = { ["Content-Type"] = "application/json" },
    stream = function(stream)
      entry.stream = stream
      self.watches[entry] = true
      for _, past in ipairs(self.history) do
        if past.version > since and covers(entry, past.object, past.plural) then
          stream:write(event(past.type, past.object, metadata_only))
        end
      end
    end,
    on_close = function() self.watches[entry] = nil end }
end

local verbs = {}

function verbs.GET(self, at, request, metadata_only)
  if not at.name and request.query.watch then return watch(self, at, request, metadata_only) end
  if not at.name then return list(self, at, metadata_only) end
  local object = self.kinds[at.plural][(at.namespace or "") .. "/" .. at.name]
  if not object then return failure(404, at.name .. " not found") end
  return answer(200, json.encode(object))
end

function verbs.POST(self, at, request)
  local object = json.decode(request.body)
  object.metadata.name = object.metadata.name or (object.metadata.generateName .. "x1")
  if self.kinds[at.plural][(at.namespace or "") .. "/" .. object.metadata.name] then
    return failure(409, "already exists")
  end
  return answer(201, json.encode(self:put(at.plural, object, self.quiet)))
end

function verbs.PATCH(self, at, request)
  local object = self.kinds[at.plural][(at.namespace or "") .. "/" .. at.name]
  if not object then return failure(404, at.name .. " not found") end
  local patch = json.decode(request.body)
  local version = patch.metadata and patch.metadata.resourceVersion
  if version and version ~= object.metadata.resourceVersion then return failure(409, "the object has been modified") end
  return answer(200, json.encode(self:put(at.plural, merge(copy(object), patch), self.quiet)))
end

function verbs.DELETE(self, at)
  local object = self:remove(at.plural, at.namespace or "", at.name, self.quiet)
  if not object then return failure(404, at.name .. " not found") end
  return answer(200, json.encode({ kind = "Status", apiVersion = "v1", status = "Success" }))
end

local function handle(self, request)
  local at = parse(request.path)
  local metadata_only = is_metadata(request)
  self.log[#self.log + 1] = request.method .. " " .. request.path .. (request.query.watch and " (watch)" or "")
  local lie = self.lie and self.lie(request, at)
  if lie then return lie end
  if not at or not self.kinds[at.plural] then return failure(404, "the server knows no such resource") end
  return verbs[request.method](self, at, request, metadata_only)
end

--- How many requests match a Lua pattern ("^GET /api/v1/.*/secrets/").
function methods:count(pattern)
  local n = 0
  for _, line in ipairs(self.log) do
    if line:find(pattern) then n = n + 1 end
  end
  return n
end

function methods:close() self.listener:close() end

--- A kubeconfig for a server on loopback; the caller removes the file.
function api.kubeconfig(port)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(([[
apiVersion: v1
kind: Config
clusters: [{name: spec, cluster: {server: "http://127.0.0.1:%d"}}]
users: [{name: spec, user: {token: spec}}]
contexts: [{name: spec, context: {cluster: spec, user: spec}}]
current-context: spec
]]):format(port))
  file:close()
  return path
end

--- @param plurals string[]  the kinds that are installed
function api.new(plurals)
  local self = setmetatable({ kinds = {}, watches = {}, history = {}, log = {}, oldest = 0, version = 100 }, mt)
  for _, plural in ipairs(plurals) do self.kinds[plural] = {} end
  self.listener = assert(server.listen({ handler = function(request) return handle(self, request) end }))
  self.path = api.kubeconfig(self.listener:port())
  return self
end

api.failure, api.answer = failure, answer

return api
