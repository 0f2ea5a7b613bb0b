--- The checks of a Canary's metrics: what to ask, and the verdict on each answer. See README.md.

local dialogue = require("metrics.dialogue")
local duration = require("util.duration")
local json = require("json")
local judge = require("metrics.judge")
local observer = require("metrics.observer")
local prometheus = require("metrics.prometheus")
local resolve = require("metrics.resolve")
local template = require("metrics.template")

local check = {}

local DEFAULT_INTERVAL = "1m"
local DEFAULT_SERVER = "http://prometheus:9090"
local BUILTIN = { ["request-success-rate"] = "success-rate", ["request-duration"] = "duration" }

local function given(value)
  if value ~= json.null and value ~= "" then return value end
end

local function path_of(index) return ("spec.analysis.metrics[%d]"):format(index - 1) end

check.reads, check.secrets, check.ambient = resolve.reads, resolve.secrets, resolve.ambient

--- An item that has nothing to ask.
local function decided(it, verdict)
  return { name = it.metric.name, kind = it.kind, index = it.index, judge = function() return verdict end }
end

--- An item that asks.
local function asking(it, provider, ctx, request)
  return {
    name = it.metric.name, kind = it.kind, index = it.index, request = request,
    judge = dialogue.new(provider, ctx, request, function(...) return judge.parsed(it, ...) end),
  }
end

--- The interval of an entry. Returns true, or nil and what is wrong with it.
local function set_interval(it)
  it.interval = given(it.metric.interval) or DEFAULT_INTERVAL
  it.seconds = duration.parse(it.interval)
  if it.seconds then return true end
  return nil, ("%s.interval: expected a duration, found %s"):format(path_of(it.index), tostring(it.interval))
end

--- Interval and bounds of an entry. Returns true, or nil and what is wrong with it.
local function prepare(it)
  local ready, message = set_interval(it)
  if not ready then return nil, message end
  return judge.prepare(it, path_of(it.index))
end

local function context(it, object, secret, query)
  it.query = query
  return {
    template = object, secret = secret, query = query, interval = it.seconds,
    variables = it.metric.templateVariables or {}, now = it.now, ambient = it.ambient, metric = it.metric.name,
    canary = { namespace = it.canary.namespace, name = it.canary.name },
  }
end

--- The configured Prometheus as if a template named it.
local function server_template(it)
  local address = given(it.canary.metrics_server) or given(it.settings.metrics_server) or DEFAULT_SERVER
  return { spec = { provider = { type = "prometheus", address = address } } }
end

--- A check on the configured Prometheus: builtin or inline.
local function on_server(it, source, model)
  local ready, message = prepare(it)
  if not ready then return decided(it, judge.failed(it, message)) end
  local query
  query, message = template.render(source, model(it))
  if not query then return decided(it, judge.failed(it, "query render error: " .. message)) end
  local object = server_template(it)
  local ctx = context(it, object, nil, query)
  local request
  request, message = prometheus.request(ctx)
  if not request then
    local text = ("Error building Prometheus client for %s %s"):format(object.spec.provider.address, message)
    return decided(it, judge.error(it, text))
  end
  return asking(it, prometheus, ctx, request)
end

--- The query, without a value where there were fewer requests than the entry wants.
local function of_enough(it, source)
  if it.metric.minRequests == nil or not set_interval(it) then return source end
  return ("%s\nand\n%s * %.14g >= %d"):format(source, observer.requests(it.queries), it.seconds, it.metric.minRequests)
end

local function builtin_item(it)
  it.queries, it.label = observer.of(it.canary, it.settings)
  local source = of_enough(it, it.kind == "duration" and it.queries.duration or it.queries.success_rate)
  return on_server(it, source, function()
    return observer.builtin_model(it.canary, it.metric, it.interval, it.queries)
  end)
end

local function inline_item(it)
  return on_server(it, it.metric.query, function() return observer.model(it.canary, it.metric, it.interval) end)
end

local function template_item(it)
  local prefix = ("Metric template %s.%s "):format(it.ref.name, it.ref.namespace)
  local function refuse(message) return decided(it, judge.error(it, prefix .. message)) end
  local ready, message = prepare(it)
  if not ready then return decided(it, judge.failed(it, message)) end
  local found, query, request
  found, message = resolve.template(it.ref, it.templates, it.secrets)
  if not found then return refuse(message) end
  query, message = template.render(found.object.spec.query, observer.model(it.canary, it.metric, it.interval))
  if not query then return refuse("query render error: " .. message) end
  local ctx = context(it, found.object, found.secret, query)
  request, message = found.provider.request(ctx)
  if not request then return refuse(("provider %s error: %s"):format(found.type, message)) end
  return asking(it, found.provider, ctx, request)
