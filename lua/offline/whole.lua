--- A whole release on the embedded cluster under stated traffic, with everything that happened as a timeline.

local form = require("sandbox.form")
local stage = require("offline.stage")

local whole = {}

local HOUR = 3600
local ENDS = { Promoting = true, Succeeded = true, Failed = true }

--- Lets the world's Prometheus answer at the addresses that the manifests name.
local function answer_queries(made, canary, objects)
  local addresses = { canary.spec.metricsServer }
  for _, object in ipairs(objects) do
    local spec = object.kind == "MetricTemplate" and object.spec
    local provider = type(spec) == "table" and spec.provider
    if type(provider) == "table" and provider.type == "prometheus" then addresses[#addresses + 1] = provider.address end
  end
  for _, address in ipairs(addresses) do
    made.world.hooks[address:gsub("/+$", "") .. "/api/v1/query"] = function(body, request)
      local fields = form.decode(request.method == "POST" and body or request.url:match("%?(.*)$") or "")
      local reply = made.world.prometheus:http(fields.query)
      return reply.status, reply.body, reply.headers
    end
  end
end

--- From now on both arms behave as the state says. The later rule wins: the primary's name begins with the target's.
local function behave(made, state)
  local world, target = made.world, made.namespace .. "/" .. made.canary.spec.targetRef.name
  world.traffic:clear_overrides()
  world.traffic:override({ match = target .. "-*", errors = state.canary_errors, latency = state.canary_latency })
  world.traffic:override({ match = target .. "-primary-*", errors = state.primary_errors,
    latency = state.primary_latency })
  world.prometheus.down = not state.prometheus
  made.hooks_down = not state.hooks
  if made.users then world.traffic:set_rate(made.users, state.rps) end
  if state.tests > 0 and not made.tests then
    made.tests = world.traffic:add({ namespace = made.namespace, service = made.apex .. "-canary", rate = state.tests,
      direct = true })
  elseif made.tests then
    world.traffic:set_rate(made.tests, state.tests)
  end
end

local function follow(made, segments, began)
  for _, state in ipairs(segments) do
    made.world:at(began + state.from, function() behave(made, state) end)
  end
end

local function checks_of(status)
  local out = {}
  for index, item in ipairs(type(status.checks) == "table" and status.checks or {}) do
    out[index] = { name = item.name, verdict = item.verdict, value = item.value, rule = item.rule }
  end
  return out
end

--- Notes each status that differs from the one before, and each Warning when it was told.
local function watch(made, began, timeline, warnings)
  local last
  made.world.api.store:subscribe(function(event)
    if event.type == "DELETED" then return end
    if event.entry.kind == "Event" and event.object.type == "Warning" then
      warnings[#warnings + 1] = { time = made.world.now - began, message = event.object.message }
    end
    if event.entry.kind ~= "Canary" then return end
    local status = event.object.status or {}
    local step = ("%s %g %d %d %s"):format(status.phase or "", status.canaryWeight or 0, status.iterations or 0,
      status.failedChecks or 0, status.lastCheckTime or "")
    if step == last then return end
    last = step
    timeline[#timeline + 1] = { time = made.world.now - began, phase = status.phase, weight = status.canaryWeight or 0,
      iterations = status.iterations or 0, failed_checks = status.failedChecks or 0, checks = checks_of(status),
      warnings = {}, waiting = type(status.waiting) == "table" and status.waiting["for"] or nil }
  end)
end

--- Puts each Warning to the last entry before it.
local function settle(timeline, warnings)
  for _, warning in ipairs(warnings) do
    local at
    for _, entry in ipairs(timeline) do
      if entry.time <= warning.time then at = entry end
    end
    if at then at.warnings[#at.warnings + 1] = warning.message end
  end
end

--- When the first check was made: the first entry of a run that is past its beginning.
local function first_of(timeline)
  local begun = false
  for _, entry in ipairs(timeline) do
    if begun and (entry.weight > 0 or entry.iterations > 0 or entry.failed_checks > 0 or #entry.checks > 0) then
      return entry.time
    end
    begun = begun or entry.phase == "Progressing"
  end
  return nil
end

local function words(phase)
  if phase == "Failed" then return "rolled back" end
  return (phase == "Promoting" or phase == "Succeeded") and "promoted" or "undecided"
end

--- { outcome = "promoted" | "rolled back" | "undecided", time = seconds to the verdict, first = seconds to the first
--- check, timeline, notes, message?, failed = requests of users, lost = those nobody answered }; or nil and a message.
--- @param options table  { settings, segments, policy, seed, noise, limit, scripts? }
function whole.run(canary, objects, options)
  local made, message = stage.new(canary, objects, { settings = options.settings, policy = options.policy,
    seed = options.seed, noise = options.noise, rate = options.segments[1].rps, scripts = options.scripts })
  if not made then return nil, message end
  answer_queries(made, canary, objects)
  local phase
  phase, message = made:wait({ Initialized = true, Failed = true }, HOUR)
  if phase ~= "Initialized" then return nil, "it is not initialised: " .. (message or "phase " .. tostring(phase)) end
  made.driver:pass(1)
  local began, timeline, warnings = made.world.now, {}, {}
  follow(made, options.segments, began)
  watch(made, began, timeline, warnings)
  local changed
  changed, message = made:release()
  if not changed then return nil, message end
  local failed, lost = made.world.traffic.failed, made.world.traffic.lost
  phase, message = made:wait(ENDS, options.limit)
  local out = { outcome = words(phase), time = made.world.now - began, first = first_of(timeline), timeline = timeline,
    notes = made.notes, message = message, failed = made.world.traffic.failed - failed }
  if phase == "Promoting" then made:wait({ Succeeded = true, Failed = true }, 24 * HOUR) end
  settle(timeline, warnings)
  out.lost, out.ended = made.world.traffic.lost - lost, made.status.phase
  return out
end

return whole
