--- Runs the checks of one interval: rollout hooks, then metrics. Unknown is not success.

local ambient = require("canary.ambient")
local check = require("metrics.check")
local gates = require("canary.gates")
local notify = require("canary.notify")
local scripted = require("canary.scripted")
local tape = require("canary.tape")

local analyse = {}

--- Reads references by `kube.get`: { [key] = part of the object }. What could not be read for another reason
--- than its absence is the text that says why.
local function read(ctx, references, part)
  local out = {}
  for _, ref in ipairs(references) do
    local object, message, code = ctx.host.kube.get(ref)
    if object then
      out[ref.key] = part and (object[part] or {}) or object
    elseif code ~= "NOT_FOUND" then
      out[ref.key] = message
    end
  end
  return out
end

local function items(ctx, list)
  local templates = read(ctx, check.reads(ctx.canary))
  local secrets = read(ctx, check.secrets(ctx.canary, templates), "data")
  tape.subject(ctx, templates, secrets)
  local surroundings = ambient.read(check.ambient(ctx.canary, templates), ctx.host.getenv)
  return list(ctx.canary, ctx.host.settings, templates, ctx.now, secrets, surroundings)
end

-- Requests that are not HTTP ask the cluster, with the engine's own rights.
local KUBE = {
  get = function(kube, request) return kube.get(request.ref) end,
  read = function(kube, request) return kube.read(request.path) end,
  create = function(kube, request) return kube.create(request.object) end,
  delete = function(kube, request) return kube.delete(request.ref) end,
}

local function send(ctx, request)
  if request.after then ctx.host.clock.sleep(request.after) end
  if request.kube then return KUBE[request.kube](ctx.host.kube, request) end
  return ctx.host.http.request(request)
end

--- Asks until there is a result; how often is bounded in metrics/dialogue.lua.
--- @param heard function?  told each answer
local function ask(ctx, item, heard)
  if item.kind == "script" then return scripted.verdict(ctx, item) end
  if not item.request then return item.judge() end
  local result
  local request = item.request
  repeat
    local answer, message, code = send(ctx, request)
    if heard then heard(answer, message, code) end
    result, request = item.judge(answer, message, code)
  until not request
  return result
end

local function check_hooks(ctx, results)
  local hook, message = gates.refused(ctx, "rollout", "Progressing", function(passed)
    results[#results + 1] = { name = passed.name, verdict = "pass", rule = "webhook" }
  end)
  if not hook then return true end
  notify.warning(ctx, ("Halt %s advancement external check %s failed %s"):format(ctx.label, hook.name, message))
  results[#results + 1] = { name = hook.name, verdict = "fail", rule = "webhook", value = message }
  return false
end

--- What a verdict means for the step: "pass", "fail", or "hold" that counts as neither.
local function meaning(ctx, item, verdict)
  if verdict.verdict == "pass" then return "pass" end
  local metric = ctx.canary.analysis.metrics[item.index] or {}
  return verdict.verdict == "nodata" and metric.onNoData or "fail"
end

--- True when every check passed; the verdicts of all that were made, with their evidence; and true when nothing but
--- missing data is against the step and the spec says that it holds (onNoData).
function analyse.run(ctx)
  local results = {}
  if not check_hooks(ctx, results) then return false, results end
  local passed, failed = true, false
  for _, item in ipairs(items(ctx, check.plan)) do
    local heard, judged = tape.check(ctx, item)
    local verdict = ask(ctx, item, heard)
    judged(verdict)
    results[#results + 1] = verdict
    ctx.host.metrics.verdict(ctx.canary, verdict.name, verdict.verdict)
    if verdict.gauge then ctx.host.metrics.check(ctx.canary, verdict.name, verdict.gauge) end
    local means = meaning(ctx, item, verdict)
    passed, failed = passed and means == "pass", failed or means == "fail"
    if means == "fail" then notify.warning(ctx, verdict.message) end
    if means == "hold" then notify.once(ctx, "Warning", verdict.message) end
  end
  return passed, results, not passed and not failed
end

--- nil when every provider answers, else what is wrong with the first that does not.
function analyse.offline(ctx)
  for _, item in ipairs(items(ctx, check.online)) do
    local message = ask(ctx, item)
    if message then return message end
  end
end

return analyse
