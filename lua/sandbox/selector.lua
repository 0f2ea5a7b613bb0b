--- Label and field selectors.

local selector = {}

local function trim(text)
  return (text:gsub("^%s+", ""):gsub("%s+$", ""))
end

--- Splits at commas that are not inside parentheses.
local function split(text)
  local parts, depth, start = {}, 0, 1
  for at = 1, #text do
    local char = text:sub(at, at)
    if char == "(" then depth = depth + 1 end
    if char == ")" then depth = depth - 1 end
    if char == "," and depth == 0 then
      parts[#parts + 1] = trim(text:sub(start, at - 1))
      start = at + 1
    end
  end
  parts[#parts + 1] = trim(text:sub(start))
  return parts
end

local function set_of(text)
  local values = {}
  for value in text:gmatch("[^,]+") do values[trim(value)] = true end
  return values
end

local function requirement(part)
  local key, operator, values = part:match("^(%S+)%s+(%a+)%s*%((.*)%)$")
  if key then
    values = set_of(values)
    if operator == "in" then return function(labels) return values[labels[key] or false] == true end end
    if operator == "notin" then return function(labels) return not values[labels[key] or false] end end
    return nil
  end
  local name, value = part:match("^([^!=]+)!=(.*)$")
  if name then return function(labels) return labels[trim(name)] ~= trim(value) end end
  name, value = part:match("^([^=]+)==?([^=]*)$")
  if name then return function(labels) return labels[trim(name)] == trim(value) end end
  if part:sub(1, 1) == "!" then return function(labels) return labels[trim(part:sub(2))] == nil end end
  return function(labels) return labels[part] ~= nil end
end

--- A predicate on label maps for "a=b,c!=d,e in (f,g),h,!i", or nil and a message.
function selector.parse(text)
  local all = {}
  for _, part in ipairs(text == "" and {} or split(text)) do
    local test = requirement(part)
    if not test then return nil, "unable to parse requirement: " .. part end
    all[#all + 1] = test
  end
  return function(labels)
    for _, test in ipairs(all) do
      if not test(labels or {}) then return false end
    end
    return true
  end
end

local FIELDS = {
  ["metadata.name"] = function(object) return object.metadata.name end,
  ["metadata.namespace"] = function(object) return object.metadata.namespace end,
  ["involvedObject.name"] = function(object) return (object.involvedObject or {}).name end,
  ["involvedObject.namespace"] = function(object) return (object.involvedObject or {}).namespace end,
  ["involvedObject.kind"] = function(object) return (object.involvedObject or {}).kind end,
  ["involvedObject.uid"] = function(object) return (object.involvedObject or {}).uid end,
  type = function(object) return object.type end,
  reason = function(object) return object.reason end,
}

--- A predicate on objects for "metadata.name=x,involvedObject.kind!=y", or nil and a message.
function selector.fields(text)
  local all = {}
  for _, part in ipairs(text == "" and {} or split(text)) do
    local key, operator, value = part:match("^([^!=]+)(!?==?)(.*)$")
    local read = key and FIELDS[key]
    if not read then return nil, "field label not supported: " .. tostring(key or part) end
    local negate = operator:sub(1, 1) == "!"
    all[#all + 1] = function(object) return (read(object) == value) ~= negate end
  end
  return function(object)
    for _, test in ipairs(all) do
      if not test(object) then return false end
    end
    return true
  end
end

--- Whether `labels` have all that matchLabels (and matchExpressions) of a LabelSelector ask for.
function selector.matches(label_selector, labels)
  labels = labels or {}
  for key, value in pairs(label_selector.matchLabels or {}) do
    if labels[key] ~= value then return false end
  end
  for _, expression in ipairs(label_selector.matchExpressions or {}) do
    local has, found = labels[expression.key], false
    for _, value in ipairs(expression.values or {}) do found = found or value == has end
    local operator = expression.operator
    local ok = operator == "Exists" and has ~= nil or operator == "DoesNotExist" and has == nil
      or operator == "In" and found or operator == "NotIn" and not found
    if not ok then return false end
  end
  return true
end

return selector
