--- What an object has against the schema of its CustomResourceDefinition: the part of OpenAPI that deploy/crd-*.yaml
--- use. Unknown fields are findings too, as an API server would drop them without a word.

local json = require("json")
local nearest = require("util.nearest")
local text = require("util.text")
local yaml = require("yaml")

local openapi = {}

local loaded = {}

--- The schema of a kind ("canaries", "metrictemplates", "alertproviders"), or nil and a message.
function openapi.schema(plural)
  if loaded[plural] then return loaded[plural] end
  local places = package.path:gsub("%?%.lua", "deploy/?.yaml")
  local path, tried = package.searchpath("crd-" .. plural, places)
  if not path then return nil, "the file deploy/crd-" .. plural .. ".yaml is not beside the program:" .. tried end
  local file <close> = assert(io.open(path, "rb"))
  local documents, message = yaml.decode(file:read("a"))
  if not documents then return nil, ("%s: %s"):format(path, message) end
  loaded[plural] = documents[1].spec.versions[1].schema.openAPIV3Schema
  return loaded[plural]
end

local function shown(value)
  if value == json.null then return "null" end
  if type(value) == "table" then return json.is_array(value) and "a list" or "an object" end
  if type(value) == "string" then return ("%q"):format(text.cut(value, 64)) end
  return math.type(value) == "float" and ("%.14g"):format(value) or tostring(value)
end

openapi.shown = shown

local function is_object(value) return type(value) == "table" and not json.is_array(value) end

local TYPES = {
  object = { "an object", is_object },
  array = { "a list", json.is_array },
  string = { "a text", function(value) return type(value) == "string" end },
  boolean = { "true or false", function(value) return type(value) == "boolean" end },
  integer = { "a whole number", function(value) return type(value) == "number" and math.tointeger(value) ~= nil end },
  number = { "a number", function(value) return type(value) == "number" end },
}

local walk

local function below(path, key) return path == "" and key or path .. "." .. key end

local function check_fields(schema, value, path, add)
  local properties, more = schema.properties or {}, schema.additionalProperties
  local open = schema["x-kubernetes-preserve-unknown-fields"] or (not schema.properties and not more)
  for key, item in pairs(value) do
    local at = below(path, key)
    if properties[key] then
      walk(properties[key], item, at, add)
    elseif type(more) == "table" then
      walk(more, item, at, add)
    elseif not open then
      local close = nearest.of(key, properties)
      add(at, ("expected a known field, found %s%s"):format(text.cut(key, 64),
        close and (" (did you mean %s?)"):format(close) or ""))
    end
  end
  for _, key in ipairs(schema.required or {}) do
    if value[key] == nil or value[key] == json.null then
      local kind = TYPES[(properties[key] or {}).type]
      add(below(path, key), ("expected %s, found nothing"):format(kind and kind[1] or "a value"))
    end
  end
end

local function check_enum(schema, value, path, add)
  for _, word in ipairs(schema.enum) do
    if word == value then return end
  end
  local close = type(value) == "string" and nearest.of(value, schema.enum)
  local words = {}
  for _, word in ipairs(schema.enum) do
    if word ~= "" then words[#words + 1] = tostring(word) end
  end
  add(path, ("expected one of %s, found %s%s"):format(table.concat(words, ", "), shown(value),
    close and (" (did you mean %s?)"):format(close) or ""))
end

local function check_bounds(schema, value, path, add)
  if schema.minimum and value < schema.minimum then
    add(path, ("expected at least %.14g, found %s"):format(schema.minimum, shown(value)))
  elseif schema.maximum and value > schema.maximum then
    add(path, ("expected at most %.14g, found %s"):format(schema.maximum, shown(value)))
  end
end

--- @param add function(path, message)
function walk(schema, value, path, add)
  if value == json.null then return end -- as if it were not there
  if schema["x-kubernetes-int-or-string"] then
    if type(value) ~= "string" and not math.tointeger(value) then
      add(path, "expected a number or a name, found " .. shown(value))
    end
    return
  end
  local kind = TYPES[schema.type]
  if kind and not kind[2](value) then
    -- an empty list and an empty object are written the same in flow style by some tools
    if not (type(value) == "table" and next(value) == nil) then
      add(path, ("expected %s, found %s"):format(kind[1], shown(value)))
    end
    return
  end
  if schema.enum then return check_enum(schema, value, path, add) end
  if type(value) == "number" then return check_bounds(schema, value, path, add) end
  if is_object(value) then return check_fields(schema, value, path, add) end
  if type(value) ~= "table" or not schema.items then return end
  for index, item in ipairs(value) do walk(schema.items, item, ("%s[%d]"):format(path, index - 1), add) end
end

--- Calls add(path, message) for every finding.
function openapi.check(schema, object, add) walk(schema, object, "", add) end

return openapi
