--- What a run was told and what it made of it, for `serin replay`: host.tape takes each record, nil where none is kept.
--
--   subject   the Canary's spec, its MetricTemplates and the names in its Secrets, whenever they are other than before
--   check     the answers to one check, and its verdict
--   hook      what a webhook said
--   decision  what a policy got, and what it answered
-- No request is on it, and nothing of a Secret but the names of its keys.

local json = require("json")

local tape = {}

local SHOWN = { "interval", "threshold", "max_weight", "step_weight", "step_weights", "iterations", "mirror" }

local function key(ctx) return ctx.namespace .. "/" .. ctx.name end

local function names_of(secrets)
  local out = {}
  for name, data in pairs(secrets) do
    local list = json.array()
    for field in pairs(type(data) == "table" and data or {}) do list[#list + 1] = field end
    table.sort(list)
    out[name] = list
  end
  return out
end

local function templates_of(templates)
  local out = {}
  for name, object in pairs(templates) do
    out[name] = type(object) == "table" and { metadata = { name = object.metadata.name,
      namespace = object.metadata.namespace }, spec = object.spec } or object
  end
  return out
end

--- The Canary as its checks are planned, when that changed.
function tape.subject(ctx, templates, secrets)
  if not ctx.host.tape then return end
  local canary, settings = ctx.canary, ctx.host.settings
  local record = { type = "subject", canary = key(ctx), spec = ctx.object.spec, names = canary.names,
    revision_name = canary.revision_name, templates = templates_of(templates), secrets = names_of(secrets),
    settings = { mesh_provider = settings.mesh_provider, metrics_server = settings.metrics_server } }
  local text = json.encode(record)
  if ctx.memory.subject == text then return end
  ctx.memory.subject = text
  record.at = ctx.now
  ctx.host.tape(record)
end

--- A function that notes each answer of a check; then the verdict.
function tape.check(ctx, item)
  if not ctx.host.tape then return function() end, function() end end
  local answers = json.array()
  local function heard(answer, message, code)
    local kept = answer
    if type(answer) == "table" and answer.status then kept = { status = answer.status, body = answer.body } end
    answers[#answers + 1] = { answer = kept, message = message, code = code }
  end
  return heard, function(verdict)
    ctx.host.tape({ type = "check", canary = key(ctx), at = ctx.now, index = item.index, kind = item.kind,
      name = item.name, answers = answers, verdict = verdict })
  end
end

function tape.hook(ctx, hook, phase, ok, message)
  if not ctx.host.tape then return end
  ctx.host.tape({ type = "hook", canary = key(ctx), at = ctx.now, name = hook.name, hook = hook.type, phase = phase,
    ok = ok == true, message = message })
end

--- @param input table  what canary.policies.decide got
function tape.decision(ctx, input, answer, message)
  if not ctx.host.tape then return end
  local canary, analysis = ctx.canary, {}
  for _, name in ipairs(SHOWN) do analysis[name] = canary.analysis[name] end
  ctx.host.tape({ type = "decision", canary = key(ctx), at = ctx.now, policy = input.policy, now = input.now,
    checks = input.checks, samples = input.samples, state = input.state, strategy = canary.strategy,
    analysis = analysis, provider = canary.provider, target = canary.target.name, revision = ctx.revision,
    custom = canary.custom_policy ~= nil, answer = answer, message = message })
end

return tape
