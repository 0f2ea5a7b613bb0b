--- Reads PromQL, the part of it that metric checks use, into a tree.
--
-- Nodes: { op = "number", value = }, { op = "selector", name =, matchers =, range = seconds | nil, offset = },
-- { op = "call", name =, args = }, { op = "aggregate", name =, arg =, by = names | nil, without = names | nil },
-- { op = "binary", operator =, left =, right =, bool =, on =, ignoring = }, { op = "negate", arg = }.

local regex = require("sandbox.regex")

local promql = {}

local UNITS = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400, w = 604800, y = 31536000 }
local AGGREGATES = { sum = true, avg = true, min = true, max = true, count = true }
local CALLS = {
  rate = 1, increase = 1, irate = 1, histogram_quantile = 2, vector = 1, scalar = 1, abs = 1, ceil = 1, floor = 1,
  round = 1, absent = 1, time = 0, clamp_min = 2, clamp_max = 2,
}
local PRECEDENCE = {
  ["or"] = 1, ["and"] = 2, ["unless"] = 2, ["=="] = 3, ["!="] = 3, ["<="] = 3, ["<"] = 3, [">="] = 3, [">"] = 3,
  ["+"] = 4, ["-"] = 4, ["*"] = 5, ["/"] = 5, ["%"] = 5, ["^"] = 6,
}
local DEEPEST, MOST_TOKENS = 200, 10000
local ESCAPES = { n = "\n", t = "\t", r = "\r" }

--- Seconds of "1m30s", or nil.
function promql.duration(text)
  local total, rest = 0, text
  while rest ~= "" do
    local number, unit, after = rest:match("^(%d+)(%a+)(.*)$")
    if not number or not UNITS[unit] then return nil end
    total, rest = total + tonumber(number) * UNITS[unit], after
  end
  return text ~= "" and total or nil
end

