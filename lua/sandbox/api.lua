--- An API server in memory: verbs, preconditions, subresources, finalizers, garbage collection, watches.
--
-- The methods named after verbs are for the sandbox itself. What the engine sends goes through `call`,
-- which counts it, logs it in `calls` and lets `fault` break it:
--
--   api.fault = function(call) return nil | { before = FAULT } | { after = FAULT } end
--
-- `call` is { n =, verb =, ref =, body =, write = bool, time = }. `before`: the request never arrives;
-- `after`: it is carried out and the answer is lost. A FAULT is a CODE, "reset", "truncate", "silence",
-- "wrong" (somebody else's object comes back), or { code =, message =, retry_after = }.

local fnv = require("util.fnv")
local merge = require("util.merge")
local rfc3339 = require("util.rfc3339")
local defaults = require("sandbox.defaults")
local definitions = require("sandbox.definitions")
local door = require("sandbox.door")
local kinds = require("sandbox.kinds")
local listing = require("sandbox.listing")
local removal = require("sandbox.removal")
local shape = require("sandbox.shape")
local store = require("sandbox.store")
local updates = require("sandbox.updates")
local validate = require("sandbox.validate")

local api = {}

local api_methods = {}
local api_mt = { __index = api_methods }

--- options: { now = function() -> seconds, history = number of changes a watch may catch up on }.
function api.new(options)
  local self = setmetatable({
    now = options.now,
    kinds = kinds.new(),
    store = store.new({ history = options.history }),
    calls = {},
    issued = 0,
    addresses = 0,
  }, api_mt)
  definitions.follow(self)
  return self
end

local function resource_of(entry)
  return entry.group ~= "" and entry.plural .. "." .. entry.group or entry.plural
end

local function not_found(entry, name)
  return nil, ('%s "%s" not found'):format(resource_of(entry), tostring(name)), "NOT_FOUND"
end

--- A copy under the version that was asked for.
local function shown(object, ref)
  local out = merge.copy(object)
  out.apiVersion = ref.apiVersion
  return out
end

--- The entry of the reference's kind, or nil, message, code.
function api_methods:entry(ref)
  if type(ref.apiVersion) ~= "string" or type(ref.kind) ~= "string" then
    return nil, "Object 'Kind' and 'apiVersion' are required", "INVALID"
  end
  local entry = self.kinds:of(ref.apiVersion, ref.kind)
  if not entry then return nil, "the server could not find the requested resource", "NOT_FOUND" end
  return entry
end

--- The entry and the stored object, or nil, message, code.
local function existing(self, ref)
  local entry, message, code = self:entry(ref)
  if not entry then return nil, message, code end
  local object = self.store:find(entry, ref.namespace, ref.name)
  if not object then return not_found(entry, ref.name) end
  return entry, object
end

--- The stored object itself, not to be changed; or nil.
function api_methods:peek(ref)
  local entry = self:entry(ref)
  return entry and self.store:find(entry, ref.namespace, ref.name)
end

--- The stored objects of a kind themselves, in order.
function api_methods:all(api_version, kind, namespace)
  local entry = self.kinds:of(api_version, kind)
  return entry and self.store:all(entry, namespace) or {}
end

--- The next address of a Service.
function api_methods:address()
  self.addresses = self.addresses + 1
  local n = self.addresses + 10
  return ("10.96.%d.%d"):format(n // 250 % 256, n % 250 + 1)
end

function api_methods:time()
  return rfc3339.format(self.now())
end

local function uid(self)
  self.issued = self.issued + 1
  local n = self.issued
  return ("%08x-%04x-4%03x-8000-%012x"):format(fnv.hash32("uid" .. n), n & 0xffff, n & 0xfff, n)
end

local LETTERS = "bcdfghjklmnpqrstvwxz2456789"

--- Five letters for a generated name.
function api_methods:suffix()
  self.issued = self.issued + 1
  local n, text = fnv.hash32("name" .. self.issued), ""
  for _ = 1, 5 do
    local at = n % #LETTERS + 1
    text, n = text .. LETTERS:sub(at, at), n // #LETTERS
  end
  return text
end

local function name(self, entry, object)
  local metadata = object.metadata
  if not metadata.name and metadata.generateName then metadata.name = metadata.generateName .. self:suffix() end
  if not entry.namespaced then
    metadata.namespace = nil
  elseif not metadata.namespace then
    metadata.namespace = "default"
  end
end

local function admit(self, entry, object)
  local metadata = object.metadata
  if entry.status then object.status = nil end
  local invalid = validate.check(entry, object)
  if invalid then return nil, invalid, "INVALID" end
  if self.store:find(entry, metadata.namespace, metadata.name) then
    return nil, ('%s "%s" already exists'):format(resource_of(entry), metadata.name), "EXISTS"
  end
  defaults.apply(entry, object, self)
  metadata.uid, metadata.creationTimestamp, metadata.deletionTimestamp = uid(self), self:time(), nil
  metadata.generation = entry.generation and 1 or nil
  return self.store:put(entry, object)
end

--- Creates what a client sent, and returns what is stored.
function api_methods:create(sent)
  local entry, message, code = self:entry(sent)
  if not entry then return nil, message, code end
  local object = updates.without_nulls(sent)
  object.metadata = object.metadata or {}
  local misshapen = shape.check(entry, object)
  if misshapen then return nil, misshapen, "INVALID" end
  name(self, entry, object)
  object, message, code = admit(self, entry, object)
  if not object then return nil, message, code end
  return shown(object, sent)
end

--- Stores an object as it is, status and all: the state a scenario starts from.
function api_methods:seed(object)
  local entry = assert(self:entry(object))
  local copy = merge.copy(object)
  name(self, entry, copy)
  local metadata = copy.metadata
  metadata.uid = metadata.uid or uid(self)
  metadata.creationTimestamp = metadata.creationTimestamp or self:time()
  if entry.generation then metadata.generation = metadata.generation or 1 end
  return shown(self.store:put(entry, copy), object)
end

function api_methods:get(ref)
  local entry, object, code = existing(self, ref)
  if not entry then return nil, object, code end
  return shown(object, ref)
end

--- options: { labels =, fields =, limit =, continue = }. Returns { items =, resourceVersion =, continue = }.
function api_methods:list(ref, options)
  local entry, message, code = self:entry(ref)
  if not entry then return nil, message, code end
  local page
  page, message, code = listing.page(self.store, entry, ref.namespace, options or {})
  if not page then return nil, message, code end
  for index, object in ipairs(page.items) do page.items[index] = shown(object, ref) end
  return page
end

--- Stores `new` in place of `old` if it differs; an object whose last finalizer went is gone.
local function replace(self, entry, old, new)
  if merge.equal(old, new) then return old end
  if entry.generation and updates.is_desired_change(entry, old, new) then
    new.metadata.generation = (old.metadata.generation or 0) + 1
  end
  if new.metadata.deletionTimestamp and #(new.metadata.finalizers or {}) == 0 then
    removal.remove(self, entry, new)
    return new
  end
  return self.store:put(entry, new)
end

local function update(self, entry, old, wanted, subresource)
  local misshapen = shape.check(entry, wanted)
  if misshapen then return nil, misshapen, "INVALID" end
  local version = wanted.metadata.resourceVersion
  if version and version ~= old.metadata.resourceVersion then
    return nil, ('Operation cannot be fulfilled on %s "%s": the object has been modified; please apply your ' ..
      "changes to the latest version and try again"):format(resource_of(entry), old.metadata.name), "CONFLICT"
  end
  local new = updates.bounded(entry, old, wanted, subresource)
  local invalid = validate.check(entry, new, old)
  if invalid then return nil, invalid, "INVALID" end
  if subresource ~= "status" then defaults.apply(entry, new, self) end
  return replace(self, entry, old, new)
end

--- A merge patch; metadata.resourceVersion in it is a precondition. options: { subresource = "status", apply =
--- function(object) -> object | nil, message, CODE instead of the merge }.
function api_methods:patch(ref, patch, options)
  local entry, old, code = existing(self, ref)
  if not entry then return nil, old, code end
  local apply = options and options.apply or function(object) return updates.merged(object, patch) end
  local wanted, message, refusal = apply(merge.copy(old))
  if not wanted then return nil, message, refusal end
  local object
  object, message, code = update(self, entry, old, wanted, options and options.subresource)
  if not object then return nil, message, code end
  return shown(object, ref)
end

--- The whole object, as PUT does.
function api_methods:update(sent, options)
  local metadata = sent.metadata or {}
  local entry, old, code = existing(self,
    { apiVersion = sent.apiVersion, kind = sent.kind, namespace = metadata.namespace, name = metadata.name })
  if not entry then return nil, old, code end
  local object, message
  object, message, code = update(self, entry, old, updates.without_nulls(sent), options and options.subresource)
  if not object then return nil, message, code end
  return shown(object, sent)
end

--- Replaces the status (and, for a Deployment, annotations) as the kind's own controller does.
function api_methods:set_status(object, status, annotations)
  local entry = self:entry(object)
  local old = self.store:find(entry, object.metadata.namespace, object.metadata.name)
  if not old then return end
  local new = merge.copy(old)
  new.status = status
  new.metadata.annotations = annotations or new.metadata.annotations
  if not merge.equal(old, new) then self.store:put(entry, new) end
end

--- Deletes a stored object: at once, or by a deletionTimestamp while finalizers hold it.
function api_methods:drop(entry, object, options)
  removal.drop(self, entry, object, options)
end

--- options: { resourceVersion =, uid = preconditions, propagation = "Orphan" }. Returns the last state.
function api_methods:delete(ref, options)
  local entry, object, code = existing(self, ref)
  if not entry then return nil, object, code end
  for _, key in ipairs({ "resourceVersion", "uid" }) do
    local wanted = options and options[key]
    if wanted and wanted ~= object.metadata[key] then
      return nil, ("Precondition failed: %s in precondition: %s, in object meta: %s"):format(key, wanted,
        object.metadata[key]), "CONFLICT"
    end
  end
  self:drop(entry, object, options)
  return shown(object, ref)
end

--- One request of the engine: { verb = "create"|"get"|..., ref =, body =, options =, run = function() }.
--- Returns what `run` does, or nil, message, CODE, fault.
function api_methods:call(call)
  return door.pass(self, call)
end

--- How many writes the engine has sent.
function api_methods:writes()
  local count = 0
  for _, call in ipairs(self.calls) do
    if call.write then count = count + 1 end
  end
  return count
end

return api
