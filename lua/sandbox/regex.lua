--- The regular expressions that queries and routes use (a subset of RE2): . [] () (?:) | * + ? {m,n} \d \w \s ^ $.
--
-- A pattern becomes a function (text, at, go_on) -> bool, where go_on(at) tries the rest: backtracking by
-- continuation.

local regex = {}

local CLASSES = { d = "%d", w = "[%w_]", s = "%s", D = "%D", W = "[^%w_]", S = "%S" }
local parse_alternatives

local function one(test)
  return function(text, at, go_on)
    return at <= #text and test(text:sub(at, at)) and go_on(at + 1)
  end
end

local function literal(char)
  return one(function(c) return c == char end)
end

local function escape(char)
  local class = CLASSES[char]
  if class then return one(function(c) return c:find(class) ~= nil end) end
  return literal(char == "n" and "\n" or char == "t" and "\t" or char)
end

--- One member of a [class]: returns a test and the position after it.
local function member(pattern, at)
  local char = pattern:sub(at, at)
  if char == "\\" then
    local class = CLASSES[pattern:sub(at + 1, at + 1)]
    if class then return function(c) return c:find(class) ~= nil end, at + 2 end
    at, char = at + 1, pattern:sub(at + 1, at + 1)
  end
  local last = pattern:match("^%-([^%]])", at + 1)
  if last then return function(c) return c >= char and c <= last end, at + 3 end
  return function(c) return c == char end, at + 1
end

local function parse_class(pattern, at)
  local negated = pattern:sub(at, at) == "^"
  if negated then at = at + 1 end
  local tests = {}
  while #tests == 0 or pattern:sub(at, at) ~= "]" do
    if at > #pattern then return nil, "missing closing ]" end
    tests[#tests + 1], at = member(pattern, at)
  end
  return one(function(char)
    for _, test in ipairs(tests) do
      if test(char) then return not negated end
    end
    return negated
  end), at + 1
end

local function parse_group(pattern, at)
  if pattern:sub(at, at + 1) == "?:" then at = at + 2 end
  local inner, next_at = parse_alternatives(pattern, at)
  if not inner then return nil, next_at end
  if pattern:sub(next_at, next_at) ~= ")" then return nil, "missing closing )" end
  return inner, next_at + 1
end

local ANCHORS = {
  ["^"] = function(_, at, go_on) return at == 1 and go_on(at) end,
  ["$"] = function(text, at, go_on) return at == #text + 1 and go_on(at) end,
}

local function parse_atom(pattern, at)
  local char = pattern:sub(at, at)
  if char == "(" then return parse_group(pattern, at + 1) end
  if char == "[" then return parse_class(pattern, at + 1) end
  if char == "." then return one(function() return true end), at + 1 end
  if char == "\\" then return escape(pattern:sub(at + 1, at + 1)), at + 2 end
  if ANCHORS[char] then return ANCHORS[char], at + 1 end
  if char:find("[*+?]") then return nil, "missing argument to repetition operator: " .. char end
  return literal(char), at + 1
end

local function repeated(atom, least, most)
  local function try(text, at, go_on, done)
    if done < most and atom(text, at, function(next_at)
      return next_at > at and try(text, next_at, go_on, done + 1)
    end) then return true end
    return done >= least and go_on(at)
  end
  return function(text, at, go_on) return try(text, at, go_on, 0) end
end

local QUANTITIES = { ["*"] = { 0, math.huge }, ["+"] = { 1, math.huge }, ["?"] = { 0, 1 } }

local function quantity(pattern, at)
  local known = QUANTITIES[pattern:sub(at, at)]
  if known then return known[1], known[2], at + 1 end
  local least, comma, most, stop = pattern:match("^{(%d+)(,?)(%d*)}()", at)
  if not least then return nil end
  least = tonumber(least)
  if comma == "" then return least, least, stop end
  return least, tonumber(most) or math.huge, stop
end

local function sequence(atoms)
  return function(text, start, go_on)
    local function step(index, at)
      if index > #atoms then return go_on(at) end
      return atoms[index](text, at, function(next_at) return step(index + 1, next_at) end)
    end
    return step(1, start)
  end
end

local function parse_sequence(pattern, at)
  local atoms = {}
  while at <= #pattern and not pattern:find("^[|)]", at) do
    local atom, next_at = parse_atom(pattern, at)
    if not atom then return nil, next_at end
    local least, most, after = quantity(pattern, next_at)
    if least then
      atom, next_at = repeated(atom, least, most), after
      if pattern:sub(next_at, next_at) == "?" then next_at = next_at + 1 end
    end
    atoms[#atoms + 1], at = atom, next_at
  end
  return sequence(atoms), at
end

function parse_alternatives(pattern, at)
  local choices = {}
  repeat
    local choice, next_at = parse_sequence(pattern, at)
    if not choice then return nil, next_at end
    choices[#choices + 1], at = choice, next_at + 1
  until pattern:sub(next_at, next_at) ~= "|"
  return function(text, start, go_on)
    for _, choice in ipairs(choices) do
      if choice(text, start, go_on) then return true end
    end
    return false
  end, at - 1
end

--- A predicate on whole texts (anchored at both ends), or nil and a message.
function regex.compile(pattern)
  if not pattern:find("[%.%[%]%(%)|%*%+%?%{%}\\%^%$]") then
    return function(text) return text == pattern end
  end
  local match, at = parse_alternatives(pattern, 1)
  if not match then return nil, ("error parsing regexp: %s: `%s`"):format(at, pattern) end
  if at <= #pattern then return nil, ("error parsing regexp: unexpected ): `%s`"):format(pattern) end
  return function(text)
    return match(text, 1, function(stop) return stop == #text + 1 end)
  end
end

--- Whether the whole text matches; a pattern that cannot be read matches nothing.
function regex.matches(pattern, text)
  local test = regex.compile(pattern)
  return test ~= nil and test(text)
end

return regex
