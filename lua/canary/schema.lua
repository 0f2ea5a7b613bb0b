--- The checks a Canary's spec must pass before anything acts on it, as data.
--
-- The CRD accepts any number where an integer is meant; one odd object must
-- be refused by name here, and never disturb another canary.

local duration = require("util.duration")
local list = require("util.list")
local nearest = require("util.nearest")

local schema = {}

local function integer(value, low, high)
  return type(value) == "number" and math.tointeger(value) and value >= low and value <= high
end

local function shown(value)
  if type(value) == "table" then return "a list or object" end
  if math.type(value) == "float" then return string.format("%.14g", value) end
  return tostring(value)
end

local function problem(field, expected, found)
  return { field = field, expected = expected, found = shown(found),
    message = ("%s: expected %s, found %s"):format(field, expected, shown(found)) }
end

schema.problem = problem

local kinds = {
  text = { "a text", function(value) return type(value) == "string" and value ~= "" end },
  weight = { "an integer from 0 to 100", function(value) return integer(value, 0, 100) end },
  maximum = { "an integer of 0 or more", function(value) return integer(value, 0, 2 ^ 31) end },
  count = { "an integer of 0 or more", function(value) return integer(value, 0, 2 ^ 31) end },
  port = { "an integer from 1 to 65535", function(value) return integer(value, 1, 65535) end },
  target_port = { "a port number or a port's name", function(value)
    return type(value) == "string" or integer(value, 0, 65535) end },
  flag = { "true or false", function(value) return type(value) == "boolean" end },
  list = { "a list", function(value) return type(value) == "table" and (#value > 0 or next(value) == nil) end },
  object = { "an object", function(value) return type(value) == "table" and #value == 0 end },
  duration = { "a duration such as 30s", function(value)
    return type(value) == "string" and duration.parse(value) ~= nil end },
}

-- path, kind, required
local fields = {
  { "spec.targetRef", "object", true },
  { "spec.targetRef.kind", "text", true },
  { "spec.targetRef.name", "text", true },
  { "spec.targetRef.apiVersion", "text" },
  { "spec.autoscalerRef", "object" },
  { "spec.autoscalerRef.kind", "text" },
  { "spec.autoscalerRef.name", "text" },
  { "spec.autoscalerRef.primaryScalerReplicas.minReplicas", "count" },
  { "spec.autoscalerRef.primaryScalerReplicas.maxReplicas", "count" },
  { "spec.service", "object" },
  { "spec.service.name", "text" },
  { "spec.service.port", "port", true },
  { "spec.service.targetPort", "target_port" },
  { "spec.service.portDiscovery", "flag" },
  { "spec.service.headless", "flag" },
  { "spec.service.match", "list" },
  { "spec.service.hosts", "list" },
  { "spec.service.gateways", "list" },
  { "spec.service.gatewayRefs", "list" },
  { "spec.service.routeKind", "text" },
  { "spec.service.selector", "object" },
  { "spec.analysis", "object" },
  { "spec.analysis.threshold", "count" },
  { "spec.analysis.maxWeight", "maximum" },
  { "spec.analysis.stepWeight", "weight" },
  { "spec.analysis.stepWeights", "list" },
  { "spec.analysis.stepWeightPromotion", "weight" },
  { "spec.analysis.iterations", "count" },
  { "spec.analysis.mirror", "flag" },
  { "spec.analysis.mirrorWeight", "weight" },
  { "spec.analysis.primaryReadyThreshold", "weight" },
  { "spec.analysis.canaryReadyThreshold", "weight" },
  { "spec.analysis.match", "list" },
  { "spec.analysis.metrics", "list" },
  { "spec.analysis.webhooks", "list" },
  { "spec.analysis.alerts", "list" },
  { "spec.analysis.sessionAffinity", "object" },
  { "spec.progressDeadlineSeconds", "count" },
  { "spec.suspend", "flag" },
  { "spec.skipAnalysis", "flag" },
  { "spec.revertOnDeletion", "flag" },
}

--- The value at a dotted path, and whether everything above it is there.
local function at(object, path)
  local value, above = object, true
  for key in path:gmatch("[^.]+") do
    if type(value) ~= "table" then return nil, false end
    above = value ~= nil
    value = value[key]
  end
  return value, above
end

local ROUTE_KINDS = { "HTTPRoute", "GRPCRoute", "TCPRoute", "TrafficSplit" }

local function check_route_kind(service)
  local kind = service and service.routeKind
  if kind == nil or list.set(ROUTE_KINDS)[kind] then return end
  local bad = problem("spec.service.routeKind", "one of " .. table.concat(ROUTE_KINDS, ", "), kind)
  local close = nearest.of(kind, ROUTE_KINDS)
  if close then bad.message = ("%s (did you mean %s?)"):format(bad.message, close) end
  return bad
end

local function check_selector(service)
  for key, value in pairs(service and service.selector or {}) do
    if type(value) ~= "string" then return problem(("spec.service.selector[%s]"):format(key), "a text", value) end
  end
end

local function check_fields(object)
  for _, field in ipairs(fields) do
    local path, kind, required = field[1], kinds[field[2]], field[3]
    local value = at(object, path)
    if value == nil then
      if required then return problem(path, kind[1], "nothing") end
    elseif not kind[2](value) then
      return problem(path, kind[1], value)
    end
  end
end

--- A policy of one's own may know its weights by itself; canary/policies.lua asks it.
local function brings_weights(policy)
  return type(policy) == "table" and policy.name ~= "flagger" and policy.mode ~= "shadow"
end

local function check_steps(analysis)
  local last = 0
  for index, weight in ipairs(analysis.stepWeights or {}) do
    local path = ("spec.analysis.stepWeights[%d]"):format(index - 1)
    if not integer(weight, 1, 2 ^ 31) then return problem(path, "an integer of 1 or more", weight) end
    if weight <= last then return problem(path, ("a weight above %d, the one before"):format(last), weight) end
    last = weight
  end
  if brings_weights(analysis.policy) then return end
  if (analysis.iterations or 0) == 0 and (analysis.stepWeight or 0) == 0 and last == 0 then
    return problem("spec.analysis", "one of stepWeight, stepWeights or iterations above 0", "none")
  end
end

local function number(value)
  return type(value) == "number" and value == value and value ~= math.huge and value ~= -math.huge
end

--- A script is named, or is a key of a ConfigMap beside the Canary.
local function check_script(path, script)
  if not kinds.object[2](script) then return problem(path, "an object", script) end
  local ref = script.scriptRef
  if ref == nil and not kinds.text[2](script.name) then return problem(path .. ".name", "a text", script.name) end
  if ref ~= nil and script.name ~= nil then return problem(path, "one of name and scriptRef", "both") end
  if ref ~= nil and not kinds.object[2](ref) then return problem(path .. ".scriptRef", "an object", ref) end
  for _, field in ipairs(ref and { "name", "key" } or {}) do
    if not kinds.text[2](ref[field]) then return problem(path .. ".scriptRef." .. field, "a text", ref[field]) end
  end
  if script.params ~= nil and not kinds.object[2](script.params) then
    return problem(path .. ".params", "an object", script.params)
  end
end

--- Only the builtin checks know how requests are counted.
local COUNTED = { ["request-success-rate"] = true, ["request-duration"] = true }

local function check_requests(path, metric)
  local least = metric.minRequests
  if not integer(least, 1, 2 ^ 31) then return problem(path, "an integer of 1 or more", least) end
  if not COUNTED[metric.name] or metric.query or metric.templateRef or metric.script then
    return problem(path, "none beside a query of one's own, which can count for itself", least)
  end
end

local function check_metric(index, metric)
  local path = ("spec.analysis.metrics[%d]"):format(index - 1)
  if type(metric) ~= "table" or #metric > 0 then return problem(path, "an object", metric) end
  if not kinds.text[2](metric.name) then return problem(path .. ".name", "a text", metric.name) end
  if metric.interval ~= nil and not kinds.duration[2](metric.interval) then
    return problem(path .. ".interval", kinds.duration[1], metric.interval)
  end
  local bad = metric.script ~= nil and check_script(path .. ".script", metric.script)
  if bad then return bad end
  if metric.threshold ~= nil and not number(metric.threshold) then
    return problem(path .. ".threshold", "a number", metric.threshold)
  end
  local silent = metric.onNoData
  if silent ~= nil and silent ~= "fail" and silent ~= "hold" and silent ~= "pass" then
    return problem(path .. ".onNoData", "fail, hold or pass", silent)
  end
  bad = metric.minRequests ~= nil and check_requests(path .. ".minRequests", metric)
  if bad then return bad end
  local range = metric.thresholdRange
  if range == nil then return end
  if not kinds.object[2](range) then return problem(path .. ".thresholdRange", "an object", range) end
  for _, key in ipairs({ "min", "max" }) do
    if range[key] ~= nil and not number(range[key]) then
      return problem(path .. ".thresholdRange." .. key, "a number", range[key])
    end
  end
  if range.min and range.max and range.min > range.max then
    return problem(path .. ".thresholdRange.min", ("at most max, %s"):format(shown(range.max)), range.min)
  end
end

local function check_policy(policy)
  if policy == nil then return end
  local path = "spec.analysis.policy"
  if not kinds.object[2](policy) then return problem(path, "an object", policy) end
  local bad = check_script(path, policy)
  if bad then return bad end
  if policy.mode ~= nil and policy.mode ~= "active" and policy.mode ~= "shadow" then
    return problem(path .. ".mode", "active or shadow", policy.mode)
  end
end

local function check_hook(index, hook)
  local path = ("spec.analysis.webhooks[%d]"):format(index - 1)
  if type(hook) ~= "table" or #hook > 0 then return problem(path, "an object", hook) end
  if not kinds.text[2](hook.name) then return problem(path .. ".name", "a text", hook.name) end
  if not kinds.text[2](hook.url) then return problem(path .. ".url", "a URL", hook.url) end
  if hook.timeout ~= nil and #tostring(hook.timeout) > 1 and not kinds.duration[2](hook.timeout) then
    return problem(path .. ".timeout", kinds.duration[1], hook.timeout)
  end
  if hook.retries ~= nil and not integer(hook.retries, 0, 100) then
    return problem(path .. ".retries", "an integer from 0 to 100", hook.retries)
  end
  if hook.payload ~= nil and hook.payload ~= "" and hook.payload ~= "full" then
    return problem(path .. ".payload", "full or nothing", hook.payload)
  end
end

local function check_affinity(affinity)
  if not affinity then return end
  if not kinds.text[2](affinity.cookieName) then
    return problem("spec.analysis.sessionAffinity.cookieName", "a text", affinity.cookieName)
  end
  if affinity.cookieName == affinity.primaryCookieName then
    return problem("spec.analysis.sessionAffinity.primaryCookieName", "a name other than cookieName",
      affinity.primaryCookieName)
  end
end

--- nil when `object` is a Canary that can be run, else { field, expected, found, message }.
function schema.check(object)
  local bad = check_fields(object) or check_route_kind(object.spec.service)
    or check_selector(object.spec.service)
  if bad then return bad end
  local analysis = object.spec.analysis or object.spec.canaryAnalysis
  if not analysis then return end
  bad = check_policy(analysis.policy)
  if bad then return bad end
  if not object.spec.skipAnalysis then
    bad = check_steps(analysis)
    if bad then return bad end
  end
  for index, metric in ipairs(analysis.metrics or {}) do
    bad = check_metric(index, metric)
    if bad then return bad end
  end
  for index, hook in ipairs(analysis.webhooks or {}) do
    bad = check_hook(index, hook)
    if bad then return bad end
  end
  return check_affinity(analysis.sessionAffinity)
end

return schema
