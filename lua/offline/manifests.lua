--- Manifests looked at without a cluster: every finding with its file and line.

local canaries = require("offline.canaries")
local files = require("offline.files")
local json = require("json")
local merge = require("util.merge")
local nearest = require("util.nearest")
local openapi = require("offline.openapi")
local templates = require("offline.templates")

local manifests = {}

local API = "flagger.app/v1beta1"
local KINDS = {
  Canary = { "canaries", canaries.check },
  MetricTemplate = { "metrictemplates", templates.metric },
  AlertProvider = { "alertproviders", templates.alert },
}

local function key_of(object) return object.metadata.namespace .. "/" .. object.metadata.name end

local function adder(out, document, severity)
  local seen = {}
  return function(field, message)
    local key = field .. " " .. message
    if seen[key] then return end
    seen[key] = true
    out[#out + 1] = { file = document.path, line = files.line(document, field), object = document.label, field = field,
      message = message, severity = severity }
  end
end

--- True when kind, name and namespace are such that the object can be looked at; else that is a finding.
local function has_name(document, add)
  local metadata = document.object.metadata
  if type(metadata) ~= "table" or type(metadata.name) ~= "string" then
    add("metadata.name", "expected a text, found nothing")
    return false
  end
  if metadata.namespace ~= nil and type(metadata.namespace) ~= "string" then
    add("metadata.namespace", "expected a text, found " .. openapi.shown(metadata.namespace))
    return false
  end
  return true
end

--- A copy whose namespace is named, for what nobody gave one.
local function placed(object)
  if object.metadata.namespace then return object end
  local out = merge.copy(object)
  out.metadata.namespace = "default"
  return out
end

--- A kind that is nearly ours, by a slip of the pen: then nothing would ever act on the object.
local function misspelt(object)
  if type(object.apiVersion) ~= "string" or not object.apiVersion:find("^flagger%.app/") then return nil end
  local close = nearest.of(tostring(object.kind), KINDS)
  return ("expected one of AlertProvider, Canary, MetricTemplate, found %s%s"):format(tostring(object.kind),
    close and (" (did you mean %s?)"):format(close) or "")
end

--- Sorts a document in. Returns true when it is one of ours to look at further.
local function take(document, result, world)
  local object = document.object
  local add = adder(result.findings, document, "error")
  if type(object) ~= "table" or type(object.kind) ~= "string" then
    document.label = "document"
    add("", "expected an object with apiVersion, kind and metadata, found " .. openapi.shown(object))
    return false
  end
  document.label = files.label(object)
  local kind = KINDS[object.kind]
  local ours = kind and type(object.apiVersion) == "string" and object.apiVersion:find("^flagger%.app/") ~= nil
  if not ours and misspelt(object) then
    add("kind", misspelt(object))
    return false
  end
  if not ours and not (object.kind == "Secret" and object.apiVersion == "v1") then
    result.skipped[object.kind] = (result.skipped[object.kind] or 0) + 1
    return false
  end
  if not has_name(document, add) then return false end
  document.object = placed(object)
  local known = world.objects[object.kind] or {}
  world.objects[object.kind] = known
  local key = key_of(document.object)
  if ours and known[key] then add("metadata.name", "expected one of this name, found another one before it") end
  known[key] = known[key] or document.object
  if not ours then result.skipped.Secret = (result.skipped.Secret or 0) + 1 end
  if ours and object.apiVersion ~= API then
    add("apiVersion", ("expected %s, found %s"):format(API, object.apiVersion))
    return false
  end
  return ours
end

--- Takes the value at a path out; an entry of a list leaves its place empty.
local function remove(object, path)
  local above, last
  for word in path:gsub("%[(%d+)%]", ".%1"):gmatch("[^.]+") do
    if last ~= nil then above = type(above) == "table" and above[last] or nil else above = object end
    last = json.is_array(above) and (math.tointeger(tonumber(word)) or 0) + 1 or word
  end
  if type(above) ~= "table" or last == nil then return end
  if json.is_array(above) then above[last] = {} else above[last] = nil end
end

--- What the schema says first; where it has something against a field, the rest is looked at as if it were not there,
--- and no second sentence is said about it.
local function look(document, world, result)
  local kind, found = KINDS[document.object.kind], result.findings
  local before, fields = #found, {}
  local add = adder(found, document, "error")
  local schema, message = openapi.schema(kind[1])
  if not schema then error(message, 0) end
  openapi.check(schema, document.object, add)
  local object = merge.copy(document.object)
  for index = before + 1, #found do
    fields[found[index].field] = true
    remove(object, found[index].field)
  end
  local function unless_told(severity)
    local tell = adder(found, document, severity)
    return function(field, text)
      if not fields[field] then tell(field, text) end
    end
  end
  kind[2](object, world, { error = unless_told("error"), note = unless_told("note") })
end

--- Two Canaries on one target: the older one of a cluster would have it.
local function rivals(documents, result)
  local taken = {}
  for _, document in ipairs(documents) do
    local spec = document.object.spec
    local ref = document.object.kind == "Canary" and type(spec) == "table" and spec.targetRef
    if type(ref) == "table" then
      local key = ("%s/%s %s"):format(document.object.metadata.namespace, tostring(ref.kind), tostring(ref.name))
      if taken[key] and taken[key] ~= document.label then
        adder(result.findings, document, "error")("spec.targetRef",
          ("expected a target of its own, found that of %s"):format(taken[key]))
      end
      taken[key] = taken[key] or document.label
    end
  end
end

local function by_place(a, b)
  if a.file ~= b.file then return a.order < b.order end
  if (a.line or 0) ~= (b.line or 0) then return (a.line or 0) < (b.line or 0) end
  if a.field ~= b.field then return a.field < b.field end
  return a.message < b.message
end

--- { findings, checked = number, skipped = { [kind] = number } }.
--- @param list table   { { path =, text = } ... }
--- @param world table  { settings, library, allow_missing }; see offline/canaries.lua
function manifests.check(list, world)
  local result, ours, order = { findings = {}, checked = 0, skipped = {} }, {}, {}
  world.objects = {}
  for index, item in ipairs(list) do
    order[item.path] = order[item.path] or index
    local documents, message = files.documents(item.path, item.text)
    if not documents then
      local line = math.tointeger(tonumber(message:match("^line (%d+)")))
      result.findings[#result.findings + 1] = { file = item.path, line = line, object = "", field = "",
        message = message, severity = "error" }
    end
    for _, document in ipairs(documents or {}) do
      if take(document, result, world) then ours[#ours + 1] = document end
    end
  end
  for _, document in ipairs(ours) do look(document, world, result) end
  rivals(ours, result)
  result.checked = #ours
  for _, finding in ipairs(result.findings) do finding.order = order[finding.file] end
  table.sort(result.findings, by_place)
  for _, finding in ipairs(result.findings) do finding.order = nil end
  return result
end

return manifests
