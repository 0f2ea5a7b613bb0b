--- From `templateRef` to the objects behind it: which to read, and what they say.

local digest = require("digest")
local json = require("json")
local nearest = require("util.nearest")
local registry = require("util.registry")

local resolve = {}

local GROUP = "flagger.app/v1beta1"

-- The values of the CRD that a file here serves, for the hint at a name that none does.
resolve.TYPES = { "cloudwatch", "datadog", "dynatrace", "externalmetrics", "graphite", "influxdb", "keptn", "newrelic",
  "prometheus", "splunk", "stackdriver" }

local function given(value)
  if value ~= json.null and value ~= "" then return value end
end

--- The namespace and name of the template an entry refers to, or nil.
function resolve.ref(canary, metric)
  local ref = given(metric.templateRef)
  if type(ref) ~= "table" or type(ref.name) ~= "string" then return nil end
  return { namespace = given(ref.namespace) or canary.namespace, name = ref.name }
end

local function key_of(ref) return ref.namespace .. "/" .. ref.name end

local function secret_ref(object, namespace)
  local provider = type(object) == "table" and type(object.spec) == "table" and object.spec.provider
  local ref = type(provider) == "table" and given(provider.secretRef)
  if type(ref) ~= "table" or type(ref.name) ~= "string" then return nil end
  return { namespace = namespace, name = ref.name }
end

local function add_ref(out, seen, api_version, kind, ref)
  local key = key_of(ref)
  if seen[key] then return end
  seen[key] = true
  out[#out + 1] = { apiVersion = api_version, kind = kind, namespace = ref.namespace, name = ref.name, key = key }
end

--- The MetricTemplates that have to be read.
function resolve.reads(canary)
  local out, seen = {}, {}
  for _, metric in ipairs(canary.analysis.metrics) do
    local ref = resolve.ref(canary, metric)
    if ref then add_ref(out, seen, GROUP, "MetricTemplate", ref) end
  end
  return out
end

--- The Secrets those templates name; they are beside the template.
function resolve.secrets(canary, templates)
  local out, seen = {}, {}
  for _, metric in ipairs(canary.analysis.metrics) do
    local ref = resolve.ref(canary, metric)
    local secret = ref and secret_ref(templates[key_of(ref)], ref.namespace)
    if secret then add_ref(out, seen, "v1", "Secret", secret) end
  end
  return out
end

--- What the named templates' providers want to know of the engine's surroundings: { env = {names}, files = {names} },
--- the latter of environment variables that name a file. Both sorted, each name once.
function resolve.ambient(canary, templates)
  local out, seen = { env = {}, files = {} }, {}
  for _, metric in ipairs(canary.analysis.metrics) do
    local ref = resolve.ref(canary, metric)
    local object = ref and templates[key_of(ref)]
    local spec = type(object) == "table" and type(object.spec) == "table" and object.spec or {}
    local kind = type(spec.provider) == "table" and spec.provider.type
    local provider = type(kind) == "string" and registry.find("metrics", kind)
    for list, names in pairs(provider and provider.ambient or {}) do
      for _, name in ipairs(names) do
        if not seen[name] then out[list][#out[list] + 1] = name end
        seen[name] = true
      end
    end
  end
  table.sort(out.env)
  table.sort(out.files)
  return out
end

local function unknown(kind)
  local close = nearest.of(kind, resolve.TYPES)
  return ("provider %s error: metric provider %s is not available in this build%s"):format(kind, kind,
    close and (" (did you mean %s?)"):format(close) or "")
end

--- The decoded data of a template's Secret. nil without one; nil and a message when it cannot be had.
local function secret_of(object, ref, secrets)
  local wanted = secret_ref(object, ref.namespace)
  if not wanted then return nil end
  local data, out = secrets[key_of(wanted)], {}
  if type(data) ~= "table" then
    return nil, ("secret %s error: %s"):format(wanted.name, data or ('secrets "%s" not found'):format(wanted.name))
  end
  for key, value in pairs(data) do
    out[key] = digest.unbase64(value)
    if not out[key] then return nil, ("secret %s error: %s is not base64"):format(wanted.name, key) end
  end
  return out
end

--- The template, its provider's module and its secret: { object, provider, secret, type }; or nil and what is wrong.
--- @param ref table        what resolve.ref gave
--- @param templates table  "namespace/name" -> object, or a text that says why there is none
--- @param secrets table    "namespace/name" -> data, or such a text
function resolve.template(ref, templates, secrets)
  local object = templates[key_of(ref)]
  if type(object) ~= "table" then
    return nil, "error: " .. (object or ('metrictemplate.flagger.app "%s" not found'):format(ref.name))
  end
  local spec = type(object.spec) == "table" and object.spec or {}
  if type(spec.provider) ~= "table" or type(spec.provider.type) ~= "string" or type(spec.query) ~= "string" then
    return nil, "error: spec: expected provider.type and query as texts"
  end
  local secret, message = secret_of(object, ref, secrets)
  if message then return nil, message end
  local kind = spec.provider.type
  local provider = registry.find("metrics", kind)
  if not provider then return nil, unknown(kind) end
  return { object = object, provider = provider, secret = secret, type = kind }
end

return resolve
