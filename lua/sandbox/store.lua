--- Objects by kind with one global resourceVersion, the history of changes, and watchers of it.
--
-- A stored object is never changed: a write puts a new table in its place. So the
-- history and readers inside the sandbox may hold references.

local store = {}

local store_methods = {}
local store_mt = { __index = store_methods }

--- options: { history = how many changes a watch may catch up on }.
function store.new(options)
  return setmetatable({
    version = 0,
    floor = 0, -- the newest version that is no longer in the history
    keep = options.history or 2000,
    objects = {}, -- id of a kind -> { [namespace "/" name] = object }
    spaces = {}, -- id of a kind -> { [namespace] = { [name] = object } }
    sorted = {}, -- id of a kind or id and namespace -> objects in order; made when asked for
    dependents = {}, -- uid of an owner -> { [key of an object] = { entry, namespace, name } }
    uids = {},
    history = {},
    first = 1,
    last = 0,
    watchers = {},
  }, store_mt)
end

local function key_of(namespace, name)
  return (namespace or "") .. "/" .. name
end

--- The stored object itself: not to be changed.
function store_methods:find(entry, namespace, name)
  local all = self.objects[entry.id]
  return all and all[key_of(entry.namespaced and namespace or nil, name)]
end

local function in_order(objects)
  local keys, out = {}, {}
  for key in pairs(objects) do keys[#keys + 1] = key end
  table.sort(keys)
  for index, key in ipairs(keys) do out[index] = objects[key] end
  return out
end

--- The stored objects of a kind in the order of their keys (in one namespace, if given); not to be changed.
function store_methods:all(entry, namespace)
  local some = namespace and namespace ~= "" and entry.namespaced
  local id = some and entry.id .. " " .. namespace or entry.id
  if not self.sorted[id] then
    local objects = self.objects[entry.id]
    if some then objects = (self.spaces[entry.id] or {})[namespace] end
    self.sorted[id] = in_order(objects or {})
  end
  return self.sorted[id]
end

--- Sets or (nil) takes away one object in the tables. Returns what was there.
local function place(self, entry, metadata, object)
  local id, space = entry.id, entry.namespaced and metadata.namespace or ""
  local key = key_of(entry.namespaced and metadata.namespace or nil, metadata.name)
  self.objects[id] = self.objects[id] or {}
  self.spaces[id] = self.spaces[id] or {}
  self.spaces[id][space] = self.spaces[id][space] or {}
  local old = self.objects[id][key]
  self.objects[id][key] = object
  self.spaces[id][space][metadata.name] = object
  self.sorted[id], self.sorted[id .. " " .. space] = nil, nil
  return old
end

local function each_owner(object, visit)
  for _, owner in ipairs(object.metadata.ownerReferences or {}) do
    if owner.uid then visit(owner.uid) end
  end
end

local function index_owners(self, entry, old, new)
  local metadata = (new or old).metadata
  local id = entry.id .. " " .. key_of(metadata.namespace, metadata.name)
  if old then
    each_owner(old, function(uid)
      if self.dependents[uid] then self.dependents[uid][id] = nil end
    end)
  end
  if not new then return end
  each_owner(new, function(uid)
    self.dependents[uid] = self.dependents[uid] or {}
    self.dependents[uid][id] = { entry = entry, namespace = new.metadata.namespace, name = new.metadata.name }
  end)
end

local function remember(self, event)
  self.last = self.last + 1
  self.history[self.last] = event
  if self.last - self.first < self.keep then return end
  self.floor = self.history[self.first].version
  self.history[self.first] = nil
  self.first = self.first + 1
end

local function commit(self, event)
  remember(self, event)
  for _, watcher in ipairs({ table.unpack(self.watchers) }) do
    if not watcher.stopped then watcher.on_event(event) end
  end
end

--- Stores `object` under a new resourceVersion and tells the watchers.
function store_methods:put(entry, object)
  self.version = self.version + 1
  object.metadata.resourceVersion = tostring(self.version)
  local old = place(self, entry, object.metadata, object)
  self.uids[object.metadata.uid] = true
  index_owners(self, entry, old, object)
  commit(self, { type = old and "MODIFIED" or "ADDED", entry = entry, object = object, old = old,
    version = self.version })
  return object
end

--- Takes an object away; `last` is its last state, which carries the version of the removal.
function store_methods:remove(entry, last)
  local old = place(self, entry, last.metadata, nil)
  self.version = self.version + 1
  last.metadata.resourceVersion = tostring(self.version)
  self.uids[last.metadata.uid] = nil
  index_owners(self, entry, old, nil)
  commit(self, { type = "DELETED", entry = entry, object = last, old = old, version = self.version })
end

--- What names `uid` as an owner: { { entry =, namespace =, name = }, ... } in a fixed order.
function store_methods:owned_by(uid)
  local ids, out = {}, {}
  for id in pairs(self.dependents[uid] or {}) do ids[#ids + 1] = id end
  table.sort(ids)
  for _, id in ipairs(ids) do out[#out + 1] = self.dependents[uid][id] end
  return out
end

--- Calls on_event({ type, entry, object, old, version }) after every change until the returned watcher is stopped.
function store_methods:subscribe(on_event)
  local watcher = { on_event = on_event }
  self.watchers[#self.watchers + 1] = watcher
  function watcher.stop()
    watcher.stopped = true
    for index, other in ipairs(self.watchers) do
      if other == watcher then table.remove(self.watchers, index) break end
    end
  end
  return watcher
end

--- The changes after `version`, oldest first; nil when the history does not reach back so far.
function store_methods:since(version)
  if version < self.floor or version > self.version then return nil end
  local out = {}
  for index = self.first, self.last do
    if self.history[index].version > version then out[#out + 1] = self.history[index] end
  end
  return out
end

return store