--- The value of a quoted string and the position after it; nil when it does not end.
local function read_string(text, at)
  local quote, out = text:sub(at, at), {}
  at = at + 1
  while true do
    local char = text:sub(at, at)
    if char == "" then return nil end
    if char == quote then return table.concat(out), at + 1 end
    if char == "\\" and quote ~= "`" then
      at = at + 1
      char = text:sub(at, at)
      char = ESCAPES[char] or char
    end
    out[#out + 1] = char
    at = at + 1
  end
end

local PATTERNS = {
  { "duration", "^%d+[smhdwy]%w*" }, { "duration", "^%d+ms" },
  { "number", "^0[xX]%x+" }, { "number", "^%d*%.?%d+[eE][+-]?%d+" }, { "number", "^%d*%.%d+" }, { "number", "^%d+%.?" },
  { "word", "^[%a_:][%w_:]*" },
  { "sign", "^[=!]~" }, { "sign", "^[=!<>]=" }, { "sign", "^[-+*/%%^(){}%[%],=<>]" },
}

local END = { type = "end", text = "end of input" }

local function tokens_of(text)
  local out, at = {}, 1
  while true do
    at = text:find("%S", at)
    if not at then break end
    if #out == MOST_TOKENS then return nil, "the expression is too long" end
    local token, next_at
    if text:find("^[\"'`]", at) then
      local value
      value, next_at = read_string(text, at)
      if not value then return nil, "unterminated quoted string" end
      token = { type = "string", text = value }
    end
    for _, pattern in ipairs(token and {} or PATTERNS) do
      local found = text:match(pattern[2], at)
      if found then
        token, next_at = { type = pattern[1], text = found }, at + #found
        break
      end
    end
    if not token then return nil, ("unexpected character: %q"):format(text:sub(at, at)) end
    out[#out + 1], at = token, next_at
  end
  out[#out + 1] = END
  return out
end

-- The first failure is kept; after it the parser sees nothing but the end of its input.
local parser = {}
local parser_mt = { __index = parser }

function parser:fail(message)
  self.failed = self.failed or message
  return { op = "number", value = 0 }
end

function parser:peek()
  return not self.failed and self.tokens[self.at] or END
end

function parser:take(text)
  local token = self:peek()
  if text and (token.text ~= text or token.type == "string") then
    self:fail(("unexpected %s, expected %q"):format(token.text, text))
  end
  self.at = self.at + 1
  return token
end

function parser:accept(text)
  local token = self:peek()
  if token.text ~= text or token.type == "string" or token.type == "end" then return false end
  self.at = self.at + 1
  return true
end

--- Reads items up to `close`, with commas between them; a comma before `close` is allowed where `loose`.
function parser:list(close, item, loose)
  local out = {}
  while not self.failed and not self:accept(close) do
    out[#out + 1] = item()
    if not self:accept(",") then
      self:take(close)
      break
    end
    if not loose and self:peek().text == close then self:fail("unexpected " .. close) end
  end
  return out
end

function parser:names()
  self:take("(")
  return self:list(")", function() return self:take().text end)
end

function parser:test(operator, value)
  if operator == "=" then return function(has) return has == value end end
  if operator == "!=" then return function(has) return has ~= value end end
  if operator ~= "=~" and operator ~= "!~" then return self:fail("unexpected " .. operator .. " in label matching") end
  local test, message = regex.compile(value)
  if not test then return self:fail(message) end
  return operator == "=~" and test or function(has) return not test(has) end
end

function parser:matcher()
  local label, operator, value = self:take(), self:take().text, self:take()
  if label.type ~= "word" then return self:fail(("unexpected %s in label matching"):format(label.text)) end
  if value.type ~= "string" then
    return self:fail(("unexpected %s in label matching, expected string"):format(value.text))
  end
  return { label = label.text, value = value.text, operator = operator, test = self:test(operator, value.text) }
end

function parser:selector(name)
  local node = { op = "selector", name = name, matchers = {} }
  if self:accept("{") then
    node.matchers = self:list("}", function() return self:matcher() end, true)
  end
  for _, matcher in ipairs(node.matchers) do
    if matcher.label == "__name__" and matcher.operator == "=" then node.name = matcher.value end
  end
  if not node.name then return self:fail("vector selector must contain a metric name") end
  if self:accept("[") then
    node.range = promql.duration(self:take().text)
    if not node.range then self:fail("bad duration syntax in a range") end
    self:take("]")
  end
  return node
end

function parser:aggregate(name)
  local node = { op = "aggregate", name = name }
  local function grouping()
    for _, word in ipairs({ "by", "without" }) do
      if self:accept(word) then node[word] = self:names() end
    end
  end
  grouping()
  self:take("(")
  node.arg = self:expression(0)
  self:take(")")
  grouping()
  return node
end

function parser:call(name)
  self:take("(")
  local node = { op = "call", name = name, args = self:list(")", function() return self:expression(0) end) }
  if #node.args ~= CALLS[name] then
    self:fail(("expected %d argument(s) in call to %q, got %d"):format(CALLS[name], name, #node.args))
  end
  return node
end

function parser:primary()
  local token = self:take()
  if token.text == "(" and token.type == "sign" then
    local node = self:expression(0)
    self:take(")")
    return node
  end
  if token.text == "-" then return { op = "negate", arg = self:expression(PRECEDENCE["*"]) } end
  if token.text == "+" then return self:expression(PRECEDENCE["*"]) end
  if token.type == "number" then return { op = "number", value = tonumber(token.text) + 0.0 } end
  if token.text == "{" then
    self.at = self.at - 1
    return self:selector(nil)
  end
  if token.type ~= "word" then return self:fail("unexpected " .. token.text) end
  if AGGREGATES[token.text] then return self:aggregate(token.text) end
  local following = self:peek().text
  if CALLS[token.text] and following == "(" then return self:call(token.text) end
  if following == "(" then return self:fail(("unknown function with name %q"):format(token.text)) end
  if token.text:lower() == "nan" then return { op = "number", value = 0 / 0 } end
  if token.text:lower() == "inf" then return { op = "number", value = math.huge } end
  return self:selector(token.text)
end

--- What follows, up to an operator that does not bind more tightly than `least`.
function parser:expression(least)
  self.depth = self.depth + 1
  if self.depth > DEEPEST then return self:fail("the expression is nested too deeply") end
  local node = self:operations(least)
  self.depth = self.depth - 1
  return node
end

function parser:operations(least)
  local left = self:primary()
  while true do
    local token = self:peek()
    local precedence = token.type ~= "string" and PRECEDENCE[token.text]
    if not precedence or precedence <= least then return left end
    self:take()
    local node = { op = "binary", operator = token.text, left = left }
    node.bool = self:accept("bool")
    for _, word in ipairs({ "on", "ignoring" }) do
      if self:accept(word) then node[word] = self:names() end
    end
    -- Powers are taken from right to left.
    node.right = self:expression(token.text == "^" and precedence - 1 or precedence)
    left = node
  end
end

--- The tree of a query, or nil and a message as Prometheus words it.
function promql.parse(text)
  local tokens, message = tokens_of(text)
  if not tokens then return nil, "parse error: " .. message end
  local state = setmetatable({ tokens = tokens, at = 1, depth = 0 }, parser_mt)
  if state:peek().type == "end" then return nil, "parse error: no expression found in input" end
  local node = state:expression(0)
  if state:peek().type ~= "end" then state:fail("unexpected " .. state:peek().text) end
  if state.failed then return nil, "parse error: " .. state.failed end
  return node
end

return promql
