--- Requests of users: from sources along the routes to ready pods, counted over virtual time.
--
-- Rates change only when a route, a Service, a pod or a behaviour does; between such moments the counters are
-- straight lines. `lost` counts the requests that met a Service without a ready pod, or no route at all; `failed`
-- those that a pod answered with an error; `served` all that a pod answered.

local behaviour = require("sandbox.behaviour")
local counter = require("sandbox.counter")
local pods = require("sandbox.pods")
local routes = require("sandbox.routes")

local traffic = {}

local traffic_methods = {}
local traffic_mt = { __index = traffic_methods }

--- options: { random = function() -> 0..1, to let the rates of each second vary }.
function traffic.new(world, options)
  local self = setmetatable({
    world = world,
    api = world.api,
    random = options.random,
    sources = {},
    flows = {}, -- namespace -> { [key] = flow }
    order = {}, -- all flows, in the order they began
    overrides = {},
    dirty = {},
    lost = 0.0,
    served = 0.0,
    failed = 0.0,
    losing = {}, -- namespace -> { { service =, rate = } }
    rates = {}, -- namespace -> { lost =, served =, failed = }
    settled = world.now,
  }, traffic_mt)
  self.kinds = { Service = true, Pod = true }
  for _, reader in ipairs(routes.readers) do self.kinds[reader.kind] = true end
  self.api.store:subscribe(function(event)
    if self.kinds[event.entry.kind] then self:touch(event.object.metadata.namespace) end
  end)
  return self
end

--- Something that requests depend on has changed in a namespace (everywhere, if nil).
function traffic_methods:touch(namespace)
  if not namespace then
    for _, source in ipairs(self.sources) do self.dirty[source.namespace] = true end
  else
    self.dirty[namespace] = true
  end
end

