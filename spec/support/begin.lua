--- A scenario up to the moment at which its user changes something: one Canary, its target, and its webhooks.

local manifests = require("spec.support.manifests")
local scenario = require("spec.support.scenario")

local begin = {}

local ANALYSIS = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25"

--- The flow-style list of webhooks { "type", ... } or { { name =, type =, more = "key: value" } }.
local function webhooks(list)
  local out = {}
  for index, hook in ipairs(list) do
    if type(hook) == "string" then hook = { name = hook, type = hook } end
    out[index] = ("{name: %s, type: %s, url: 'http://hooks/%s'%s}"):format(hook.name, hook.type, hook.name,
      hook.more and ", " .. hook.more or "")
  end
  return "[" .. table.concat(out, ", ") .. "]"
end

--- Lets `run.answers[name]` (200 without one) decide what the webhooks say; `run.calls` is what they were asked.
local function attend(run, list)
  run.answers, run.calls = {}, {}
  for _, hook in ipairs(list) do
    local name = type(hook) == "string" and hook or hook.name
    run.world.hooks["http://hooks/" .. name] = function(body, request)
      run.calls[#run.calls + 1] = { name = name, body = body, headers = request.headers, time = run.world.now,
        phase = body:match('"phase":"(%w*)"') }
      return run.answers[name] or 200, "said " .. name
    end
  end
end

--- Applied, and nothing awaited.
--- @param change table?  { provider =, analysis =, spec =, service =, target =, hooks =, deployment = as
---   manifests.deployment, objects = manifests applied before, settings = flags, check = false }
function begin.applied(change)
  change = change or {}
  local analysis = change.analysis or ANALYSIS
  if change.hooks then analysis = analysis .. ", webhooks: " .. webhooks(change.hooks) end
  local run = scenario.new({ settings = change.settings, check = change.check })
  attend(run, change.hooks or {})
  run.world:apply((change.objects or "") .. manifests.deployment("app", change.deployment) ..
    manifests.canary("app", { provider = change.provider, analysis = analysis, spec = change.spec,
      service = change.service, target = change.target }))
  return run
end

--- As applied, and Initialized.
function begin.initialised(change)
  local run = begin.applied(change)
  run:wait_for_phase("demo", "app", "Initialized")
  run:pass(1)
  return run
end

--- As initialised, with the target at podinfo:2 and its run begun.
function begin.progressing(change)
  local run = begin.initialised(change)
  run.world:set_image("demo", "app", change and change.image or "podinfo:2")
  run:wait_for_phase("demo", "app", "Progressing")
  return run
end

--- How often an event with this text was told.
function begin.told(run, text)
  local count = 0
  for _, message in ipairs(run:messages("demo")) do
    if message == text then count = count + 1 end
  end
  return count
end

--- How often a webhook was called.
function begin.asked(run, name)
  local count = 0
  for _, call in ipairs(run.calls) do
    if call.name == name then count = count + 1 end
  end
  return count
end

--- The image of a Deployment's first container.
function begin.image(run, name)
  return run.world:get("Deployment", "demo", name).spec.template.spec.containers[1].image
end

function begin.replicas(run, name)
  return run.world:get("Deployment", "demo", name).spec.replicas
end

return begin
