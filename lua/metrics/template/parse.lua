--- Builds the tree of a template.
--
-- Nodes: { kind = "text", text }, { kind = "print" | "if" | "with" | "range", pipe, body, otherwise, line },
-- { kind = "break" | "continue" }. A pipe is { names, assigns, commands }; a command is a list of operands;
-- an operand is { kind = "literal" | "nil" | "dot" | "variable" | "call" | "pipe", ..., fields = names or nil }.

local lex = require("metrics.template.lex")
local nearest = require("util.nearest")

local parse = {}

local MAX_DEPTH, MAX_OPERANDS = 32, 100
local END = { kind = "end of action" }
local BLOCKS = { ["if"] = true, with = true, range = true }

--- Remembers the first thing that went wrong; everything stops at it.
local function fail(state, line, message, ...)
  state.err = state.err or ("line %d: %s"):format(line, message:format(...))
end

local function peek(state) return state.tokens[state.at] or END end

local function take(state)
  local token = peek(state)
  state.at = state.at + 1
  return token
end

local function shown(token)
  if token == END then return token.kind end
  return tostring(token.value)
end

local function deeper(state)
  state.depth = state.depth + 1
  if state.depth > MAX_DEPTH then fail(state, state.line, "nested deeper than %d", MAX_DEPTH) end
end

local function known(state, token)
  if state.functions[token.value] ~= nil then return end
  local close = nearest.of(token.value, state.functions)
  local hint = close and (" (did you mean %s?)"):format(close) or ""
  fail(state, token.line, "function %q not defined%s", token.value, hint)
end

local parse_pipe

local HAS_FIELDS = { dot = true, variable = true, call = true, pipe = true }
local SIMPLE = {
  literal = function(token) return { kind = "literal", value = token.value } end,
  ["nil"] = function() return { kind = "nil" } end,
  ["."] = function() return { kind = "dot" } end,
  field = function(token) return { kind = "dot", fields = { token.value } } end,
}

local function variable(state, token)
  if not state.variables[token.value] then fail(state, token.line, "undefined variable %q", token.value) end
  return { kind = "variable", name = token.value }
end

local function parenthesised(state, token)
  deeper(state)
  local inner = { kind = "pipe", pipe = parse_pipe(state) }
  state.depth = state.depth - 1
  if take(state).kind ~= ")" then fail(state, token.line, "unclosed left paren") end
  return inner
end

--- One operand with the fields behind it, or nil when none begins here.
local function operand(state)
  local token = peek(state)
  local out
  if SIMPLE[token.kind] then
    out = SIMPLE[take(state).kind](token)
  elseif token.kind == "variable" then
    out = variable(state, take(state))
  elseif token.kind == "ident" then
    known(state, take(state))
    out = { kind = "call", name = token.value }
  elseif token.kind == "(" then
    take(state)
    out = parenthesised(state, token)
  else
    return nil
  end
  out.line = token.line
  while peek(state).kind == "field" and peek(state).near and not state.err do
    if not HAS_FIELDS[out.kind] then fail(state, token.line, "unexpected . after %s", shown(token)) end
    out.fields = out.fields or {}
    table.insert(out.fields, take(state).value)
  end
  return out
end

local function check_command(state, command, first)
  local head = command[1]
  if not head then return fail(state, state.line, "missing value for command") end
  if head.kind == "nil" and #command == 1 then fail(state, state.line, "nil is not a command") end
  local takes_arguments = head.kind == "call" and not head.fields
  if not takes_arguments and #command > 1 then fail(state, state.line, "can't give argument to non-function") end
  if not first and not takes_arguments then fail(state, state.line, "non executable command in pipeline") end
end

