--- The embedded cluster: an API server, workload controllers, users' requests and Prometheus, in virtual time.
--
--   local w = world.new({ start = 1767225600, rate = 100 })
--   w:apply(yaml_text); w:advance(60); w:set_image("demo", "app", "podinfo:2")
--
-- Nothing here reads the wall clock; the same calls give the same world.

local merge = require("util.merge")
local yaml = require("yaml")
local api = require("sandbox.api")
local autoscaler = require("sandbox.autoscaler")
local behaviour = require("sandbox.behaviour")
local collector = require("sandbox.collector")
local controllers = require("sandbox.controllers")
local keda = require("sandbox.keda")
local knative = require("sandbox.knative")
local pods = require("sandbox.pods")
local prometheus = require("sandbox.prometheus")
local queue = require("sandbox.queue")
local random = require("sandbox.random")
local traffic = require("sandbox.traffic")

local world = {}

local world_methods = {}
local world_mt = { __index = world_methods }

local START = 1767225600 -- 2026-01-01T00:00:00Z
local CANARY = { ["flagger.app/Canary"] = true }
local BEAT = 0.1 -- seconds between looks at a clock that is followed

--- Users of every Canary's apex Service, while options.rate says how many requests per second they send.
local function follow_canaries(self, rate)
  local sources = {}
  self.api.store:subscribe(function(event)
    if not CANARY[event.entry.id] then return end
    local metadata, spec = event.object.metadata, event.object.spec
    local key = metadata.namespace .. "/" .. metadata.name
    if event.type == "DELETED" then
      if sources[key] then self.traffic:set_rate(sources[key], 0) end
      sources[key] = nil
    elseif not sources[key] then
      local apex = (spec.service or {}).name or spec.targetRef.name
      sources[key] = self.traffic:add({ namespace = metadata.namespace, service = apex, rate = rate })
    end
  end)
end

--- options: { start = seconds since the epoch, rate = requests per second at every Canary's apex,
--- seed = number, noise = true to let requests vary, history = changes that watches may catch up on,
--- delay =, pod_start =, nodes =, hpa_period = of the controllers, in seconds }.
function world.new(options)
  options = options or {}
  local self = setmetatable({ start = options.start or START, hooks = {}, requests = {} }, world_mt)
  self.now = self.start
  self.queue = queue.new()
  self.random = random.new(options.seed or 1)
  self.api = api.new({ now = function() return self.now end, history = options.history })
  self.controllers = controllers.new(self, { delay = options.delay, start = options.pod_start, nodes = options.nodes })
  collector.attach(self, options.delay or 0.1)
  autoscaler.attach(self, options.hpa_period or 5)
  keda.attach(self, options.hpa_period or 5)
  knative.attach(self)
  self.traffic = traffic.new(self, { random = options.noise and self.random or nil })
  self.prometheus = prometheus.new(self)
  if options.rate then follow_canaries(self, options.rate) end
  if options.noise then self:every(1, function() self.traffic:touch() end) end
  return self
end

--- Calls `run` at a moment. Returns an entry whose `cancelled` may be set.
function world_methods:at(time, run)
  return self.queue:add(math.max(time, self.now), run)
end

--- Calls `run` every `seconds` from now on.
function world_methods:every(seconds, run)
  local function again()
    run()
    self:at(self.now + seconds, again)
  end
  return self:at(self.now + seconds, again)
end

--- Moves time to `target`, with everything that happens on the way.
function world_methods:advance_to(target)
  while true do
    self.traffic:refresh()
    local due = self.queue:next_time()
    if not due or due > target then break end
    self.now = math.max(self.now, due)
    self.traffic:settle()
    self.queue:pop().run()
  end
  self.now = math.max(self.now, target)
  self.traffic:settle()
end

--- Lets `seconds` pass.
function world_methods:advance(seconds)
  self:advance_to(self.now + seconds)
end

--- Ties time to a clock (the module `clock`, or what is like it) that does not stand still: what is due happens as
--- it passes. Returns a function that lets go.
function world_methods:follow(clock)
  self.clock = clock
  local stop = clock.every(BEAT, function() self:catch_up() end)
  return function()
    stop()
    self.clock = nil
  end
end

--- Moves time to that of the clock that is followed, if any.
function world_methods:catch_up()
  if self.clock then self:advance_to(math.max(self.now, self.clock.now())) end
end

