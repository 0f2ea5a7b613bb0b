--- JSON Patch (RFC 6902).

local json = require("json")
local merge = require("util.merge")

local json_patch = {}

local function is_list(value)
  return json.is_array(value)
end

local function tokens_of(pointer)
  if type(pointer) ~= "string" or (pointer ~= "" and pointer:sub(1, 1) ~= "/") then return nil end
  local out = {}
  for token in pointer:gmatch("/([^/]*)") do out[#out + 1] = (token:gsub("~1", "/"):gsub("~0", "~")) end
  return out
end

--- The position that a token means in a list, at most `last`.
local function index_of(token, last)
  if not token:find("^%d+$") then return nil end
  local index = math.tointeger(tonumber(token))
  return index and index < last and index + 1 or nil
end

--- What a token leads to in a container; nil when there is nothing.
local function step(value, token)
  if type(value) ~= "table" then return nil end
  if not is_list(value) then return value[token] end
  local index = index_of(token, #value)
  return index and value[index]
end

--- The container of what a pointer names and its last token, or nil.
local function place(root, pointer)
  local tokens = tokens_of(pointer)
  if not tokens or #tokens == 0 then return nil end
  local value = root
  for at = 1, #tokens - 1 do value = step(value, tokens[at]) end
  if type(value) ~= "table" then return nil end
  return value, tokens[#tokens]
end

local function look(root, pointer)
  local value = root
  for _, token in ipairs(tokens_of(pointer) or { pointer }) do value = step(value, token) end
  return value
end

local function insert(container, token, value)
  if not is_list(container) then
    container[token] = value
    return true
  end
  local index = token == "-" and #container + 1 or index_of(token, #container + 1)
  if not index then return false end
  table.insert(container, index, value)
  return true
end

local function take(container, token)
  local value = step(container, token)
  if value == nil then return nil end
  if is_list(container) then return table.remove(container, index_of(token, #container)) end
  container[token] = nil
  return value
end

local operations = {}

function operations.add(root, item)
  local container, token = place(root, item.path)
  return container ~= nil and item.value ~= nil and insert(container, token, merge.copy(item.value))
end

function operations.remove(root, item)
  local container, token = place(root, item.path)
  return container ~= nil and take(container, token) ~= nil
end

function operations.replace(root, item)
  return operations.remove(root, item) and operations.add(root, item)
end

function operations.test(root, item)
  local value = look(root, item.path)
  if value == nil then value = json.null end
  return merge.equal(value, item.value)
end

function operations.copy(root, item)
  local value = look(root, item.from)
  return value ~= nil and operations.add(root, { path = item.path, value = value })
end

function operations.move(root, item)
  local value = look(root, item.from)
  return value ~= nil and operations.remove(root, { path = item.from })
    and operations.add(root, { path = item.path, value = value })
end

--- `object` after the operations, which change it; or nil, message, CODE at the first that cannot be carried out.
function json_patch.apply(object, patch)
  for index, item in ipairs(patch) do
    local operate = type(item) == "table" and operations[item.op]
    if not operate then return nil, ("operation %d of the patch is not one"):format(index - 1), "BAD_REQUEST" end
    if not operate(object, item) then
      return nil, ("the server rejected the patch: operation %d (%s %s) cannot be carried out"):format(index - 1,
        item.op, tostring(item.path)), "INVALID"
    end
  end
  return object
end

return json_patch