local function parse_command(state, first)
  local command = {}
  while not state.err do
    local before = peek(state)
    local item = operand(state)
    if not item then break end
    if #command > 0 and before.near then fail(state, before.line, "unexpected %s in operand", shown(before)) end
    command[#command + 1] = item
    if #command > MAX_OPERANDS then fail(state, state.line, "more than %d operands", MAX_OPERANDS) end
  end
  check_command(state, command, first)
  return command
end

--- `$x :=`, `$x =` and, where `pairs` is allowed, `$i, $x :=`.
local function declaration(state, pairs_allowed)
  local one, two, three, four = table.unpack(state.tokens, state.at, state.at + 3)
  if not one or one.kind ~= "variable" or not two then return nil end
  if two.kind == ":=" or two.kind == "=" then
    state.at = state.at + 2
    return { one.value }, two.kind == "="
  end
  if two.kind ~= "," then return nil end
  if not pairs_allowed or not four or three.kind ~= "variable" or (four.kind ~= ":=" and four.kind ~= "=") then
    return fail(state, one.line, "unexpected , in pipeline")
  end
  state.at = state.at + 4
  return { one.value, three.value }, four.kind == "="
end

function parse_pipe(state, pairs_allowed)
  local pipe = { line = state.line, commands = {} }
  pipe.names, pipe.assigns = declaration(state, pairs_allowed)
  repeat
    pipe.commands[#pipe.commands + 1] = parse_command(state, #pipe.commands == 0)
    local more = not state.err and peek(state).kind == "|"
    if more then take(state) end
  until not more
  for _, name in ipairs(pipe.names or {}) do
    if pipe.assigns and not state.variables[name] then fail(state, state.line, "undefined variable %q", name) end
    state.variables[name] = true
  end
  return pipe
end

local function finish(state)
  local rest = peek(state)
  if rest ~= END then fail(state, rest.line, "unexpected %s", shown(rest)) end
end

local function scope(state)
  local outer = state.variables
  state.variables = setmetatable({}, { __index = outer })
  return function() state.variables = outer end
end

local parse_list

--- What follows `else`: another block, or a list up to `end`.
local function otherwise(state, node)
  local next_token = peek(state)
  if next_token.kind == "keyword" and next_token.value == node.kind and node.kind ~= "range" then
    take(state)
    local inner = parse.block(state, next_token)
    return { inner }
  end
  finish(state)
  local list, stop = parse_list(state)
  if stop ~= "end" then fail(state, node.line, "%s without end", node.kind) end
  return list
end

--- An if, with or range up to its end.
function parse.block(state, token)
  local leave, loops = scope(state), state.loops
  local node = { kind = token.value, line = token.line }
  deeper(state)
  node.pipe = parse_pipe(state, token.value == "range")
  finish(state)
  if token.value == "range" then state.loops = loops + 1 end
  local stop
  node.body, stop = parse_list(state)
  state.loops = loops
  if stop == "else" then
    node.otherwise = otherwise(state, node)
  elseif stop ~= "end" then
    fail(state, node.line, "%s without end", node.kind)
  end
  state.depth = state.depth - 1
  leave()
  return node
end

--- One action. Returns its node, or nil and "else" or "end".
local function parse_action(state)
  local token = peek(state)
  if token.kind ~= "keyword" then
    if token == END then fail(state, state.line, "missing value for command") end
    local node = { kind = "print", line = state.line, pipe = parse_pipe(state) }
    finish(state)
    return node
  end
  take(state)
  if BLOCKS[token.value] then return parse.block(state, token) end
  if token.value == "end" then finish(state) end
  if token.value == "else" or token.value == "end" then return nil, token.value end
  if token.value ~= "break" and token.value ~= "continue" then
    return fail(state, token.line, "%s is not supported", token.value)
  end
  finish(state)
  if state.loops == 0 then fail(state, token.line, "%s outside of range", token.value) end
  return { kind = token.value }
end

function parse_list(state)
  local list = {}
  while not state.err do
    state.index = state.index + 1
    local part = state.parts[state.index]
    if not part then return list, nil end
    if part.text then
      list[#list + 1] = { kind = "text", text = part.text }
    else
      state.tokens, state.at, state.line = part.tokens, 1, part.line
      local node, stop = parse_action(state)
      if stop then return list, stop end
      list[#list + 1] = node
    end
  end
  return list, "error"
end

--- The tree of a template, or nil and a message that names the line.
--- @param functions table  the names that may be called
function parse.tree(source, functions)
  local parts, message = lex.split(source)
  if not parts then return nil, message end
  local state = {
    parts = parts, index = 0, line = 1, depth = 0, loops = 0,
    functions = functions, variables = { ["$"] = true },
  }
  local list, stop = parse_list(state)
  if stop then fail(state, state.line, "unexpected %s", stop) end
  if state.err then return nil, state.err end
  return list
end

return parse
