--- What the engine would have against a Canary, asked of the engine's own code without a cluster.

local address = require("metrics.address")
local check = require("metrics.check")
local custom_policy = require("canary.custom_policy")
local files = require("util.registry")
local nearest = require("util.nearest")
local observe = require("canary.observe")
local policies = require("canary.policies")
local registry = require("canary.registry")
local resolve = require("metrics.resolve")
local scripted = require("canary.scripted")
local view = require("canary.view")
local windows = require("canary.windows")

local canaries = {}

local NOW = 1893456000 -- seconds since the epoch; no finding depends on it
local HERE = "%s: expected the %s %s among the files, found none%s"

--- A context in which the steps of a tick run that read nothing.
local function context(object, canary, world)
  local metadata = object.metadata
  return { object = object, canary = canary, status = {}, now = NOW, namespace = metadata.namespace,
    name = metadata.name, label = metadata.name .. "." .. metadata.namespace, memory = {},
    host = { settings = world.settings, library = world.library,
      script = world.library and world.library.host.script } }
end

--- "spec.provider: expected ..." in two.
local function split(message)
  local field, rest = message:match("^([%w%.%[%]_/%-]+): (expected .*)$")
  if not field then field, rest = message:match("^(spec%.[%w%.%[%]]+): (.*)$") end
  if field then return field, rest end
  field, rest = message:match("^(metadata%.annotations%.serin%.dev/%a+): (.*)$")
  return field or "spec", rest or message
end

local function tell(found, stop)
  local field, rest = split(stop.problem)
  found.error(field, rest)
end

--- An unknown provider may be that of a script which nobody has shown.
local function tell_unknown(ctx, stop, found)
  local hint = stop.reason == "UnknownProvider" and not ctx.host.library
    and not stop.problem:find("did you mean", 1, true)
  tell(found, { problem = stop.problem .. (hint and "; --scripts DIR shows those of your own" or "") })
end