end

--- What the items of one plan share.
local function shared(canary, settings, templates, now, secrets, ambient)
  return { canary = canary, settings = settings, templates = templates or {}, secrets = secrets or {}, now = now,
    ambient = ambient or {} }
end

local function item_of(base, kind, index, metric)
  local it = { kind = kind, index = index, metric = metric, ref = resolve.ref(base.canary, metric) }
  return setmetatable(it, { __index = base })
end

--- An item that a script judges (canary/scripted.lua): the one an entry names, or the text of a MetricTemplate.
local function script_item(it)
  local found = it.ref and resolve.script(it.ref, it.templates, it.secrets)
  if not found and it.metric.script == nil then return nil end
  return { name = it.metric.name, kind = "script", index = it.index, path = path_of(it.index),
    metric = it.metric, template = found, interval = set_interval(it) and it.seconds or nil,
    judge_number = function(number)
      local ready, message = prepare(it)
      if not ready then return judge.failed(it, message) end
      return judge.value(it, number or 0 / 0)
    end }
end

local function usable_query(metric)
  return type(metric.query) == "string" and metric.query ~= ""
end

--- Every check of one interval, in Flagger's order: builtin and inline queries of all entries, then the templates.
--- @param templates table  "namespace/name" -> MetricTemplate, or a text that says why it could not be read
--- @param now number       seconds since the epoch
--- @param secrets table?   "namespace/name" -> a Secret's data, or such a text
--- @param ambient table?   what of the names in `check.ambient` there is: name -> text
function check.plan(canary, settings, templates, now, secrets, ambient)
  local base, out = shared(canary, settings, templates, now, secrets, ambient), {}
  for index, metric in ipairs(canary.analysis.metrics) do
    local builtin = BUILTIN[metric.name]
    if builtin then out[#out + 1] = builtin_item(item_of(base, builtin, index, metric)) end
    if usable_query(metric) then out[#out + 1] = inline_item(item_of(base, "query", index, metric)) end
  end
  for index, metric in ipairs(canary.analysis.metrics) do
    local it = item_of(base, "template", index, metric)
    local script = script_item(it)
    if script then
      out[#out + 1] = script
    elseif it.ref then
      out[#out + 1] = template_item(it)
    elseif not BUILTIN[metric.name] and not usable_query(metric) then
      out[#out + 1] = decided(it, judge.nothing_usable(it))
    end
  end
  return out
end

--- What is asked to find out whether a provider is there: a query like any other, or a request of its own.
local function online_request(provider, ctx)
  local asked, message = provider.online(ctx)
  if type(asked) ~= "string" then return asked, message end
  ctx.query = asked
  return provider.request(ctx)
end

--- Asks whether `provider` answers. `wrap` makes a complaint into the text that is shown.
local function online_item(it, provider, ctx, wrap)
  local name = it.metric.name
  local request, message = online_request(provider, ctx)
  if not request then
    local text = wrap(message)
    return { name = name, kind = it.kind, judge = function() return text end }
  end
  local function conclude(value, wrong)
    local found
    if value == nil then found = "running query failed: " .. wrong
    elseif provider.is_online then found = provider.is_online(value) end
    return found and wrap(found)
  end
  return { name = name, kind = it.kind, request = request, judge = dialogue.new(provider, ctx, request, conclude) }
end

local function online_template(it)
  local label = ("metric template %s.%s "):format(it.ref.name, it.ref.namespace)
  local found, message = set_interval(it)
  if found and resolve.script(it.ref, it.templates, it.secrets) then return nil end
  if found then found, message = resolve.template(it.ref, it.templates, it.secrets) end
  if not found then
    return { name = it.metric.name, kind = it.kind, judge = function() return label .. message end }
  end
  if not found.provider.online then return nil end
  -- COMPAT: the spelling is Flagger's
  return online_item(it, found.provider, context(it, found.object, found.secret, ""), function(why)
    return ("%s in %snot avaiable: %s"):format(found.type, label, why)
  end)
end

--- Whether the providers of all entries answer. The items' `judge` gives nil, or what is wrong. Arguments as of `plan`.
function check.online(canary, settings, templates, now, secrets, ambient)
  local base, out = shared(canary, settings, templates, now, secrets, ambient), {}
  for index, metric in ipairs(canary.analysis.metrics) do
    if BUILTIN[metric.name] then
      local it = item_of(base, BUILTIN[metric.name], index, metric)
      out[#out + 1] = online_item(it, prometheus, context(it, server_template(it), nil, ""), function(why)
        return "prometheus not avaiable: " .. why
      end)
    end
    local it = item_of(base, "template", index, metric)
    if it.ref then out[#out + 1] = online_template(it) end
  end
  return out
end

return check
