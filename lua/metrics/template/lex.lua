--- Splits a template into its texts and the tokens of its actions.
--
-- A token is { kind =, value =, line =, near = bool }: `near` when no space stands before it, which
-- tells `variables.name` (a field of what precedes) from `variables .name` (one more argument).

local lex = {}

local KEYWORDS = {
  ["if"] = true, ["else"] = true, ["end"] = true, ["range"] = true, ["with"] = true,
  ["break"] = true, ["continue"] = true, define = true, block = true, template = true,
}
local CONSTANTS = { ["true"] = true, ["false"] = false }
local ESCAPES = { n = "\n", t = "\t", r = "\r", a = "\a", b = "\b", f = "\f", v = "\v", ["\\"] = "\\", ['"'] = '"' }

--- A double-quoted text that begins at `at`: its value and where it ends; nil and why not.
local function quoted(source, at)
  local out, i = {}, at + 1
  while true do
    local c = source:sub(i, i)
    if c == '"' then return table.concat(out), i + 1 end
    if c == "" or c == "\n" then return nil, "unterminated quoted string" end
    if c == "\\" then
      local hex = source:match("^x(%x%x)", i + 1) or source:match("^u(%x%x%x%x)", i + 1)
      local plain = ESCAPES[source:sub(i + 1, i + 1)]
      if not hex and not plain then return nil, "unknown escape in quoted string" end
      if hex and #hex == 2 then plain = string.char(tonumber(hex, 16)) end
      out[#out + 1] = plain or utf8.char(tonumber(hex, 16))
      i = i + 2 + (hex and #hex or 0)
    else
      out[#out + 1], i = c, i + 1
    end
  end
end

local function raw(source, at)
  local stop = source:find("`", at + 1, true)
  if not stop then return nil, "unterminated raw quoted string" end
  return source:sub(at + 1, stop - 1), stop + 1
end

local function number(source, at)
  local digits = source:match("^[+-]?0[xX]%x+", at) or source:match("^[+-]?%d+%.?%d*[eE][+-]?%d+", at)
    or source:match("^[+-]?%d*%.?%d+", at) or source:match("^[+-]?%d+%.?", at)
  local stop = at + #digits
  if source:find("^[%w_]", stop) then return nil, "bad number syntax" end
  return tonumber((digits:gsub("^%+", ""))), stop
end

local function word(source, at)
  local name = source:match("^[%a_][%w_]*", at)
  local stop = at + #name
  if KEYWORDS[name] then return "keyword", name, stop end
  if name == "nil" then return "nil", name, stop end
  if CONSTANTS[name] ~= nil then return "literal", CONSTANTS[name], stop end
  return "ident", name, stop
end

--- The token at `at`: kind, value and where it ends; nil and why there is none.
local function token(source, at)
  local c = source:sub(at, at)
  if c:find("[%a_]") then return word(source, at) end
  if c == "." and source:find("^%.[%a_]", at) then
    local name = source:match("^%.([%a_][%w_]*)", at)
    return "field", name, at + 1 + #name
  end
  if c == "$" then
    local name = source:match("^%$[%w_]*", at)
    return "variable", name, at + #name
  end
  local value, stop
  if source:find("^[+-]?%.?%d", at) then
    value, stop = number(source, at)
  elseif c == '"' then
    value, stop = quoted(source, at)
  elseif c == "`" then
    value, stop = raw(source, at)
  elseif source:sub(at, at + 1) == ":=" then
    return ":=", ":=", at + 2
  elseif c:find("[|()=,.]") then
    return c, c, at + 1
  else
    return nil, ("unexpected character %q in action"):format(c)
  end
  if value == nil then return nil, stop end
  return "literal", value, stop
end

local function lines(source, from, to)
  local count = 0
  for _ in source:sub(from, to - 1):gmatch("\n") do count = count + 1 end
  return count
end

--- The tokens of the action that begins behind `{{`. Returns them, where the text goes on, whether it
--- is to be trimmed, and the line there; or nil and a message.
local function action(source, at, line)
  local tokens, opened = {}, line
  while true do
    local start = source:find("[^ \t\r\n]", at)
    if not start then return nil, ("line %d: unclosed action"):format(opened) end
    line = line + lines(source, at, start)
    local spaced = start > at
    if spaced and source:find("^%-}}", start) then return tokens, start + 3, true, line end
    if source:find("^}}", start) then return tokens, start + 2, false, line end
    local kind, value, stop = token(source, start)
    if not kind then return nil, ("line %d: %s"):format(line, value) end
    tokens[#tokens + 1] = { kind = kind, value = value, line = line, near = not spaced }
    line, at = line + lines(source, start, stop), stop
  end
end

--- Behind a comment: where the text goes on and whether it is to be trimmed; nil without a comment, false
--- for a broken one.
local function comment(source, at)
  if not source:find("^/%*", at) then return nil end
  local _, stop = source:find("*/", at + 2, true)
  if not stop then return false end
  local trim = source:match("^[ \t\r\n]+%-}}()", stop + 1)
  local plain = source:match("^}}()", stop + 1)
  return trim or plain or false, trim ~= nil
end

local function add_text(out, value, trim_left, trim_right)
  if trim_left then value = value:gsub("^[ \t\r\n]+", "") end
  if trim_right then value = value:match("^.*[^ \t\r\n]") or "" end
  if value ~= "" then out[#out + 1] = { text = value } end
end

--- A list of { text = } and { tokens =, line = }, or nil and a message that names the line.
function lex.split(source)
  local out, at, line, trim_left = {}, 1, 1, false
  while true do
    local open = source:find("{{", at, true)
    local trims = open and source:find("^%-[ \t\r\n]", open + 2) ~= nil
    add_text(out, source:sub(at, (open or 0) - 1), trim_left, trims)
    if not open then return out end
    line = line + lines(source, at, open)
    local inner = open + (trims and 3 or 2)
    local past = inner + (trims and #source:match("^[ \t\r\n]*", inner) or 0)
    local after, trim = comment(source, past)
    if after == false then return nil, ("line %d: unclosed comment"):format(line) end
    if after then
      line = line + lines(source, open, after)
      at, trim_left = after, trim
    else
      local tokens, next_at, next_trim, next_line = action(source, inner, line)
      if not tokens then return nil, next_at end
      out[#out + 1] = { tokens = tokens, line = line }
      at, trim_left, line = next_at, next_trim, next_line
    end
  end
end

return lex
