--- PromQL's binary operators.

local binary = {}

local ARITHMETIC = {
  ["+"] = function(a, b) return a + b end,
  ["-"] = function(a, b) return a - b end,
  ["*"] = function(a, b) return a * b end,
  ["/"] = function(a, b) return a / b end,
  ["%"] = function(a, b) return math.fmod(a, b) end,
  ["^"] = function(a, b) return a ^ b end,
}
local COMPARISON = {
  ["=="] = function(a, b) return a == b end,
  ["!="] = function(a, b) return a ~= b end,
  ["<"] = function(a, b) return a < b end,
  [">"] = function(a, b) return a > b end,
  ["<="] = function(a, b) return a <= b end,
  [">="] = function(a, b) return a >= b end,
}

--- The result of one pair, or nil when a comparison drops it. `kept` is what a true comparison gives.
local function pair(node, a, b, kept)
  local compute = ARITHMETIC[node.operator]
  if compute then return compute(a, b) end
  local holds = COMPARISON[node.operator](a, b)
  if node.bool then return holds and 1.0 or 0.0 end
  return holds and kept or nil
end

local function with_scalar(node, vector, scalar, swapped)
  local out = {}
  for _, item in ipairs(vector) do
    local a, b = item.value, scalar
    if swapped then a, b = b, a end
    local value = pair(node, a, b, item.value)
    if value ~= nil then out[#out + 1] = { labels = item.labels, value = value } end
  end
  return out
end

--- The text by which the elements of two vectors are matched.
local function key_of(node, tools)
  local names = node.on and tools.keeping(node.on) or tools.dropping(node.ignoring or {})
  return function(item) return tools.signature(names(item.labels)) end
end

local function index(vector, key)
  local out = {}
  for _, item in ipairs(vector) do
    local text = key(item)
    if out[text] then return nil end
    out[text] = item
  end
  return out
end

local function one_to_one(node, left, right, context, tools)
  local key = key_of(node, tools)
  local by_key, out = index(right, key), {}
  if not by_key or not index(left, key) then
    return tools.fail(context, "found duplicate series for the match group; many-to-many matching not allowed")
  end
  for _, item in ipairs(left) do
    local other = by_key[key(item)]
    local value = other and pair(node, item.value, other.value, item.value)
    if value ~= nil and other then
      local labels = node.on and tools.keeping(node.on)(item.labels) or tools.dropping(node.ignoring or {})(item.labels)
      out[#out + 1] = { labels = labels, value = value }
    end
  end
  return out
end

local function set_operation(node, left, right, tools)
  local key, present, out = key_of(node, tools), {}, {}
  local is_or = node.operator == "or"
  for _, item in ipairs(is_or and left or right) do present[key(item)] = true end
  for _, item in ipairs(left) do
    if is_or or (present[key(item)] ~= nil) == (node.operator == "and") then out[#out + 1] = item end
  end
  for _, item in ipairs(is_or and right or {}) do
    if not present[key(item)] then out[#out + 1] = item end
  end
  return out
end

local SETS = { ["and"] = true, ["or"] = true, ["unless"] = true }

--- The value of a binary node. `tools` is the evaluator.
function binary.evaluate(node, context, tools)
  local left, right = tools.run(node.left, context), tools.run(node.right, context)
  if context.failed then return {} end
  local scalar_left, scalar_right = type(left) == "number", type(right) == "number"
  if SETS[node.operator] then
    if scalar_left or scalar_right then
      return tools.fail(context, ("set operator %q not allowed in binary scalar expression"):format(node.operator))
    end
    return set_operation(node, left, right, tools)
  end
  if scalar_left and scalar_right then
    if COMPARISON[node.operator] and not node.bool then
      return tools.fail(context, "comparisons between scalars must use BOOL modifier")
    end
    return pair(node, left, right, left)
  end
  if scalar_right then return with_scalar(node, left, right, false) end
  if scalar_left then return with_scalar(node, right, left, true) end
  return one_to_one(node, left, right, context, tools)
end

return binary
