--- printf, strict: a verb that does not fit its value is an error and not a text like `%!d(string=x)`.

local values = require("metrics.template.values")

local QUOTES = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r",
  ["\a"] = "\\a", ["\b"] = "\\b", ["\f"] = "\\f", ["\v"] = "\\v" }

local function quote(value)
  return '"' .. value:gsub('[%c\\"]', function(c) return QUOTES[c] or ("\\x%02x"):format(c:byte()) end) .. '"'
end

local VERBS = {
  v = { takes = "any" }, s = { takes = "string", with = "s" }, q = { takes = "string", make = quote },
  d = { takes = "integer", with = "d" }, x = { takes = "integer", with = "x" }, X = { takes = "integer", with = "X" },
  t = { takes = "boolean", make = tostring },
  f = { takes = "number", with = "f" }, F = { takes = "number", with = "f" }, e = { takes = "number", with = "e" },
  E = { takes = "number", with = "E" }, g = { takes = "number", with = "g" }, G = { takes = "number", with = "G" },
}

local function fits(takes, value)
  if takes == "any" then return true end
  if takes == "number" then return type(value) == "number" end
  return values.kind_of(value) == takes
end

--- One verb of a format with its value.
local function formatted(flags, width, precision, verb, value)
  local rule = VERBS[verb]
  if not rule then return nil, ("printf: %%%s is not supported"):format(verb) end
  if not fits(rule.takes, value) then return nil, ("printf: %%%s of a %s"):format(verb, values.kind_of(value)) end
  if #width > 2 or #precision > 3 then return nil, "printf: width or precision above 99" end
  local shortest = verb == "v" or (verb:lower() == "g" and precision == "")
  if rule.with and not shortest then
    return ("%" .. flags .. width .. precision .. rule.with):format(value)
  end
  local made, message
  if rule.make then made = rule.make(value) else made, message = values.show(value) end
  if not made then return nil, message end
  if verb == "v" and values.kind_of(value) == "nil" then made = "<nil>" end
  if width == "" then return made end
  return ("%" .. (flags:find("-", 1, true) and "-" or "") .. width .. "s"):format(made)
end

--- The text, or nil and a message.
local function printf(format, ...)
  if type(format) ~= "string" then return nil, "printf: the format is not a text" end
  local add, done = values.collector()
  local used, given, at = 0, select("#", ...), 1
  while true do
    local open = format:find("%", at, true)
    if not add(format:sub(at, (open or 0) - 1)) then return done() end
    if not open then break end
    local flags, width, precision, verb, stop = format:match("^([-+# 0]*)(%d*)(%.?%d*)(.)()", open + 1)
    if not verb then return nil, "printf: nothing after %" end
    if verb == "%" then
      add("%")
    else
      used = used + 1
      if used > given then return nil, ("printf: no value for %%%s"):format(verb) end
      if #flags > 5 then return nil, "printf: too many flags" end
      local piece, message = formatted(flags, width, precision, verb, (select(used, ...)))
      if not piece then return nil, message end
      if not add(piece) then return done() end
    end
    at = stop
  end
  if used < given then return nil, ("printf: %d values for %d verbs"):format(given, used) end
  return done()
end

return printf
