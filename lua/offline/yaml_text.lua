--- A value as YAML, in block style with sorted keys; what yaml.decode reads back as the same value.

local json = require("json")
local yaml = require("yaml")

local yaml_text = {}

-- What Kubernetes' own tools write first.
local FIRST = { apiVersion = 1, kind = 2, metadata = 3, name = 4, namespace = 5, spec = 6 }

local function sorted(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    local one, two = FIRST[a] or 9, FIRST[b] or 9
    if one ~= two then return one < two end
    return a < b
  end)
  return keys
end

local function is_plain(text)
  if not text:find("^[%a_/][%w_%./%-]*$") then return false end
  local documents = yaml.decode(text)
  return documents ~= nil and documents[1] == text
end

local function scalar(value)
  if value == json.null then return "null" end
  if type(value) == "string" then return is_plain(value) and value or json.encode(value) end
  if math.type(value) == "float" and math.tointeger(value) then return ("%d"):format(value) end
  return json.encode(value)
end

local write

local function entry(out, indent, head, value)
  if type(value) ~= "table" then
    out[#out + 1] = head .. " " .. scalar(value)
  elseif next(value) == nil then
    out[#out + 1] = head .. (json.is_array(value) and " []" or " {}")
  else
    out[#out + 1] = head
    write(out, indent, value)
  end
end

local function write_list(out, indent, value)
  for _, item in ipairs(value) do
    if type(item) ~= "table" or next(item) == nil then
      entry(out, indent, indent .. "-", item)
    else
      local inner = {}
      write(inner, indent .. "  ", item)
      inner[1] = indent .. "- " .. inner[1]:sub(#indent + 3)
      table.move(inner, 1, #inner, #out + 1, out)
    end
  end
end

function write(out, indent, value)
  if json.is_array(value) or #value > 0 then return write_list(out, indent, value) end
  for _, key in ipairs(sorted(value)) do
    local name = is_plain(key) and key or json.encode(key)
    local list = type(value[key]) == "table" and (json.is_array(value[key]) or #value[key] > 0)
    entry(out, list and indent or indent .. "  ", indent .. name .. ":", value[key])
  end
end

--- The text of an object, with a line end.
function yaml_text.of(value)
  local out = {}
  if type(value) ~= "table" or next(value) == nil then
    entry(out, "", "", value)
    out[1] = out[1]:sub(2)
  else
    write(out, "", value)
  end
  return table.concat(out, "\n") .. "\n"
end

return yaml_text
