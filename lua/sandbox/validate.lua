--- What an API server refuses: structure only, as the schemas of the kinds tell.

local json = require("json")
local merge = require("util.merge")
local selector = require("sandbox.selector")

local validate = {}

local STRATEGIES = { "iterations", "stepWeight", "stepWeights" }
local TARGETS = { Deployment = true, DaemonSet = true, StatefulSet = true, Service = true }
local NUMBERS = { "iterations", "stepWeight", "maxWeight", "threshold", "mirrorWeight", "stepWeightPromotion" }

local function is_missing(value)
  return value == nil or value == json.null or value == ""
end

local function required(errors, path, object, keys)
  for _, key in ipairs(keys) do
    if is_missing(object[key]) then errors[#errors + 1] = ("%s.%s: Required value"):format(path, key) end
  end
end

local function reference(errors, path, ref)
  if type(ref) == "table" then required(errors, path, ref, { "apiVersion", "kind", "name" }) end
end

local function analysis(errors, a)
  required(errors, "spec.analysis", a, { "interval", "threshold" })
  local chosen = 0
  for _, key in ipairs(STRATEGIES) do
    if a[key] ~= nil then chosen = chosen + 1 end
  end
  if chosen > 1 or chosen == 0 and not a.policy then
    errors[#errors + 1] = ("spec.analysis: Invalid value: must validate one and only one schema (oneOf). " ..
      "Found %d valid alternatives"):format(chosen)
  end
  for _, key in ipairs(NUMBERS) do
    if a[key] ~= nil and type(a[key]) ~= "number" then
      errors[#errors + 1] = ('spec.analysis.%s: Invalid value: "%s": must be of type number'):format(key, type(a[key]))
    end
  end
  if type(a.interval) == "string" and not a.interval:find("^[0-9]+[ms]") then
    errors[#errors + 1] = ('spec.analysis.interval: Invalid value: "%s": in body should match \'^[0-9]+(m|s)\'')
      :format(a.interval)
  end
  for index, metric in ipairs(a.metrics or {}) do
    required(errors, ("spec.analysis.metrics[%d]"):format(index - 1), metric, { "name" })
  end
end

local function canary(errors, object)
  local spec = object.spec
  required(errors, "spec", spec, { "targetRef", "analysis" })
  for _, key in ipairs({ "targetRef", "autoscalerRef", "ingressRef", "routeRef" }) do
    reference(errors, "spec." .. key, spec[key])
  end
  local kind = type(spec.targetRef) == "table" and spec.targetRef.kind
  if kind and not TARGETS[kind] then
    errors[#errors + 1] = ('spec.targetRef.kind: Unsupported value: "%s"'):format(kind)
  end
  if type(spec.service) == "table" then required(errors, "spec.service", spec.service, { "port" }) end
  if type(spec.analysis) == "table" then analysis(errors, spec.analysis) end
end

local function workload(errors, object, old)
  local spec = object.spec
  local labels = ((spec.template or {}).metadata or {}).labels
  if type(spec.selector) ~= "table" then
    errors[#errors + 1] = "spec.selector: Required value"
    return
  end
  if not selector.matches(spec.selector, labels) then
    errors[#errors + 1] = "spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`"
  end
  if old and json.encode(old.spec.selector) ~= json.encode(spec.selector) then
    errors[#errors + 1] = "spec.selector: Invalid value: field is immutable"
  end
  if type(spec.replicas) == "number" and spec.replicas < 0 then
    errors[#errors + 1] = "spec.replicas: Invalid value: must be greater than or equal to 0"
  end
end

-- What may be changed of a StatefulSet.
local MUTABLE = { replicas = true, ordinals = true, template = true, updateStrategy = true, minReadySeconds = true,
  persistentVolumeClaimRetentionPolicy = true }

local function statefulset(errors, object, old)
  workload(errors, object, old)
  for _, side in ipairs(old and { old.spec, object.spec } or {}) do
    for key in pairs(side) do
      if not MUTABLE[key] and not merge.equal(old.spec[key], object.spec[key]) then
        errors[#errors + 1] = "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', " ..
          "'ordinals', 'template', 'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' " ..
          "are forbidden"
        return
      end
    end
  end
end

local function service(errors, object, old)
  local spec = object.spec
  if spec.type ~= "ExternalName" and spec.clusterIP ~= "None" and #(spec.ports or {}) == 0 then
    errors[#errors + 1] = "spec.ports: Required value"
  end
  for index, port in ipairs(spec.ports or {}) do
    if type(port.port) ~= "number" or port.port < 1 or port.port > 65535 then
      errors[#errors + 1] = ("spec.ports[%d].port: Invalid value: must be between 1 and 65535"):format(index - 1)
    end
    if #spec.ports > 1 and is_missing(port.name) then
      errors[#errors + 1] = ("spec.ports[%d].name: Required value"):format(index - 1)
    end
  end
  if old and old.spec.clusterIP and spec.clusterIP ~= old.spec.clusterIP and spec.type ~= "ExternalName" then
    errors[#errors + 1] = "spec.clusterIPs[0]: Invalid value: may not change once set"
  end
end

local function autoscaler(errors, object)
  local spec = object.spec
  required(errors, "spec", spec, { "scaleTargetRef", "maxReplicas" })
  if spec.maxReplicas and spec.minReplicas and spec.maxReplicas < spec.minReplicas then
    errors[#errors + 1] = "spec.maxReplicas: Invalid value: must be greater than or equal to `minReplicas`"
  end
end

local function gateway_route(errors, object)
  for i, rule in ipairs(object.spec.rules or {}) do
    for j, ref in ipairs(rule.backendRefs or {}) do
      local weight = ref.weight
      if weight ~= nil and (math.type(weight) ~= "integer" or weight < 0 or weight > 1000000) then
        errors[#errors + 1] = ("spec.rules[%d].backendRefs[%d].weight: Invalid value: %s"):format(i - 1, j - 1, weight)
      end
    end
  end
end

local function definition(errors, object)
  local spec = object.spec
  required(errors, "spec", spec, { "group", "names", "scope", "versions" })
  if type(spec.names) == "table" then required(errors, "spec.names", spec.names, { "kind", "plural" }) end
  for index, version in ipairs(spec.versions or {}) do
    required(errors, ("spec.versions[%d]"):format(index - 1), version, { "name" })
  end
  local name = ("%s.%s"):format(type(spec.names) == "table" and spec.names.plural or "", spec.group)
  if #errors == 0 and object.metadata.name ~= name then
    errors[#errors + 1] = ('metadata.name: Invalid value: "%s": must be spec.names.plural+"."+spec.group')
      :format(object.metadata.name)
  end
end

local BY_ID = {
  ["apiextensions.k8s.io/CustomResourceDefinition"] = definition,
  ["flagger.app/Canary"] = canary,
  ["flagger.app/MetricTemplate"] = function(errors, object)
    required(errors, "spec", object.spec, { "provider", "query" })
  end,
  ["apps/Deployment"] = workload,
  ["apps/DaemonSet"] = workload,
  ["apps/StatefulSet"] = statefulset,
  ["/Service"] = service,
  ["autoscaling/HorizontalPodAutoscaler"] = autoscaler,
  ["gateway.networking.k8s.io/HTTPRoute"] = gateway_route,
  ["gateway.networking.k8s.io/GRPCRoute"] = gateway_route,
  ["gateway.networking.k8s.io/TCPRoute"] = gateway_route,
}

local function metadata(errors, object)
  local name = object.metadata.name
  if type(name) ~= "string" or not name:find("^[a-z0-9][a-z0-9.:-]*$") or #name > 253 then
    errors[#errors + 1] = ('metadata.name: Invalid value: "%s"'):format(tostring(name))
  end
  for _, map in ipairs({ "labels", "annotations" }) do
    for key, value in pairs(object.metadata[map] or {}) do
      if type(value) ~= "string" then
        errors[#errors + 1] = ("metadata.%s.%s: Invalid value: must be of type string"):format(map, key)
      end
    end
  end
  for index, owner in ipairs(object.metadata.ownerReferences or {}) do
    required(errors, ("metadata.ownerReferences[%d]"):format(index - 1), owner, { "apiVersion", "kind", "name", "uid" })
  end
end

--- nil, or the words of a refusal. `old` is the stored object of an update.
function validate.check(entry, object, old)
  local errors = {}
  metadata(errors, object)
  local check = BY_ID[entry.id]
  if check and type(object.spec) ~= "table" then
    errors[#errors + 1] = "spec: Required value"
  elseif check then
    check(errors, object, old)
  end
  if #errors == 0 then return nil end
  local name = entry.group ~= "" and entry.kind .. "." .. entry.group or entry.kind
  local text = table.concat(errors, ", ")
  if #errors > 1 then text = "[" .. text .. "]" end
  return ('%s "%s" is invalid: %s'):format(name, tostring(object.metadata.name), text)
end

return validate
