--- Arguments of the verbs that work without a cluster: options with one or two dashes, and names of files.

local nearest = require("util.nearest")

local args = {}

local readers = {}

function readers.text(text) return text end

function readers.number(text, rule)
  local value = tonumber(text)
  if value and rule.whole then value = math.tointeger(value) end
  local good = value and value == value and value >= rule[1] and value <= rule[2]
  local kind = rule.whole and "a whole number" or "a number"
  return good and value or nil, ("%s from %.14g to %.14g"):format(kind, rule[1], rule[2])
end

function readers.word(text, rule)
  for _, word in ipairs(rule) do
    if word == text then return text end
  end
  local close = nearest.of(text, rule)
  return nil, table.concat(rule, " or ") .. (close and (" (did you mean %s?)"):format(close) or "")
end

local function unknown(name, known)
  local close = nearest.of(name, known)
  return ("unknown option --%s%s"):format(name, close and (" (did you mean --%s?)"):format(close) or "")
end

local function put(out, name, rule, value)
  if not rule.list then
    out[name] = value
    return
  end
  out[name] = out[name] or {}
  table.insert(out[name], value)
end

--- Takes the option at `index`. Returns the index of the last argument used, or nil and a message.
local function take(out, argv, index, known)
  local name, equals, text = argv[index]:match("^%-%-?([%w%-]+)(=?)(.*)$")
  if not name then return nil, ("expected an option or a file, found %q"):format(argv[index]) end
  if name == "o" then name = "output" end
  local rule = known[name]
  if not rule then return nil, unknown(name, known) end
  if rule.kind == "flag" then
    if equals == "=" then return nil, ("--%s: expected no value, found %q"):format(name, text) end
    out[name] = true
    return index
  end
  if equals == "" then
    index = index + 1
    text = argv[index]
    if text == nil then return nil, ("--%s: expected a value"):format(name) end
  end
  local value, expected = readers[rule.kind](text, rule)
  if value == nil then return nil, ("--%s: expected %s, found %q"):format(name, expected, text) end
  put(out, name, rule, value)
  return index
end

args.OUTPUT = { kind = "word", "text", "json" }

--- { name = value, files = { ... } }, `help = true` when that was asked; or nil and what is wrong.
--- @param known table  { name = { kind = "flag" | "text" | "number" (lowest, highest, whole?) | "word" (the words),
---   list = true when it may be given several times } }
function args.parse(argv, known)
  local out, index, plain = { files = {} }, 1, false
  while argv[index] do
    local arg = argv[index]
    if not plain and (arg == "-h" or arg == "-help" or arg == "--help") then return { help = true } end
    if not plain and arg == "--" then
      plain = true
    elseif plain or arg == "-" or arg:sub(1, 1) ~= "-" then
      out.files[#out.files + 1] = arg
    else
      local last, message = take(out, argv, index, known)
      if not last then return nil, message end
      index = last
    end
    index = index + 1
  end
  return out
end

--- The options of a verb; or nil and an exit code when it is over already, with the usage or a complaint written.
function args.open(verb, argv, known, usage, streams)
  local options, message = args.parse(argv, known)
  if options and options.help then
    streams.out:write(usage)
    return nil, 0
  end
  if options then return options end
  return args.misused(verb, message, usage, streams)
end

--- nil and exit code 2, with the complaint and the usage written.
function args.misused(verb, message, usage, streams)
  streams.err:write(("serin %s: %s\n"):format(verb, message), usage)
  return nil, 2
end

return args
