--- MetricTemplates and AlertProviders, by themselves.

local address = require("metrics.address")
local lint = require("offline.lint")
local nearest = require("util.nearest")
local observer = require("metrics.observer")
local params = require("util.params")
local template = require("metrics.template")

local templates = {}

-- A Canary whose names a query is rendered with.
local STAND_IN = { name = "canary", namespace = "namespace", target = { kind = "Deployment", name = "target" },
  names = { apex = "service" } }

local function text(value) return type(value) == "string" and value ~= "" end

--- @param found table  see offline/canaries.lua
function templates.metric(object, world, found)
  local spec = object.spec
  if type(spec) ~= "table" or type(spec.provider) ~= "table" or not text(spec.query) then return end
  if spec.provider.type == "lua" then
    local _, message = load(spec.query, "=spec.query", "t", {})
    if message then found.error("spec.query", "expected a Lua script, found: " .. message) end
    for _, item in ipairs(lint.of(spec.query, { inline = true })) do
      found.error("spec.query", ("line %d: %s"):format(item.line, item.message))
    end
    return
  end
  local _, message = template.render(spec.query, observer.model(STAND_IN, {}, "1m"), "default")
  if message then found.error("spec.query", "query render error: " .. message) end
  local given = spec.provider.address
  if text(given) and not address.split(given) and spec.provider.type ~= "graphite" then
    found.error("spec.provider.address", ("expected a URL like http://prometheus:9090, found %q"):format(
      given:sub(1, 256)))
  end
  templates.secret(object, spec.provider.secretRef, "spec.provider.secretRef", world, found)
end

--- A note on a Secret that is not among the files: credentials are seldom there.
function templates.secret(object, ref, field, world, found)
  if type(ref) ~= "table" or not text(ref.name) then return end
  local key = ("%s/%s"):format(object.metadata.namespace, ref.name)
  local known = world.objects.Secret or {}
  if known[key] then return end
  local close = nearest.of(key, known)
  if close then found.note(field, ("the Secret %s is not among the files (did you mean %s?)"):format(key, close)) end
end

function templates.alert(object, world, found)
  local spec = object.spec
  if type(spec) ~= "table" then return end
  if spec.type ~= "lua" and not text(spec.address) and type(spec.secretRef) ~= "table" then
    found.error("spec", "expected address or secretRef, found neither")
  end
  for _, name in ipairs({ "address", "proxy" }) do
    if text(spec[name]) and not address.split(spec[name]) then
      found.error("spec." .. name, ("expected a URL, found %q"):format(spec[name]:sub(1, 256)))
    end
  end
  local script = type(spec.script) == "table" and spec.script or {}
  if text(script.name) and world.library then
    local known, message = world.library:find("notify", script.name)
    if not known then
      found.error("spec.script.name", message)
    else
      known, message = params.read(known.fields.params or {}, script.params, "spec.script.params")
      if not known then found.error(message:match("^([%w._%[%]-]+): (.*)$")) end
    end
  end
  templates.secret(object, spec.secretRef, "spec.secretRef", world, found)
end

return templates
