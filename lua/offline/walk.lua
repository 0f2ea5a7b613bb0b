--- The walk of one Canary through a release, as the writes that the engine makes: it is run, not told.

local merge = require("util.merge")
local stage = require("offline.stage")

local walk = {}

local HOUR = 3600
local LONGEST = 7 * 24 * HOUR
local ENDS = { Succeeded = true, Failed = true }

local function shown(call)
  if not (call.verb == "create" or call.verb == "patch" or call.verb == "delete") then return false end
  return call.ref.kind ~= "Event"
end

--- What the cluster numbers by itself says nothing here.
local function without_numbers(body)
  local out = merge.copy(body)
  local metadata = out and out.metadata
  if type(metadata) ~= "table" then return out end
  metadata.resourceVersion = nil
  for _, owner in ipairs(metadata.ownerReferences or {}) do owner.uid = "(uid of the Canary)" end
  if next(metadata) == nil then out.metadata = nil end
  return out
end

local function record(self, call)
  if not shown(call) then return end
  local ref = call.ref
  self.writes[#self.writes + 1] = { tick = self.stage.driver.ticks, at = self.stage.world.now - self.stage.world.start,
    verb = call.verb, apiVersion = ref.apiVersion, kind = ref.kind, namespace = ref.namespace, name = ref.name,
    body = without_numbers(call.body), own = ref.kind == "Canary" }
end

--- Notes what the status said when a tick had ended.
local function label(self)
  local status = self.stage.status
  self.labels[self.stage.driver.ticks] = { phase = status.phase or "Initializing", weight = status.canaryWeight or 0,
    iterations = status.iterations or 0 }
end

local function watch(self)
  local driver = self.stage.driver
  local send = driver.send
  driver.send = function(of, call)
    record(self, call)
    local result, message, code, fault = send(of, call)
    label(self)
    return result, message, code, fault
  end
end

--- Walks. { writes = { { tick, at, verb, apiVersion, kind, namespace, name, body, phase, weight, iterations, own } },
--- notes, outcome = phase, message? }; or nil and a message.
--- @param options table  { settings, scripts? }
function walk.run(canary, objects, options)
  local made, message = stage.new(canary, objects, { settings = options.settings, checks = false,
    scripts = options.scripts })
  if not made then return nil, message end
  local self = { stage = made, writes = {}, labels = {} }
  watch(self)
  local out = { writes = self.writes, notes = made.notes }
  out.outcome, out.message = made:wait({ Initialized = true, Succeeded = true, Failed = true }, HOUR)
  if out.outcome == "Initialized" then
    local changed
    made:approve()
    made.driver:pass(1)
    changed, out.message = made:release()
    if changed then
      out.changed = changed
      made:wait({ Progressing = true, Waiting = true, Promoting = true }, HOUR)
      out.outcome, out.message = made:wait(ENDS, LONGEST)
    end
  end
  if out.outcome then made.driver:pass(HOUR / 60) end
  for _, write in ipairs(self.writes) do
    local at = self.labels[write.tick]
    write.phase, write.weight, write.iterations = at.phase, at.weight, at.iterations
  end
  return out
end

return walk
