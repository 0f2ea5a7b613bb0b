--- Reads route objects that anyone may have written: what is odd is named, never guessed.

local json = require("json")
local object = require("util.object")

local percent = require("util.percent")

local shape = {}

local HUNDREDTHS = 10000 -- of a percent in the whole

--- `TraefikService app.demo`; without the namespace where there is none.
function shape.title(body)
  if not body.metadata.namespace then return ("%s %s"):format(body.kind, body.metadata.name) end
  return ("%s %s.%s"):format(body.kind, body.metadata.name, body.metadata.namespace)
end

--- A message about one field of an object.
function shape.odd(body, path, what)
  return ("%s: %s %s"):format(shape.title(body), path, what)
end

local function below(body, path)
  local value = body
  for key in path:gmatch("[^.]+") do
    if type(value) ~= "table" then return nil end
    value = value[key]
  end
  return value
end

--- `items`, found at `path`, as a list all of whose items are objects; an empty list where `optional` and absent.
--- Otherwise nil and a message.
function shape.items(body, path, items, optional)
  if items == nil or items == json.null then
    if optional then return json.array() end
    return nil, shape.odd(body, path, "is missing")
  end
  if type(items) ~= "table" or (not object.is_list(items) and next(items) ~= nil) then
    return nil, shape.odd(body, path, "is not a list")
  end
  for index, item in ipairs(items) do
    if type(item) ~= "table" then
      return nil, shape.odd(body, ("%s[%d]"):format(path, index - 1), "is not an object")
    end
  end
  return items
end

--- As `items`, of what is at the dotted path.
function shape.list(body, path, optional)
  return shape.items(body, path, below(body, path), optional)
end

--- A weight of 0 or more as an integer, `default` when absent; otherwise nil and a message.
function shape.weight(body, path, value, default)
  if value == nil then return default end
  local weight = type(value) == "number" and math.tointeger(value)
  if weight and weight >= 0 then return weight end
  return nil, shape.odd(body, path, "is not a weight: " .. tostring(value))
end

--- What is written for shares of 100: these, or where one has decimals hundredths of a percent.
function shape.parts(routes)
  if math.tointeger(routes.canary) then return routes end
  local count = percent.hundredths(routes.canary)
  return { primary = HUNDREDTHS - count, canary = count }
end

--- Two weights as shares of 100; weights that sum to 100 stay as they are.
--- Without any weight nil, a message and "NOT_FOUND".
--- @param fine boolean?  weights that sum to 10,000 are what `parts` made of decimals
function shape.shares(canary, body, primary, weight, fine)
  local sum = primary + weight
  if sum == 0 then
    local what = ("%s does not contain routes for %s and %s")
    return nil, what:format(shape.title(body), canary.names.primary, canary.names.canary), "NOT_FOUND"
  end
  if fine and sum == HUNDREDTHS then
    return { primary = percent.of_hundredths(primary), canary = percent.of_hundredths(weight), mirrored = false }
  end
  local share = (weight * 200 + sum) // (2 * sum)
  return { primary = 100 - share, canary = share, mirrored = false }
end

--- What to say when the object a canary's traffic depends on is not there.
function shape.absent(canary, kind)
  return ("%s %s.%s not found"):format(kind, canary.names.apex, canary.namespace)
end

return shape
