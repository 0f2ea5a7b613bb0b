--- The names that a script uses without having made them: globals, and functions of what the engine offers. They are
-- read from what Lua 5.4 compiles it to, so a local of the same name is no global, and nothing is run.
--
-- Layout: ldump.c and lopcodes.h of Lua 5.4. What is of another version is not looked at.

local names = {}

local HEADER = "\27Lua\x54\0\x19\x93\r\n\x1a\n\4\8\8"
local AFTER_HEADER = #HEADER + 8 + 8 + 1 -- an integer and a float that show their form, and a count
local GETTABUP, GETFIELD, SETTABUP = 11, 14, 15
local CONSTANT_BYTES = { [0x00] = 0, [0x01] = 0, [0x11] = 0, [0x03] = 8, [0x13] = 8 }
local ABSOLUTE = -128 -- in the deltas of lines: the line stands in a list of its own

local reader_methods = {}
local reader_mt = { __index = reader_methods }

function reader_methods:byte()
  self.at = self.at + 1
  return self.text:byte(self.at)
end

--- Seven bits in a byte, the highest first; the last byte is marked.
function reader_methods:size()
  local value = 0
  repeat
    local byte = self:byte()
    value = value << 7 | byte & 0x7f
  until byte & 0x80 ~= 0
  return value
end

function reader_methods:string()
  local size = self:size()
  if size == 0 then return nil end
  self.at = self.at + size - 1
  return self.text:sub(self.at - size + 2, self.at)
end

function reader_methods:skip(bytes) self.at = self.at + bytes end

local function code_of(reader)
  local out = {}
  for index = 1, reader:size() do
    local word = string.unpack("<I4", reader.text, reader.at + 1)
    reader:skip(4)
    out[index] = { op = word & 0x7f, a = word >> 7 & 0xff, b = word >> 16 & 0xff, c = word >> 24 & 0xff }
  end
  return out
end

local function constants_of(reader)
  local out = {}
  for index = 0, reader:size() - 1 do
    local kind = reader:byte()
    if CONSTANT_BYTES[kind] then reader:skip(CONSTANT_BYTES[kind]) else out[index] = reader:string() end
  end
  return out
end

--- The line of each instruction.
local function lines_of(reader, code, first)
  local deltas, absolute = {}, {}
  for index = 1, reader:size() do deltas[index] = string.unpack("b", string.char(reader:byte())) end
  for _ = 1, reader:size() do
    local index = reader:size()
    absolute[index + 1] = reader:size()
  end
  local line = first
  for index, instruction in ipairs(code) do
    line = deltas[index] == ABSOLUTE and absolute[index] or line + (deltas[index] or 0)
    instruction.line = line
  end
end

--- What one function does with globals, added to `out`.
local function uses_of(code, constants, upvalues, out)
  for index, now in ipairs(code) do
    local after = code[index + 1] or {}
    if now.op == GETTABUP and upvalues[now.b] == "_ENV" then
      local field = after.op == GETFIELD and after.b == now.a and constants[after.c] or nil
      out[#out + 1] = { name = constants[now.c], field = field, line = now.line }
    elseif now.op == SETTABUP and upvalues[now.a] == "_ENV" then
      out[#out + 1] = { name = constants[now.b], set = true, line = now.line }
    end
  end
end

local function read(reader, out)
  reader:string()
  local first = reader:size()
  reader:size()
  reader:skip(3)
  local code, constants, upvalues = code_of(reader), constants_of(reader), {}
  reader:skip(3 * reader:size())
  for _ = 1, reader:size() do read(reader, out) end
  lines_of(reader, code, first)
  for _ = 1, reader:size() do
    reader:string()
    reader:size()
    reader:size()
  end
  for index = 0, reader:size() - 1 do upvalues[index] = reader:string() end
  uses_of(code, constants, upvalues, out)
end

--- { { name =, field = or nil, set = true or nil, line = } ... } by line; nil when it is no Lua 5.4.
function names.of(source)
  local chunk = load(source, "=script", "t", {})
  local text = chunk and string.dump(chunk)
  if not text or text:sub(1, #HEADER) ~= HEADER then return nil end
  local out = {}
  read(setmetatable({ text = text, at = AFTER_HEADER }, reader_mt), out)
  table.sort(out, function(a, b) return a.line < b.line end)
  return out
end

return names
