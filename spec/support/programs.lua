--- Random programs over what a script may use, with awkward values: the same for the same seed.

local programs = {}

local FUNCTIONS = {}
for line in io.lines("spec/fixtures/worker/reach.txt") do
  FUNCTIONS[#FUNCTIONS + 1] = line:match("^(%S+) function$")
end

local VALUES = { "nil", "true", "0", "-1", "1", "2", "3.5", "1e308", "0/0", "math.huge", "math.mininteger", "1 << 31",
  "math.maxinteger", "''", "'a'", "'%'", "'(.-)(.-)x'", "'%f[%w]%b()'", "'[^'", "'%99d'", "'%s%q%a'", "'i16s4z!8'",
  "('a'):rep(500)", "('ab'):rep(30000)", "'\\0\\255'", "'[[{\"a\":[1,null]}]'", "{}", "{1, 2, 3}", "{1, nil, 3}",
  "{a = {b = {}}}", "json.null", "json.array()", "print", "_G", "string", "t", "f", "co", "mt",
  "(function() return f end)", "function() error(t) end", "function(...) return ... end",
  "function() coroutine.yield(t) end", "setmetatable({}, mt)", "coroutine.wrap(f)", "select('#', 1, 2)", "'return t'",
  "'return ...'", "'='", "'collect'", "'count'" }

local EVENTS = "({'__index', '__call', '__close', '__gc', '__len', '__eq', '__lt', '__concat', '__name', '__mode', "
  .. "'__tostring', '__newindex', '__metatable', '__pairs'})[%d]"

-- %s: a value, %d: one of the events.
local STATEMENTS = { "t[%s] = %s", "t = %s", "f = %s", "mt[" .. EVENTS .. "] = %s", "for i = 1, 50 do t[i] = %s end",
  "co = coroutine.create(%s)", "t = setmetatable({}, mt)", "t = tostring(%s) .. tostring(%s)",
  "do local x <close> = %s; t = %s end", "goto done", "for k, v in pairs(%s) do t = v end", "t = #%s", "t = %s < %s",
  "t = %s .. %s", "while %s do t = %s break end", "for i = 1, 1e9 do t = %s end" }

--- The source of a chunk that returns a function.
function programs.make(seed)
  math.randomseed(seed)
  local function any(list) return list[math.random(#list)] end
  local function call()
    local arguments = {}
    for i = 1, math.random(0, 4) do arguments[i] = any(VALUES) end
    return ("%s(%s)"):format(any(FUNCTIONS), table.concat(arguments, ", "))
  end
  local function value() return math.random(3) == 1 and call() or any(VALUES) end
  local function statement()
    if math.random(2) == 1 then return "t = {" .. call() .. "}" end
    local text = any(STATEMENTS):gsub("%%s", function() return (value():gsub("%%", "%%%%")) end)
    return (text:gsub("%%d", math.random(14)):gsub("%%%%", "%%"))
  end
  local lines = { "local t, f, co, mt = {}, function() end, coroutine.create(function() end), {}", "return function()" }
  for _ = 1, math.random(3, 25) do
    lines[#lines + 1] = ("  t = {pcall(function() %s ::done:: end), t}"):format(statement())
  end
  lines[#lines + 1] = "  return 1\nend"
  return table.concat(lines, "\n")
end

--- Bytes for the pipe: a frame of a kind that a worker may send, or nearly one.
function programs.frame(seed)
  math.randomseed(seed)
  local body = { string.pack(">BI4", math.random(0, 12), math.random(3) == 1 and math.random(0, 1 << 32 - 1) or 1) }
  for _ = 1, math.random(0, 4) do
    local text = ({ "", "{}", "[", "pause", "[[[[", "7", "\255", "[1,2]" })[math.random(8)]
    body[#body + 1] = math.random(2) == 1 and string.pack(">s4", text) or string.pack(">I4", math.random(0, 40))
  end
  local bytes = string.pack(">s4", table.concat(body))
  if math.random(3) == 1 then bytes = bytes:sub(1, math.random(#bytes)) end
  return bytes:rep(math.random(3))
end

return programs
