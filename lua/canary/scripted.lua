--- Custom scripts in the life of a Canary: found, pinned, asked, and their answers checked before anything is done.
--
-- { name = } is a script of the operator's folders, { scriptRef = { name, key } } one in a ConfigMap beside the Canary.

local bundle = require("scripts.bundle")
local cluster = require("canary.cluster")
local grants = require("scripts.grants")
local header = require("scripts.header")
local notify = require("canary.notify")
local params = require("util.params")
local phase = require("canary.phase")
local pins = require("canary.pins")
local run = require("scripts.run")
local text = require("util.text")
local verdict = require("scripts.verdict")

local scripted = {}

local TENANTS = "expected serin run -tenant-scripts, without which scripts of tenants are refused"
local DEFAULT_SERVER = "http://prometheus:9090"

--- A tenant's script from its text: looked at once, while it stays the same.
local function tenant(ctx, label, source, kind)
  local known = ctx.memory.tenants or {}
  ctx.memory.tenants = known
  if known[label] and known[label].source == source then return known[label].script, known[label].message end
  local script, found, code
  local made, message = bundle.make("main", { main = { source = source, label = label } })
  if made then
    script = { kind = kind, label = label, sha256 = made.sha256, text = made.text, tenant = true, fields = {},
      grants = grants.of_tenant(ctx.host.settings.tenant_http_allow or {}) }
  end
  if made and kind then
    found, message, code = run.header(ctx.host, script)
    if found then message = header.problem(found, kind) end
    if found and message then message = header.message(label, source, message) end
    if found and not message then
      script.fields, script.functions = found.fields, header.functions(found)
    else
      script = nil
    end
  end
  if code ~= "REFUSED" then known[label] = { source = source, script = script, message = message } end
  return script, message
end

local function of_config_map(ctx, kind, ref)
  if not ctx.host.settings.tenant_scripts then return nil, TENANTS end
  local object, stop = cluster.get(ctx, "v1", "ConfigMap", ref.name)
  if stop then return nil, stop.fail or stop.problem end
  if not object then return nil, ("expected the ConfigMap %s.%s, found none"):format(ref.name, ctx.namespace) end
  local source = (object.data or {})[ref.key]
  if type(source) ~= "string" then
    return nil, ("expected the key %s in the ConfigMap %s.%s, found none"):format(ref.key, ref.name, ctx.namespace)
  end
  return tenant(ctx, scripted.label(ctx, kind, { scriptRef = ref }), source, kind)
end

local function of_library(ctx, kind, name)
  local library = ctx.host.library
  if not library then
    return nil, ("expected serin run -scripts=DIR, where %s.lua is in DIR/%s"):format(name, header.KINDS[kind].folder)
  end
  local script, broken = library:find(kind, name)
  if not script then return nil, broken end
  if broken then
    notify.once(ctx, "Warning", ("Script %s of %s: its new version is refused, %s goes on: %s"):format(script.label,
      ctx.label, script.sha256:sub(1, 12), broken))
  end
  return script
end

--- The name under which a script is pinned.
function scripted.label(ctx, kind, ref)
  if ref.scriptRef then
    return text.cut(("%s/%s/%s"):format(ctx.namespace, ref.scriptRef.name, ref.scriptRef.key), 120)
  end
  return ("%s/%s.lua"):format(header.KINDS[kind].folder, ref.name)
end

--- The script that `ref` names; or nil and a message. Waits.
function scripted.find(ctx, kind, ref)
  return pins.get(ctx, scripted.label(ctx, kind, ref), function()
    if ref.scriptRef then return of_config_map(ctx, kind, ref.scriptRef) end
    return of_library(ctx, kind, ref.name)
  end)
end

--- The script and its parameters as it computes with them; or nil and a message that names the field. Waits.
--- @param path string  where `ref` stands
function scripted.prepared(ctx, kind, ref, path)
  local script, message = scripted.find(ctx, kind, ref)
  if not script then return nil, ("%s%s: %s"):format(path, ref.scriptRef and ".scriptRef" or ".name", message) end
  local given
  given, message = params.read(script.fields.params or {}, ref.params, path .. ".params")
  if not given then return nil, message end
  return script, given
end

--- What a run of a script may do, and for whom.
function scripted.scope(ctx, script)
  local canary, settings = ctx.canary, ctx.host.settings
  local server = canary.metrics_server ~= "" and canary.metrics_server or settings.metrics_server
  return { label = script.label, canary = ctx.label, namespace = ctx.namespace, grants = script.grants,
    server = server or DEFAULT_SERVER }
end