--- Adds users: { namespace =, service = apex, rate = per second, headers = {}, path = "/", method = "GET",
--- direct = true to pass by the routes, port = }. Returns it; change its fields through `change`.
function traffic_methods:add(source)
  source.request = { path = source.path or "/", method = source.method or "GET", headers = {}, host = source.host }
  for name, value in pairs(source.headers or {}) do source.request.headers[name:lower()] = value end
  self.sources[#self.sources + 1] = source
  self.dirty[source.namespace] = true
  return source
end

--- Changes the rate of a source from now on.
function traffic_methods:set_rate(source, rate)
  source.rate = rate
  self.dirty[source.namespace] = true
end

--- Where no route object is known here, so many percent of a source's requests go to the canary, the others to the
--- primary: what a router says whose objects only its own proxy can read.
function traffic_methods:divide(source, weight)
  source.weight = weight
  self.dirty[source.namespace] = true
end

--- Lets pods behave otherwise: { match = glob on "namespace/pod" or on the image, errors = share, latency = seconds,
--- status = }. Later rules win.
function traffic_methods:override(rule)
  self.overrides[#self.overrides + 1] = rule
  self:touch()
  return rule
end

function traffic_methods:clear_overrides()
  self.overrides = {}
  self:touch()
end

--- The ready pods behind a Service.
function traffic_methods:endpoints(namespace, name)
  local service = self.api:peek({ apiVersion = "v1", kind = "Service", namespace = namespace, name = name })
  local out = {}
  local selector = service and service.spec.selector
  if not selector or next(selector) == nil then return out, service end
  for _, pod in ipairs(self.api:all("v1", "Pod", namespace)) do
    local labels, all = pod.metadata.labels or {}, pods.is_ready(pod)
    for key, value in pairs(selector) do all = all and labels[key] == value end
    if all then out[#out + 1] = pod end
  end
  return out, service
end

--- How one request to `apex` is divided: { { service =, share =, mirror = bool, rule = its place, from 0 } }, the
--- route's name and reader.
function traffic_methods:shares(namespace, apex, request, direct)
  local object, reader
  if not direct then object, reader = routes.find(self.api, namespace, apex) end
  if not object then return { { service = apex, share = 1 } } end
  local group, out, total = routes.choose(reader.groups(object, apex), request), {}, 0
  for _, backend in ipairs(group and group.backends or {}) do total = total + backend.weight end
  for _, backend in ipairs(total > 0 and group.backends or {}) do
    if backend.weight > 0 then
      out[#out + 1] = { service = backend.service, share = backend.weight / total, rule = group.at and group.at - 1 }
    end
  end
  for _, mirror in ipairs(total > 0 and group.mirrors or {}) do
    out[#out + 1] = { service = mirror.service, share = mirror.share, mirror = true }
  end
  return out, object, reader
end

local function flow_of(self, namespace, key, make)
  local flows = self.flows[namespace] or {}
  self.flows[namespace] = flows
  local flow = flows[key]
  if not flow or flow.counter.gone then
    flow = make()
    flow.namespace, flow.counter, flow.rate = namespace, counter.new(self.world.now), 0.0
    flows[key], self.order[#self.order + 1] = flow, flow
  end
  return flow
end

local function workload_of(pod)
  local owner = (pod.metadata.ownerReferences or {})[1]
  return owner and owner.name or pod.metadata.name
end

local function count(self, part, pod, status, latency, rate)
  if rate == 0 then return end
  local name = pod and pod.metadata.name
  local key = table.concat({ name or "-", part.service, part.via, part.route, status, latency, part.rule }, " ")
  local flow = flow_of(self, part.namespace, key, function()
    return {
      pod = name, app = pod and pod.metadata.labels.app, workload = pod and workload_of(pod),
      version = pod and behaviour.version(pod.spec.containers[1].image), service = part.service, port = part.port,
      status = status, latency = latency, via = part.via, route = part.route, canary = part.canary,
      rule = part.rule,
    }
  end)
  flow.rate = flow.rate + rate
end

local function send(self, part, rate, mirror)
  local ready, service = self:endpoints(part.namespace, part.service)
  local port = service and (service.spec.ports or {})[1]
  part.port = port and port.port or 0
  local totals = self.rates[part.namespace]
  if #ready == 0 then
    if not mirror then
      totals.lost = totals.lost + rate
      table.insert(self.losing[part.namespace], { service = part.service, rate = rate })
    end
    return count(self, part, nil, 503, 0.0, rate)
  end
  if not mirror then totals.served = totals.served + rate end
  for _, pod in ipairs(ready) do
    local b = behaviour.of(pod, self.overrides)
    local each = rate / #ready
    if not mirror then totals.failed = totals.failed + each * b.errors end
    count(self, part, pod, b.status, b.latency, each * b.errors)
    count(self, part, pod, 200, b.latency, each * (1 - b.errors))
  end
end

local function divided(source)
  local out = {}
  for _, arm in ipairs({ { "primary", 100 - source.weight }, { "canary", source.weight } }) do
    if arm[2] > 0 then out[#out + 1] = { service = source.service .. "-" .. arm[1], share = arm[2] / 100 } end
  end
  return out
end

local function follow(self, source)
  local shares, object, reader = self:shares(source.namespace, source.service, source.request, source.direct)
  if not object and source.weight then shares = divided(source) end
  if #shares == 0 then shares = { { service = source.service, share = 1, nowhere = true } } end
  for _, share in ipairs(shares) do
    local part = {
      namespace = source.namespace, service = share.service, via = reader and reader.name or "service",
      route = object and object.metadata.name or source.service, canary = share.service:find("%-canary$") ~= nil,
      rule = share.rule,
    }
    if share.nowhere then
      local totals = self.rates[source.namespace]
      totals.lost = totals.lost + source.rate
      table.insert(self.losing[source.namespace], { service = source.service, rate = source.rate })
    else
      send(self, part, source.rate * share.share, share.mirror)
    end
  end
end

--- Counts vary as those of independent users do: normal, with the variance of the mean.
local function varied(self, rate)
  if not self.random or rate == 0 then return rate end
  local u, v = math.max(self.random(), 1e-12), self.random()
  local gauss = math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v)
  return math.max(0.0, math.floor(rate + math.sqrt(rate) * gauss + 0.5))
end

local function is_gone(self, flow)
  if not flow.pod then return false end
  return self.api:peek({ apiVersion = "v1", kind = "Pod", namespace = flow.namespace, name = flow.pod }) == nil
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function refresh_namespace(self, namespace)
  local now, flows = self.world.now, self.flows[namespace] or {}
  self.flows[namespace] = flows
  for _, flow in pairs(flows) do flow.rate = 0.0 end
  self.rates[namespace], self.losing[namespace] = { lost = 0.0, served = 0.0, failed = 0.0 }, {}
  for _, source in ipairs(self.sources) do
    if source.namespace == namespace then follow(self, source) end
  end
  for _, key in ipairs(sorted_keys(flows)) do
    local flow = flows[key]
    if is_gone(self, flow) then
      flow.counter:stop(now)
    elseif not flow.counter.gone then
      flow.counter:set_rate(varied(self, flow.rate), now)
    end
  end
end

--- Brings the rates up to date; to be called before time moves on or anybody looks.
function traffic_methods:refresh()
  self:settle()
  if next(self.dirty) == nil then return end
  local namespaces = sorted_keys(self.dirty)
  self.dirty = {}
  for _, namespace in ipairs(namespaces) do refresh_namespace(self, namespace) end
end

--- Adds up what was served, failed and lost until now.
function traffic_methods:settle()
  local now = self.world.now
  local seconds = now - self.settled
  self.settled = now
  if seconds == 0 then return end
  for _, namespace in ipairs(sorted_keys(self.rates)) do
    local rates = self.rates[namespace]
    self.lost = self.lost + rates.lost * seconds
    self.served = self.served + rates.served * seconds
    self.failed = self.failed + rates.failed * seconds
  end
end

return traffic
