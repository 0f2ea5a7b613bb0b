--- What every target made of pods shares: configuration references, ports, the primary's template.

local merge = require("util.merge")

local pods = {}

local FLUX = "toolkit%.fluxcd%.io"

local function each(list, visit)
  for _, item in ipairs(list or {}) do visit(item) end
end

--- Calls visit(kind, holder, key) for every place of a pod spec that names a ConfigMap or Secret:
--- the name is holder[key], `holder.optional` tells whether it may be missing.
local function each_reference(spec, visit)
  each(spec.volumes, function(volume)
    if volume.configMap then visit("configmap", volume.configMap, "name") end
    if volume.secret then visit("secret", volume.secret, "secretName") end
    each(volume.projected and volume.projected.sources, function(source)
      if source.configMap then visit("configmap", source.configMap, "name") end
      if source.secret then visit("secret", source.secret, "name") end
    end)
  end)
  local function container(c)
    each(c.env, function(env)
      local from = env.valueFrom or {}
      if from.configMapKeyRef then visit("configmap", from.configMapKeyRef, "name") end
      if from.secretKeyRef then visit("secret", from.secretKeyRef, "name") end
    end)
    each(c.envFrom, function(source)
      if source.configMapRef then visit("configmap", source.configMapRef, "name") end
      if source.secretRef then visit("secret", source.secretRef, "name") end
    end)
  end
  each(spec.containers, container)
  each(spec.initContainers, container)
end

--- The ConfigMaps and Secrets a pod spec names, sorted: { { kind = "configmap"|"secret", name =, optional = }, ... }.
--- A name that any reference needs is not optional.
function pods.references(spec)
  local found, out = {}, {}
  each_reference(spec, function(kind, holder, key)
    local name = holder[key]
    if type(name) ~= "string" or name == "" then return end
    local id = kind .. "/" .. name
    local ref = found[id]
    if not ref then
      ref = { kind = kind, name = name, id = id, optional = true }
      found[id], out[#out + 1] = ref, ref
    end
    ref.optional = ref.optional and holder.optional == true
  end)
  table.sort(out, function(a, b) return a.id < b.id end)
  return out
end

local function suffix_references(spec, tracked)
  each_reference(spec, function(kind, holder, key)
    if tracked[kind .. "/" .. tostring(holder[key])] then holder[key] = holder[key] .. "-primary" end
  end)
end

--- The copy must keep away from its own pods, not from the original's.
local function rename_selector(selector, labels, name)
  if not selector then return end
  for _, label in ipairs(labels) do
    if selector.matchLabels and selector.matchLabels[label] == name then
      selector.matchLabels[label] = name .. "-primary"
    end
    each(selector.matchExpressions, function(expression)
      if expression.key ~= label then return end
      for index, value in ipairs(expression.values or {}) do
        if value == name then
          expression.values[index] = name .. "-primary"
          break
        end
      end
    end)
  end
end

local function rename_affinity(spec, labels, name)
  each(spec.topologySpreadConstraints, function(c) rename_selector(c.labelSelector, labels, name) end)
  local anti = spec.affinity and spec.affinity.podAntiAffinity or {}
  each(anti.requiredDuringSchedulingIgnoredDuringExecution, function(term)
    rename_selector(term.labelSelector, labels, name)
  end)
  each(anti.preferredDuringSchedulingIgnoredDuringExecution, function(term)
    rename_selector(term.podAffinityTerm and term.podAffinityTerm.labelSelector, labels, name)
  end)
end

--- `map` without the keys of Flux, which would make it manage the copy.
function pods.without_flux(map)
  local out = {}
  for key, value in pairs(map or {}) do
    if not key:find(FLUX) then out[key] = value end
  end
  return out
end

--- The entries of `map` whose key starts with one of `prefixes` ("*" means all), never those of Flux.
function pods.with_prefix(map, prefixes)
  local out = {}
  for key, value in pairs(pods.without_flux(map)) do
    for _, prefix in ipairs(prefixes) do
      if prefix == "*" or (prefix ~= "" and key:sub(1, #prefix) == prefix) then out[key] = value end
    end
  end
  return out
end

--- The pod template of the primary.
--- @param template table  the target's
--- @param copy table  { name = target's name, label, value = of the primary, tracked = set of ids, labels = selector
---   label candidates, id = value of the flagger-id annotation }
function pods.primary_template(template, copy)
  local out = merge.copy(template)
  local metadata = out.metadata or {}
  metadata.labels = pods.without_flux(metadata.labels)
  metadata.labels[copy.label] = copy.value
  metadata.annotations = pods.without_flux(metadata.annotations)
  metadata.annotations["flagger-id"] = copy.id
  out.metadata = metadata
  suffix_references(out.spec, copy.tracked)
  rename_affinity(out.spec, copy.labels, copy.name)
  return out
end

local SIDECARS = { ["istio-proxy"] = true, envoy = true }

--- The container ports beside the service's own: { { name =, port = }, ... }.
--- @param target_port number|string  the port the service already leads to
function pods.ports(spec, target_port)
  local out = {}
  for _, container in ipairs(spec.containers or {}) do
    for index, port in ipairs(SIDECARS[container.name] and {} or container.ports or {}) do
      local own = port.containerPort == target_port or (port.name ~= nil and port.name == target_port)
      if not own then
        local name = port.name or ("tcp-%s-%d"):format(container.name, index - 1)
        out[#out + 1] = { name = name, port = port.containerPort }
      end
    end
  end
  return out
end

--- The names of the ports that containers declare, as a set, and how many ports there are.
function pods.port_names(spec)
  local names, count = {}, 0
  for _, container in ipairs(spec.containers or {}) do
    for _, port in ipairs(container.ports or {}) do
      count = count + 1
      if port.name then names[port.name] = true end
    end
  end
  return names, count
end

return pods
