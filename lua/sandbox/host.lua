--- The direct door: the host's functions for the engine's Lua, answered by a world, at once and in virtual time.

local json = require("json")
local merge = require("util.merge")
local rfc3339 = require("util.rfc3339")
local door = require("sandbox.door")
local form = require("sandbox.form")
local random = require("sandbox.random")

local host = {}

--- The key under which an object is remembered as looked at.
function host.key(api, ref)
  local entry = api:entry(ref)
  local id = entry and entry.id or ref.apiVersion .. "/" .. ref.kind
  local namespace = entry and not entry.namespaced and "" or ref.namespace or ""
  return ("%s %s/%s"):format(id, namespace, ref.name or "*")
end

local function ref_of(object)
  local metadata = object.metadata or {}
  return { apiVersion = object.apiVersion, kind = object.kind, namespace = metadata.namespace, name = metadata.name }
end

--- The host takes no answer about another object than the one it asked for (engine/cache.h, cache_check).
local function checked(ref, object, message, code)
  if object and (object.metadata or {}).name ~= ref.name then
    return nil, ("the answer is about another object than %s %s"):format(ref.kind, ref.name), "BAD_ANSWER"
  end
  return object, message, code
end

--- Declared kinds whose data is fetched once per version: each fetch is a request.
local function fetched(self, ref, object)
  local entry = self.api:entry(ref)
  if not self.metadata_only[entry.id] then return object end
  local key, version = host.key(self.api, ref), object.metadata.resourceVersion
  if self.fetched[key] == version then return object end
  local answer, message, code = checked(ref, self.api:call({ verb = "get", ref = ref,
    run = function() return object end }))
  if answer then self.fetched[key] = version end
  return answer, message, code
end

local function kube_of(self)
  local api, kube = self.api, {}

  function kube.kinds(list)
    for _, item in ipairs(list) do
      local entry = api.kinds:add(item.apiVersion, item.kind, { plural = item.plural, namespaced = item.namespaced })
      self.metadata_only[entry.id] = item.metadata or nil
    end
  end

  function kube.get(ref)
    self.on_look(host.key(api, ref))
    local object, message, code = api:get(ref)
    if not object then return nil, message, code end
    return fetched(self, ref, object)
  end

  function kube.list(ref)
    self.on_look(host.key(api, { apiVersion = ref.apiVersion, kind = ref.kind, namespace = ref.namespace }))
    local page, message, code = api:list(ref)
    if not page then return nil, message, code end
    return page.items
  end

  --- What a scenario put at that path into `world.readable`.
  function kube.read(path)
    local given = (self.world.readable or {})[path]
    if given == nil then return nil, "the server could not find the requested resource", "NOT_FOUND" end
    return merge.copy(given)
  end

  function kube.create(object)
    local sent = merge.copy(object)
    local ref = ref_of(object)
    return checked(ref, self.send({ verb = "create", ref = ref, body = sent,
      run = function() return api:create(sent) end }))
  end

  function kube.patch(ref, patch, options)
    local sent = merge.copy(patch)
    return checked(ref, self.send({ verb = "patch", ref = ref, body = sent, options = options,
      run = function() return api:patch(ref, sent, options) end }))
  end

  function kube.delete(ref, options)
    return self.send({ verb = "delete", ref = ref, options = options, run = function() return api:delete(ref) end })
  end

  function kube.event(event)
    local sent, options = merge.copy(event), { event = true }
    local _, message, code
    if event.patch then
      local ref = { apiVersion = "v1", kind = "Event", namespace = event.namespace, name = event.name }
      _, message, code = self.send({ verb = "patch", ref = ref, body = sent.patch, options = options,
        run = function() return api:patch(ref, sent.patch) end })
    else
      _, message, code = self.send({ verb = "create", ref = ref_of(event), body = sent, options = options,
        run = function() return api:create(sent) end })
    end
    if code then self.log.warn("event: " .. message) end
  end

  return kube
end

local function without_query(url)
  return (url:gsub("%?.*$", ""))
end

--- The address whose queries the world's Prometheus answers.
local PROMETHEUS = "http://prometheus:9090"

local function from_hook(hook, request)
  local status, body, headers = hook(request.body, request)
  -- A hook that fails says so as kube and http do: nil, message, CODE.
  if status == nil then return nil, body or "connection refused", headers or "UNREACHABLE" end
  if type(body) == "table" then body = json.encode(body) end
  return { status = status, headers = headers or {}, body = body or "" }
end

local function answer(self, request)
  local world, url = self.world, without_query(request.url)
  local hook = world.hooks[request.url] or world.hooks[url]
  if hook then return from_hook(hook, request) end
  local base = (self.settings.metrics_server or PROMETHEUS):gsub("/+$", "")
  local is_query = url:find("/api/v1/query$") ~= nil
  if is_query and (url:sub(1, #base) == base or url:sub(1, #PROMETHEUS) == PROMETHEUS) then
    local fields = form.decode(request.method == "POST" and request.body or request.url:match("%?(.*)$") or "")
    return world.prometheus:http(fields.query)
  end
  return nil, "could not resolve host: " .. (url:match("^%a+://([^/:]+)") or url), "UNREACHABLE"
end

local function http_of(self)
  local http = {}
  function http.request(request)
    local fault = door.outside(self.world, { method = request.method or "GET", url = request.url, body = request.body,
      headers = request.headers })
    if fault then return nil, fault.message, fault.code end
    return answer(self, request)
  end
  return http
end

local function clock_of(self)
  local world = self.world
  return {
    now = function() return world.now + 0.0 end,
    monotonic = function() return world.now - world.start + 0.0 end,
    rfc3339 = function(seconds) return rfc3339.format(seconds) end,
    rfc3339_micro = function(seconds) return rfc3339.format(seconds, 6) end,
    parse = function(text)
      local seconds = rfc3339.parse(text)
      if not seconds then return nil, "not an RFC 3339 time: " .. tostring(text), "INVALID" end
      return seconds
    end,
    sleep = function(seconds) self.sleep(seconds) end,
    every = function(seconds, fn)
      local entry = { stopped = false }
      world:every(seconds, function() if not entry.stopped then fn() end end)
      return function() entry.stopped = true end
    end,
  }
end

local function log_of(self)
  local log = {}
  for _, level in ipairs({ "debug", "info", "warn", "error" }) do
    log[level] = function(message, fields)
      self.logs[#self.logs + 1] = { time = self.world.now, level = level, message = message, fields = fields }
    end
  end
  return log
end

--- Bytes as digest.random gives them, from a generator with a seed.
local function bytes_of(generator)
  return function(n)
    local out = {}
    for index = 1, n do out[index] = string.char(math.floor(generator() * 256)) end
    return table.concat(out)
  end
end

--- options: { settings = {}, seed = number, on_look = function(key), send = function(call) -> what api:call does,
--- sleep = function(seconds) }. The result has kube, http, clock, log, random, settings, and `logs`.
function host.new(world, options)
  options = options or {}
  local self = {
    world = world, api = world.api, settings = options.settings or {}, logs = {}, fetched = {}, metadata_only = {},
    random = bytes_of(random.new(options.seed or 7)),
  }
  self.looked = {}
  self.on_look = options.on_look or function(key) self.looked[key] = true end
  self.send = options.send or function(call) return world.api:call(call) end
  self.sleep = options.sleep or function(seconds) world:advance(seconds) end
  self.log = log_of(self)
  self.getenv = function() return nil end -- nothing of this machine is seen from inside
  self.clock, self.kube, self.http = clock_of(self), kube_of(self), http_of(self)
  return self
end

return host