--- What every script learns about its Canary.
function scripted.about(ctx)
  local canary, now = ctx.canary, ctx.status
  return {
    name = canary.name, namespace = canary.namespace, provider = canary.provider, strategy = canary.strategy,
    target = { kind = canary.target.kind, name = canary.target.name },
    services = { apex = canary.names.apex, primary = canary.names.primary, canary = canary.names.canary },
    phase = now.phase, weight = now.canaryWeight or 0, iterations = now.iterations or 0,
    failed_checks = now.failedChecks or 0, run_id = now.runId, run_started_at = now.runStartedAt,
  }
end

--- For people: six digits of a number are enough.
local function shown(value)
  if math.type(value) == "float" then return text.shortest(tonumber(("%.6g"):format(value)) or value) end
  return tostring(value)
end

local function failed(ctx, item, label, message)
  return { verdict = "error", name = item.name, rule = label, value = message,
    message = ("Halt %s.%s advancement %s: %s"):format(ctx.canary.name, ctx.namespace, item.name, message) }
end

--- A well-formed verdict as the lifecycle keeps it.
local function taken(ctx, item, script, answer)
  local out = { verdict = answer.verdict, name = item.name, value = answer.value, rule = answer.rule,
    query = answer.query, n = answer.n, script = script.label }
  if type(answer.value) == "number" then out.gauge = answer.value end
  if answer.verdict ~= "pass" then
    local found = answer.value ~= nil and ", found " .. shown(answer.value) or ""
    out.message = ("Halt %s.%s advancement %s %s: %s%s (%s)"):format(ctx.canary.name, ctx.namespace, item.name,
      answer.verdict, answer.message or answer.rule, found, script.label)
  end
  return out
end

local function conclude(ctx, item, script, answer, message, code)
  if answer == nil and (message or code) then return failed(ctx, item, script.label, message) end
  local checked
  checked, message = verdict.check(answer)
  if not checked then return failed(ctx, item, script.label, ("%s: %s"):format(script.label, message)) end
  return taken(ctx, item, script, checked)
end

--- A MetricTemplate's text: it returns a verdict, or a number that the entry's thresholds judge, or nothing.
local function of_template(ctx, item)
  local found = item.template
  local label = text.cut(("metrictemplate/%s/%s"):format(found.ref.namespace, found.ref.name), 120)
  if found.problem then return failed(ctx, item, label, found.problem) end
  local script, message = pins.get(ctx, label, function()
    if not ctx.host.settings.tenant_scripts then return nil, TENANTS end
    return tenant(ctx, label, found.object.spec.query)
  end)
  if not script then return failed(ctx, item, label, message) end
  local scope, address = scripted.scope(ctx, script), found.object.spec.provider.address
  scope.template, scope.template_secret = found.object, found.secret
  scope.namespace = found.ref.namespace -- Secrets are those of who wrote the script
  local answer, code
  answer, message, code = run.call(ctx.host, script, { inline = {
    address = address, canary = scripted.about(ctx), variables = item.metric.templateVariables or {},
    interval = item.interval or 60, metric = item.name,
  } }, scope)
  if answer == nil and not code or type(answer) == "number" then return item.judge_number(answer) end
  return conclude(ctx, item, script, answer, message, code)
end

--- The verdict of a script on one entry of spec.analysis.metrics. Waits. What goes wrong is an error, never a pass.
function scripted.verdict(ctx, item)
  if item.template then return of_template(ctx, item) end
  local ref = item.metric.script
  local script, given = scripted.prepared(ctx, "check", ref, item.path .. ".script")
  if not script then return failed(ctx, item, scripted.label(ctx, "check", ref), given) end
  local order = { entry = "run", arguments = { {
    api = header.API, now = ctx.now, params = given, canary = scripted.about(ctx),
    metric = { name = item.name, interval = item.interval or 60, variables = item.metric.templateVariables or {} },
  } } }
  return conclude(ctx, item, script, run.call(ctx.host, script, order, scripted.scope(ctx, script)))
end

--- Before a run begins every script that it needs is there, and its parameters are right.
function scripted.check(ctx)
  if phase.active(ctx.status.phase or "") or ctx.canary.skip_analysis then return nil end
  for index, metric in ipairs(ctx.canary.analysis.metrics) do
    if metric.script ~= nil then
      local path = ("spec.analysis.metrics[%d].script"):format(index - 1)
      local script, message = scripted.prepared(ctx, "check", metric.script, path)
      if not script then return { problem = message, reason = "Script" } end
    end
  end
end

--- The versions that a run works with are pinned at its first step, and shown.
function scripted.pin(ctx)
  for index, metric in ipairs(ctx.canary.analysis.metrics) do
    if metric.script ~= nil then
      scripted.prepared(ctx, "check", metric.script, ("spec.analysis.metrics[%d].script"):format(index - 1))
    end
  end
  return pins.show(ctx)
end

return scripted
