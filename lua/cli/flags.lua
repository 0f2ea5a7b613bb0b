--- The flags of `serin run` in the notation of Go's flag package: `-flag value`, `--flag=value`, `-boolean`.

local duration = require("util.duration")
local known = require("cli.known_flags")
local nearest = require("util.nearest")

local flags = {}

local TRUE = { ["1"] = true, t = true, T = true, ["true"] = true, TRUE = true, True = true }
local FALSE = { ["0"] = true, f = true, F = true, ["false"] = true, FALSE = true, False = true }

local function by_name()
  local out = {}
  for _, flag in ipairs(known) do out[flag[1]] = flag end
  return out
end

local function contains(list, wanted)
  for _, item in ipairs(list) do
    if item == wanted then return true end
  end
  return false
end

-- How a text becomes a value of each type: value, or nil and what was expected.
local readers = {}

function readers.text(text, flag)
  if not flag.one_of or flag.lenient or contains(flag.one_of, text) then return text end
  return nil, "one of " .. table.concat(flag.one_of, ", ")
end

function readers.boolean(text)
  if TRUE[text] then return true end
  if FALSE[text] then return false end
  return nil, "true or false"
end

function readers.integer(text, flag)
  local value = text:find("^[+-]?%d+$") and math.tointeger(tonumber((text:gsub("^%+", ""))))
  local lowest, highest = flag.range[1], flag.range[2]
  if value and value >= lowest and value <= highest then return value end
  return nil, ("an integer from %d to %d"):format(lowest, highest)
end

function readers.duration(text)
  local seconds = duration.parse(text)
  if seconds then return seconds end
  return nil, "a duration like 10s"
end

--- COMPAT: blanks beside a comma belong to the item.
function readers.list(text)
  local out = {}
  if text == "" then return out end
  for item in (text .. ","):gmatch("([^,]*),") do out[#out + 1] = item end
  return out
end

--- Of a flag that is given several times: each is one item.
function readers.texts(text)
  local out = {}
  for item in text:gmatch("[^\0]+") do out[#out + 1] = item end
  return out
end

local function read(flag, text, source)
  local value, expected = readers[flag[2]](text, flag)
  if value ~= nil then return value end
  return nil, ("%s: expected %s, found %q"):format(source, expected, text)
end

local function unknown(name, names)
  local close = nearest.of(name, names)
  return ("unknown flag -%s%s"):format(name, close and (" (did you mean -%s?)"):format(close) or "")
end

--- One argument and perhaps the next one: flag, text, index of the last argument used; or nil and a message.
local function split(args, index, names)
  local name, equals, text = args[index]:match("^%-%-?([^=]*)(=?)(.*)$")
  if name == "" or name:sub(1, 1) == "-" then
    return nil, ("expected -flag or -flag=value, found %q"):format(args[index])
  end
  local flag = names[name]
  if not flag then return nil, unknown(name, names) end
  if equals == "=" then return flag, text, index end
  if flag[2] == "boolean" then return flag, "true", index end
  if args[index + 1] then return flag, args[index + 1], index + 1 end
  return nil, ("flag -%s: expected a value, found the end of the arguments"):format(name)
end

--- The texts given for flags, by name; or nil and a message. Go stops at the first argument that is no flag.
local function given(args, names)
  local out, index = {}, 1
  while index <= #args do
    local arg = args[index]
    if contains({ "-h", "-help", "--h", "--help" }, arg) then return { help = true } end
    if arg == "--" then index = index + 1 end
    if arg:sub(1, 1) ~= "-" or arg == "-" or arg == "--" then break end
    local flag, text, last = split(args, index, names)
    if not flag then return nil, text end
    local before = flag[2] == "texts" and out[flag[1]]
    out[flag[1]], index = before and before .. "\0" .. text or text, last + 1
  end
  if args[index] then return nil, ("expected a flag, found %q"):format(args[index]) end
  return out
end

local function text_of(flag, texts, getenv)
  local from_env = flag.env and getenv(flag.env)
  if from_env and from_env ~= "" then return from_env, "environment variable " .. flag.env end
  return texts[flag[1]], "flag -" .. flag[1]
end

local function tell(flag, value, default, source, warn)
  if type(value) == "table" or value == default then return end
  if flag.idle then warn(("%s has no effect: %s"):format(source, flag.idle)) end
  if flag.lenient and not contains(flag.one_of, value) then
    warn(("%s: expected one of %s, found %q: %s is used"):format(source, table.concat(flag.one_of, ", "), value,
      flag.lenient))
  end
end

--- The settings: one field per flag, dashes as underscores, `help = true` when only that was asked; or nil and a
--- message. `warn` gets a sentence for every flag that was set and has no effect.
--- @param args table  a list of arguments
--- @param warn function
--- @param getenv function?  os.getenv
function flags.settings(args, warn, getenv)
  local texts, message = given(args, by_name())
  if not texts then return nil, message end
  if texts.help then return { help = true } end
  local out = {}
  for _, flag in ipairs(known) do
    local text, source = text_of(flag, texts, getenv or os.getenv)
    local default = read(flag, tostring(flag[3]), source)
    local value = default
    if text then value, message = read(flag, text, source) end
    if value == nil then return nil, message end
    tell(flag, value, default, source, warn)
    if flag.lenient and not contains(flag.one_of, value) then value = flag.lenient end
    out[flag[1]:gsub("-", "_")] = value
  end
  return out
end

local function line(flag)
  local default = flag[3] ~= "" and (" (default %s)"):format(flag[3]) or ""
  local env = flag.env and (" [%s]"):format(flag.env) or ""
  local idle = flag.idle and "; no effect" or ""
  local kind = flag[2] ~= "boolean" and " " .. flag[2] or ""
  return ("  -%s%s\n        %s%s%s%s"):format(flag[1], kind, flag[4], default, env, idle)
end

--- What -help prints. The logger's flags, which do nothing, are named in one line.
function flags.usage()
  local out, silent = { "usage: serin run [flags]", "" }, {}
  for _, flag in ipairs(known) do
    if flag[4] ~= "" then out[#out + 1] = line(flag) else silent[#silent + 1] = "-" .. flag[1] end
  end
  out[#out + 1] = ""
  out[#out + 1] = "Accepted, without effect: " .. table.concat(silent, " ")
  return table.concat(out, "\n") .. "\n"
end

return flags
