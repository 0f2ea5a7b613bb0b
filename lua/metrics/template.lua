--- Renders a query: the part of Go's text/template that queries use.
--
-- Bounded in depth (parse), steps and output; nothing here can run away or raise.

local functions = require("metrics.template.functions")
local json = require("json")
local parse = require("metrics.template.parse")
local values = require("metrics.template.values")

local template = {}

local MAX_SOURCE, MAX_OUTPUT, MAX_STEPS = 65536, 65536, 20000

local function fail(state, line, message, ...)
  state.err = state.err or ("line %d: %s"):format(line, message:format(...))
end

local function step(state, line)
  state.steps = state.steps + 1
  if state.steps > MAX_STEPS then fail(state, line, "more than %d steps", MAX_STEPS) end
end

local function emit(state, line, piece)
  state.size = state.size + #piece
  if state.size > MAX_OUTPUT then return fail(state, line, "more than %d bytes of output", MAX_OUTPUT) end
  state.out[#state.out + 1] = piece
end

-- Variables live in frames; each holds { value }, so that a variable may hold nothing.
local function find_variable(state, name)
  local frame = state.frame
  while frame do
    if frame[name] then return frame[name] end
    frame = frame.outer
  end
end

local function declare(state, name, value) state.frame[name] = { value } end

local function scoped(state, run)
  state.frame = { outer = state.frame }
  run()
  state.frame = state.frame.outer
end

local function field_of(state, line, value, name)
  local kind = values.kind_of(value)
  if kind == "nil" then
    if state.missing ~= "error" then return nil end
    return fail(state, line, "no data; no entry for key %q", name)
  end
  if kind ~= "map" and not (kind == "list" and next(value) == nil) then
    return fail(state, line, "can't evaluate field %s in a %s", name, kind)
  end
  if value[name] ~= nil then return value[name] end
  if state.missing == "error" then return fail(state, line, "map has no entry for key %q", name) end
  if state.missing == "zero" then return "" end
end

local function call(state, item, arguments)
  local it = state.functions[item.name]
  if type(it) ~= "function" then
    if arguments.n > 0 then fail(state, item.line, "%s takes no arguments", item.name) end
    return it
  end
  local value, message = it(table.unpack(arguments, 1, arguments.n))
  if value == nil and message then return fail(state, item.line, "%s", message) end
  if type(value) == "string" and #value > MAX_OUTPUT then
    return fail(state, item.line, "a text of more than %d bytes", MAX_OUTPUT)
  end
  return value
end

local evaluate_pipe

local OPERANDS = {
  literal = function(_, item) return item.value end,
  ["nil"] = function() return nil end,
  dot = function(state) return state.dot end,
  variable = function(state, item)
    local found = find_variable(state, item.name)
    return found and found[1]
  end,
  pipe = function(state, item) return evaluate_pipe(state, item.pipe) end,
  call = function(state, item) return call(state, item, { n = 0 }) end,
}

local function evaluate(state, item)
  step(state, item.line)
  if state.err then return nil end
  local value = OPERANDS[item.kind](state, item)
  for _, name in ipairs(item.fields or {}) do
    if state.err then return nil end
    value = field_of(state, item.line, value, name)
  end
  if value == json.null then return nil end
  return value
end

--- `and` and `or` stop at the argument that decides.
local function short_circuit(state, command, final, stop_at)
  if #command < 2 and not final then return fail(state, command[1].line, "%s: missing argument", command[1].name) end
  local value
  for index = 2, #command do
    value = evaluate(state, command[index])
    if state.err or values.truth(value) == stop_at then return value end
  end
  if final then value = final[1] end
  return value
end

--- @param final table?  { value } of the command before it in the pipe, the last argument of this one
local function evaluate_command(state, command, final)
  local head = command[1]
  if head.kind ~= "call" or head.fields then return evaluate(state, head) end
  step(state, head.line)
  if head.name == "and" or head.name == "or" then
    return short_circuit(state, command, final, head.name == "or")
  end
  local arguments = { n = #command - 1 }
  for index = 2, #command do
    if state.err then return nil end
    arguments[index - 1] = evaluate(state, command[index])
  end
  if final then
    arguments.n = arguments.n + 1
    arguments[arguments.n] = final[1]
  end
  if state.err then return nil end
  return call(state, head, arguments)
end

function evaluate_pipe(state, pipe, keep_names)
  local final
  for _, command in ipairs(pipe.commands) do
    if state.err then return nil end
    final = { (evaluate_command(state, command, final)) }
  end
  if state.err then return nil end
  local value = final[1]
  if pipe.names and not keep_names then
    if pipe.assigns then
      local found = find_variable(state, pipe.names[1])
      if found then found[1] = value end
    else
      declare(state, pipe.names[1], value)
    end
  end
  return value
end

local walk

local function print_value(state, node)
  local value = evaluate_pipe(state, node.pipe)
  if state.err or node.pipe.names then return end
  local shown, message = values.show(value)
  if not shown then return fail(state, node.line, "%s", message) end
  emit(state, node.line, shown)
end

local function conditional(state, node)
  scoped(state, function()
    local value, dot = evaluate_pipe(state, node.pipe), state.dot
    if state.err then return end
    if not values.truth(value) then return walk(state, node.otherwise or {}) end
    if node.kind == "with" then state.dot = value end
    walk(state, node.body)
    state.dot = dot
  end)
end

--- One turn of a loop. Returns true when the loop ends.
local function turn(state, node, key, value)
  local names = node.pipe.names or {}
  step(state, node.line)
  if state.err then return true end
  local set = function(name, item)
    local found = node.pipe.assigns and find_variable(state, name)
    if found then found[1] = item else declare(state, name, item) end
  end
  scoped(state, function()
    if #names == 2 then set(names[1], key) end
    if #names > 0 then set(names[#names], value) end
    state.dot = value
    walk(state, node.body)
  end)
  local broke = state.jump == "break"
  state.jump = nil
  return broke or state.err ~= nil
end

--- Calls `each(key, value)` in order until it returns true. Returns false when there is nothing to loop over.
local function loop(state, node, over, each)
  local kind = values.kind_of(over)
  if kind == "list" then
    for index, item in ipairs(over) do
      if each(index - 1, item) then break end
    end
    return #over > 0
  elseif kind == "map" then
    for _, key in ipairs(values.keys(over)) do
      if each(key, over[key]) then break end
    end
    return next(over) ~= nil
  elseif kind == "integer" then
    for index = 0, over - 1 do
      if each(index, index) then break end
    end
    return over > 0
  end
  if kind ~= "nil" then fail(state, node.line, "range can't iterate over a %s", kind) end
  return false
end

local function range(state, node)
  scoped(state, function()
    local over, dot = evaluate_pipe(state, node.pipe, true), state.dot
    if state.err then return end
    local any = loop(state, node, over, function(key, value) return turn(state, node, key, value) end)
    state.dot = dot
    if not any and not state.err then walk(state, node.otherwise or {}) end
  end)
end

local NODES = {
  text = function(state, node) emit(state, 0, node.text) end,
  print = print_value,
  ["if"] = conditional,
  with = conditional,
  range = range,
  ["break"] = function(state) state.jump = "break" end,
  continue = function(state) state.jump = "continue" end,
}

function walk(state, list)
  for _, node in ipairs(list) do
    if state.err or state.jump then return end
    step(state, node.line or 0)
    NODES[node.kind](state, node)
  end
end

local function all_functions(own)
  local out = { ["and"] = true, ["or"] = true }
  for name, it in pairs(functions) do out[name] = it end
  for name, it in pairs(own) do out[name] = it end
  return out
end

--- The rendered text, or nil and a message that names the line.
--- @param source string
--- @param own table  what the template may call: { name = value or function(...) -> value | nil, message }
--- @param missing string?  a map without the key that is asked for: "error" (default), "zero" or "default"
function template.render(source, own, missing)
  if #source > MAX_SOURCE then return nil, ("a template of more than %d bytes"):format(MAX_SOURCE) end
  local known = all_functions(own)
  local tree, message = parse.tree(source, known)
  if not tree then return nil, message end
  local state = { functions = known, missing = missing or "error", out = {}, size = 0, steps = 0, frame = {} }
  declare(state, "$", nil)
  walk(state, tree)
  if state.err then return nil, state.err end
  return table.concat(state.out)
end

return template