--- What the provider cannot do.
local function check_router(ctx, found)
  local canary = ctx.canary
  local wanted = { match = #canary.analysis.match > 0, mirror = canary.analysis.mirror, strategy = canary.strategy }
  local stop = observe.router(ctx)
  if stop then return tell_unknown(ctx, stop, found) end
  local router = ctx.router
  local refs, message = router.reads(canary)
  if not refs then return found.error("spec.provider", message) end
  if not router.weighted and not router.matches then
    if wanted.match then found.note("spec.analysis.match", "has no effect with the provider " .. canary.provider) end
    if wanted.strategy == "canary" and not canary.skip_analysis then
      found.note("spec.analysis", ("the provider %s moves no shares of traffic: 10 iterations of blue/green"):format(
        canary.provider))
    end
  end
  if wanted.mirror and not canary.analysis.mirror then
    found.note("spec.analysis.mirror", "has no effect with the provider " .. canary.provider)
  end
  if canary.analysis.session_affinity and not router.affinity then
    found.error("spec.analysis.sessionAffinity", ("expected a provider with session affinity, found %s"):format(
      canary.provider))
  end
  local resolution = router.resolution or 1
  local steps = canary.analysis.step_weights or { canary.analysis.step_weight }
  for _, weight in ipairs(wanted.strategy == "canary" and steps or {}) do
    if weight % resolution ~= 0 then
      found.note("spec.analysis", ("the provider %s moves traffic in steps of %d %%, so that %d is rounded"):format(
        canary.provider, resolution, weight))
    end
  end
end

local function check_references(canary, found)
  if not registry.target(canary.target) then
    found.error("spec.targetRef.kind", ("expected one of %s, found %s"):format(registry.target_kinds(),
      tostring(canary.target.kind)))
  end
  if canary.scaler and not registry.scaler(canary.scaler) then
    found.error("spec.autoscalerRef.kind", ("expected one of %s, found %s"):format(registry.scaler_kinds(),
      tostring(canary.scaler.kind)))
  end
end

local function close_to(world, kind, key)
  local close = nearest.of(key, world.objects[kind] or {})
  return close and (" (did you mean %s?)"):format(close) or ""
end

--- True when the object is among the files, or need not be.
local function present(world, found, field, kind, key)
  if (world.objects[kind] or {})[key] then return true end
  local message = HERE:format(field, kind, key, close_to(world, kind, key))
  local told = world.allow_missing and found.note or found.error
  told(split(message))
  return false
end

local function check_metric(ctx, world, found, index, metric)
  local field = ("spec.analysis.metrics[%d]"):format(index - 1)
  local script = type(metric.script) == "table" and metric.script
  if script and script.name and ctx.host.library then
    local known, message = scripted.prepared(ctx, "check", script, field .. ".script")
    if not known then found.error(split(message)) end
  end
  local ref = resolve.ref(ctx.canary, metric)
  return not ref or present(world, found, field .. ".templateRef", "MetricTemplate", ref.namespace .. "/" .. ref.name)
end

--- Renders every query, as a tick would; what depends on a Secret that is not among the files is left out.
local function check_metrics(ctx, world, found)
  local canary, settings, missing = ctx.canary, world.settings, {}
  for index, metric in ipairs(canary.analysis.metrics) do
    missing[index] = not check_metric(ctx, world, found, index, metric)
  end
  local secrets = {}
  for _, ref in ipairs(resolve.secrets(canary, world.objects.MetricTemplate or {})) do
    local secret = (world.objects.Secret or {})[ref.key]
    secrets[ref.key] = secret and (secret.data or {}) or nil
  end
  for _, item in ipairs(check.plan(canary, settings, world.objects.MetricTemplate, NOW, secrets)) do
    if not item.request and item.kind ~= "script" and not missing[item.index] then
      local verdict = item.judge()
      local message = verdict.message or "cannot be asked"
      local field, rest = message:match("(spec%.analysis%.metrics%[%d+%][%w%.]*): (.*)$")
      if not message:find('secrets "', 1, true) then
        found.error(field or ("spec.analysis.metrics[%d]"):format(item.index - 1), rest or message)
      end
    end
  end
end

local function check_urls(canary, world, found)
  for index, hook in ipairs(canary.analysis.webhooks) do
    local field = ("spec.analysis.webhooks[%d]"):format(index - 1)
    if not address.split(hook.url) then
      found.error(field .. ".url", ("expected a URL like http://host/path, found %q"):format(hook.url:sub(1, 256)))
    end
  end
  if canary.metrics_server and not address.split(canary.metrics_server) then
    found.error("spec.metricsServer", ("expected a URL like http://prometheus:9090, found %q"):format(
      tostring(canary.metrics_server):sub(1, 256)))
  end
  for index, alert in ipairs(canary.analysis.alerts) do
    local ref = type(alert) == "table" and alert.providerRef
    if type(ref) == "table" and type(ref.name) == "string" then
      local namespace = type(ref.namespace) == "string" and ref.namespace ~= "" and ref.namespace or canary.namespace
      present(world, found, ("spec.analysis.alerts[%d].providerRef"):format(index - 1), "AlertProvider",
        namespace .. "/" .. ref.name)
    end
  end
end

local function check_policy(ctx, found)
  if ctx.canary.analysis.policy.script_ref then return end
  local stop = custom_policy.load(ctx) or policies.check(ctx)
  if stop then tell(found, stop) end
end

--- COMPAT: a provider that only the flags of `serin run` know how to serve is not refused by name.
local function known_provider(name) return files.find("routers", name) ~= nil end

--- @param world table  { objects = { [kind] = { ["namespace/name"] = object } },
---   library = of the scripts of --scripts or nil, settings, allow_missing }
--- @param found table  { error(field, message), note(field, message) }
function canaries.check(object, world, found)
  local canary, bad = view.of(object, world.settings)
  if not canary then return found.error(bad.field, bad.message:sub(#bad.field + 3)) end
  local ctx = context(object, canary, world)
  check_references(canary, found)
  check_router(ctx, found)
  check_policy(ctx, found)
  local stop = windows.closed(ctx)
  if stop and stop.problem then tell(found, stop) end
  if known_provider(canary.provider) or ctx.router then check_metrics(ctx, world, found) end
  check_urls(canary, world, found)
end

return canaries
