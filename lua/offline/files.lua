--- Manifests in files: their documents, and where in the file each field stands.

local json = require("json")
local yaml = require("yaml")

local files = {}

local MOST_BYTES = 8 << 20

--- The bytes of a file, "-" is the standard input; or nil and a message.
function files.read(path)
  local file, message = io.stdin
  if path ~= "-" then file, message = io.open(path, "rb") end
  if not file then return nil, message end
  local text, why = file:read(MOST_BYTES + 1)
  if path ~= "-" then file:close() end
  if not text and why then return nil, ("%s: %s"):format(path, why) end
  text = text or ""
  if #text > MOST_BYTES then return nil, ("%s: expected at most %d bytes"):format(path, MOST_BYTES) end
  return text
end

--- The line of a field, or of the nearest thing above it that has one; nil when nothing has.
--- @param field string  "spec.analysis.metrics[0].name"
function files.line(document, field)
  local at = field
  while at and document.lines do
    local line = document.lines[document.prefix .. (at ~= "" and document.prefix ~= "" and "." or "") .. at]
    if line then return line end
    if at == "" then break end
    at = at:match("^(.*)%[%d+%]$") or at:match("^(.*)%.[^.]*$") or ""
  end
  return nil
end

local function add(out, path, object, lines, prefix)
  if object == json.null then return end
  if type(object) == "table" and object.kind == "List" and json.is_array(object.items) then
    for index, item in ipairs(object.items) do add(out, path, item, lines, ("items[%d]"):format(index - 1)) end
    return
  end
  out[#out + 1] = { path = path, object = object, lines = lines, prefix = prefix }
end

--- The documents of a text: { { path, object, lines, prefix } ... }; or nil and a message with the line.
function files.documents(path, text)
  local objects, message = yaml.decode(text)
  if not objects then return nil, message end
  local lines, out = yaml.lines(text) or {}, {}
  for index, object in ipairs(objects) do add(out, path, object, lines[index], "") end
  return out
end

--- "Canary demo/app", for messages.
function files.label(object)
  local metadata = type(object.metadata) == "table" and object.metadata or {}
  local name = type(metadata.name) == "string" and metadata.name or "(no name)"
  local namespace = type(metadata.namespace) == "string" and metadata.namespace .. "/" or ""
  return ("%s %s%s"):format(tostring(object.kind), namespace, name)
end

return files