--- Lets time pass until nothing is under way any more, at most `limit` seconds.
function world_methods:settle(limit)
  local stop = self.now + (limit or 60)
  while true do
    local due = self.queue:next_time()
    if not due or due > stop then break end
    self:advance_to(due)
  end
end

local function documents(input)
  if type(input) == "string" then return yaml.decode(input) end
  return input.kind and { input } or input
end

local function apply_one(self, object)
  local metadata = type(object.metadata) == "table" and object.metadata or {}
  local ref = { apiVersion = object.apiVersion, kind = object.kind, namespace = metadata.namespace or "default",
    name = metadata.name }
  if metadata.name and self.api:peek(ref) then return self.api:patch(ref, object) end
  return self.api:create(object)
end

--- As `apply`, for what somebody else wrote: nil and a message at the first object that is refused.
function world_methods:try(input)
  local list, message = documents(input)
  if not list then return nil, message end
  local out = {}
  for _, object in ipairs(list) do
    for _, item in ipairs(type(object) == "table" and (object.kind == "List" and object.items or { object }) or {}) do
      local stored, refusal = apply_one(self, item)
      if not stored then return nil, refusal end
      out[#out + 1] = stored
    end
  end
  return out
end

--- Creates or merges objects, as `kubectl apply` does: YAML text, one object, or a list. Returns what is stored.
function world_methods:apply(input)
  local out, message = self:try(input)
  if not out then error("world:apply: " .. message, 2) end
  return out
end

--- Puts objects in place with their status.
function world_methods:seed(input)
  for _, object in ipairs(assert(documents(input))) do self.api:seed(object) end
end

--- The reference of a kind that is named as people do ("deploy", "canary", "VirtualService").
function world_methods:ref(kind, namespace, name)
  local entry = self.api.kinds:named(kind)
  if not entry then error("no such kind: " .. kind, 2) end
  local api_version = entry.group ~= "" and entry.group .. "/" .. entry.version or entry.version
  return { apiVersion = api_version, kind = entry.kind, namespace = namespace, name = name }
end

--- A copy of an object, or nil.
function world_methods:get(kind, namespace, name)
  return (self.api:get(self:ref(kind, namespace, name)))
end

--- What a user changes by hand; a merge patch. Returns what is stored, or nil, message, CODE.
function world_methods:patch(kind, namespace, name, patch, options)
  return self.api:patch(self:ref(kind, namespace, name), patch, options)
end

function world_methods:annotate(kind, namespace, name, annotations)
  return self:patch(kind, namespace, name, { metadata = { annotations = annotations } })
end

function world_methods:delete(kind, namespace, name)
  return self.api:delete(self:ref(kind, namespace, name))
end

--- Gives the first (or the named) container of a Deployment another image.
function world_methods:set_image(namespace, name, image, container)
  local ref = self:ref("deploy", namespace, name)
  local object = assert(self.api:peek(ref), "no such Deployment: " .. name)
  local containers = merge.copy(object.spec.template.spec.containers)
  for index, item in ipairs(containers) do
    if item.name == container or (container == nil and index == 1) then
      item.image, item.imagePullPolicy = image, nil
    end
  end
  return self.api:patch(ref, { spec = { template = { spec = { containers = containers } } } })
end

--- From now on new pods whose name matches the glob never become ready.
function world_methods:break_pods(namespace, glob)
  table.insert(self.controllers.stuck, namespace .. "/" .. glob)
end

--- The ready pods whose name matches the glob are ready no longer, as when their process hangs.
function world_methods:fail_pods(namespace, glob)
  for _, pod in ipairs(self.api:all("v1", "Pod", namespace)) do
    if behaviour.hit(glob, pod.metadata.name) then
      self.api:set_status(pod, pods.status(pod, false, self.api:time()))
    end
  end
end

--- Pods that start from now on become ready again.
function world_methods:mend_pods()
  self.controllers.stuck = {}
end

--- The ready pods behind a Service.
function world_methods:endpoints(namespace, service)
  return (self.traffic:endpoints(namespace, service))
end

--- The events of a namespace (about objects of one name, if given), eldest first.
function world_methods:events(namespace, name)
  local out = {}
  for _, event in ipairs(self.api:all("v1", "Event", namespace)) do
    if not name or (event.involvedObject or {}).name == name then out[#out + 1] = event end
  end
  table.sort(out, function(a, b) return tonumber(a.metadata.resourceVersion) < tonumber(b.metadata.resourceVersion) end)
  return out
end

return world
