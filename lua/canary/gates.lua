--- Asks webhooks for a decision of the lifecycle: each at most once for one decision, events told before.
--
-- A tick that failed is run again, with the same status; what a hook answered in it still holds then, for one
-- interval at most. A new process asks again: what it cannot know it does not assume.

local hooks = require("canary.hooks")
local intents = require("canary.intents")
local notify = require("canary.notify")
local tape = require("canary.tape")

local gates = {}

--- What was answered since the status was last written.
local function answers(ctx)
  local memory, step = ctx.memory, ("%s %s"):format(ctx.status.phase or "", ctx.status.lastCheckTime or "")
  local old = memory.answers
  if not old or old.step ~= step or ctx.now - old.at > ctx.canary.analysis.interval then
    memory.answers = { step = step, at = ctx.now }
  end
  return memory.answers
end

--- Calls a hook, or takes the answer it gave to this decision already. True, or nil and a message.
--- @param phase string  what the payload calls the phase
function gates.ask(ctx, hook, phase)
  if intents.approves(ctx, hook) then
    ctx.approved = true
    return true
  end
  local known, key = answers(ctx), ("%s %s %s"):format(hook.type or "", hook.name, hook.url)
  if not known[key] then
    notify.flush(ctx)
    notify.delivered(ctx)
    known[key] = table.pack(hooks.call(ctx, hook, phase))
    tape.hook(ctx, hook, phase, known[key][1], known[key][2])
  end
  return known[key][1], known[key][2]
end

--- Asks all hooks of a type until one refuses. Returns nil, or that hook and its message.
--- @param passed function?  called with each hook that agreed
function gates.refused(ctx, kind, phase, passed)
  for _, hook in ipairs(hooks.of(ctx, kind)) do
    local ok, message = gates.ask(ctx, hook, phase)
    if not ok then return hook, message end
    if passed then passed(hook) end
  end
end

return gates
