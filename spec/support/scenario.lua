--- A story on the embedded cluster: the lifecycle driven in virtual time, with everything it did on record.

local recorded = require("spec.support.recorded")
local yaml = require("yaml")

local scenario = {}

local scenario_methods = {}
local scenario_mt = { __index = scenario_methods }

local SETTINGS = { "-metrics-server=http://prometheus:9090", "-mesh-provider=istio" }

--- options: { settings = {flags}, check = false to leave the invariants out }.
function scenario.new(options)
  options = options or {}
  local world = require("sandbox.world").new({ start = 1893456000 })
  local settings = require("cli.flags").settings(options.settings or SETTINGS, function() end)
  local self = setmetatable({ world = world, statuses = {}, settings = settings }, scenario_mt)
  world.api.store:subscribe(function(event)
    if event.entry.kind ~= "Canary" or event.type == "DELETED" then return end
    self:record(event.object)
  end)
  local tick = require("canary.tick")
  self.driver = require("sandbox.driver").new(world, {
    tick = function(host, namespace, name) return tick.run(host, namespace, name) end,
    settings = settings,
    invariants = options.check ~= false,
  })
  return self
end

function scenario_methods:record(object)
  if not object.status or not object.status.phase then return end
  local id = object.metadata.namespace .. "/" .. object.metadata.name
  local list = self.statuses[id] or {}
  self.statuses[id] = list
  list[#list + 1] = object.status
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

--- Lets time pass until `done()`; an error when that is not within `seconds` of virtual time.
function scenario_methods:wait(done, seconds, what)
  if self.driver:run(done, seconds or 600) then return end
  error(("%s did not come about within %d s of virtual time"):format(what or "the state", seconds or 600), 2)
end

function scenario_methods:wait_for_phase(namespace, name, phase, seconds)
  self:wait(function() return self:status(namespace, name).phase == phase end, seconds,
    ("phase %s of %s (now %s)"):format(phase, name, tostring(self:status(namespace, name).phase)))
end

--- Lets `seconds` of virtual time pass.
function scenario_methods:pass(seconds)
  self.driver:run(function() return false end, seconds)
end

--- The texts of all events of a namespace, in order.
function scenario_methods:messages(namespace)
  local out = {}
  for index, event in ipairs(self.world:events(namespace)) do out[index] = event.message end
  return out
end

--- Every PromQL text that was asked, in order.
function scenario_methods:queries()
  return self.world.prometheus.asked
end

--- Answers every webhook named in the manifests with `status`, and keeps the calls in `self.calls`.
function scenario_methods:answer_hooks(manifests, status)
  self.calls = self.calls or {}
  for _, object in ipairs(assert(yaml.decode(manifests))) do
    local analysis = object.spec and object.spec.analysis
    for _, hook in ipairs(analysis and analysis.webhooks or {}) do
      self.world.hooks[hook.url] = function(body)
        self.calls[#self.calls + 1] = { name = hook.name, body = body }
        return status, ""
      end
    end
  end
end

return scenario
