--- A story on the embedded cluster: the lifecycle driven in virtual time, with everything it did on record.

local recorded = require("spec.support.recorded")
local yaml = require("yaml")

local scenario = {}

local scenario_methods = {}
local scenario_mt = { __index = scenario_methods }

local START = 1893456000 -- seconds since the epoch
local RATE = 20 -- requests per second to a Canary's apex once it is initialised
local SETTINGS = { "-metrics-server=http://prometheus:9090", "-mesh-provider=istio" }

--- options: { settings = {flags}, check = false to leave the invariants out, path = what users ask for }.
function scenario.new(options)
  options = options or {}
  local world = require("sandbox.world").new({ start = START })
  local settings = require("cli.flags").settings(options.settings or SETTINGS, function() end)
  local self = setmetatable({ world = world, statuses = {}, users = {}, settings = settings, path = options.path },
    scenario_mt)
  world.api.store:subscribe(function(event)
    if event.entry.kind ~= "Canary" then return end
    if event.type ~= "DELETED" then return self:record(event.object) end
    self:send_away(event.object)
  end)
  local tick = require("canary.tick")
  self.driver = require("sandbox.driver").new(world, {
    tick = tick.run,
    settings = settings,
    check = options.check ~= false,
  })
  return self
end

function scenario_methods:record(object)
  if not object.status or not object.status.phase then return end
  local id = object.metadata.namespace .. "/" .. object.metadata.name
  local list = self.statuses[id] or {}
  self.statuses[id] = list
  list[#list + 1] = object.status
  if object.status.phase == "Initialized" and not self.users[id] then
    local apex = (object.spec.service or {}).name or object.spec.targetRef.name
    self.users[id] = self.world.traffic:add({ namespace = object.metadata.namespace, service = apex, rate = RATE,
      path = self.path })
  end
end

--- Nobody asks for what a deleted Canary served.
function scenario_methods:send_away(object)
  local id = object.metadata.namespace .. "/" .. object.metadata.name
  if self.users[id] then self.world.traffic:set_rate(self.users[id], 0) end
  self.users[id] = nil
end

--- Steps "phase weight iterations" that a Canary went through, without repetitions.
function scenario_methods:steps(namespace, name)
  local out = {}
  for _, status in ipairs(self.statuses[namespace .. "/" .. name] or {}) do
    local step = recorded.step(status)
    if out[#out] ~= step then out[#out + 1] = step end
  end
  return out
end

function scenario_methods:status(namespace, name)
  local object = self.world:get("Canary", namespace, name)
  return object and object.status or {}
end

function scenario_methods:condition(namespace, name, kind)
  for _, item in ipairs(self:status(namespace, name).conditions or {}) do
    if item.type == kind then return item end
  end
end

--- Lets time pass until `done()`. True, or nil and why not, with the last tick that failed.
local function run(self, done, seconds)
  local ok, message = self.driver:run(done, seconds)
  if ok then return true end
  local last = self.driver.errors[#self.driver.errors]
  if not last then return nil, message end
  return nil, ("%s; the last of %d failed ticks: %s"):format(message, #self.driver.errors, last.message)
end

--- Lets time pass until `done()`; an error when that is not within `seconds` of virtual time.
function scenario_methods:wait(done, seconds, what)
  local ok, message = run(self, done, seconds or 600)
  if not ok then error(("%s: %s"):format(what or "the state that was waited for", message), 2) end
end

function scenario_methods:wait_for_phase(namespace, name, phase, seconds)
  local ok, message = run(self, function() return self:status(namespace, name).phase == phase end, seconds or 600)
  if ok then return end
  error(("phase %s of %s: %s (now %s)"):format(phase, name, message, tostring(self:status(namespace, name).phase)), 2)
end

--- Lets `seconds` of virtual time pass.
function scenario_methods:pass(seconds)
  local ok, message = self.driver:pass(seconds)
  if not ok then error(message, 2) end
end

--- The texts of all events of a namespace, in order.
function scenario_methods:messages(namespace)
  local events, out = {}, {}
  for _, event in ipairs(self.world.api:all("v1", "Event", namespace)) do events[#events + 1] = event end
  table.sort(events, function(a, b)
    return tonumber(a.metadata.resourceVersion) < tonumber(b.metadata.resourceVersion)
  end)
  for index, event in ipairs(events) do out[index] = event.message end
  return out
end

--- Every PromQL text that was asked, in order.
function scenario_methods:queries()
  local out = {}
  for index, item in ipairs(self.world.prometheus.queries) do out[index] = item.query end
  return out
end

--- Answers every webhook named in the manifests with `status`, and keeps the calls in `self.calls`.
function scenario_methods:answer_hooks(manifests, status)
  self.calls = self.calls or {}
  for _, object in ipairs(assert(yaml.decode(manifests))) do
    local analysis = object.spec and object.spec.analysis
    for _, hook in ipairs(analysis and analysis.webhooks or {}) do
      self.world.hooks[hook.url] = function(body, request)
        self.calls[#self.calls + 1] = { name = hook.name, body = body, headers = request.headers }
        return status, ""
      end
    end
  end
end

return scenario
