--- What a Lua source requires: the literal names behind `require`, comments and texts left out; and where in it the
--- words of a message stand.

local scan = {}

--- The end of what begins at `at` with a long bracket, or nil.
local function long_end(source, at)
  local level = source:match("^%[(=*)%[", at)
  if not level then return nil end
  local _, stop = source:find("]" .. level .. "]", at, true)
  return stop or #source
end

--- The end of a quoted text, and the text where it has no escapes.
local function quoted_end(source, at)
  local quote, from = source:sub(at, at), at + 1
  while from <= #source do
    local char = source:sub(from, from)
    if char == "\\" then
      from = from + 1
    elseif char == quote or char == "\n" then
      break
    end
    from = from + 1
  end
  local text = source:sub(at + 1, from - 1)
  return from, not text:find("\\", 1, true) and text or nil
end

--- The next token at `at`: its kind ("name", "text", "space", "other"), its text, its end.
local function token(source, at)
  local _, stop = source:find("^%s+", at)
  if stop then return "space", nil, stop end
  if source:sub(at, at + 1) == "--" then
    stop = long_end(source, at + 2) or (source:find("\n", at, true) or #source + 1) - 1
    return "space", nil, stop
  end
  stop = long_end(source, at)
  if stop then return "text", nil, stop end
  if source:find("^[\"']", at) then
    local last, text = quoted_end(source, at)
    return "text", text, last
  end
  local name
  name, stop = source:match("^([%a_][%w_]*)()", at)
  if name then return "name", name, stop - 1 end
  return "other", source:sub(at, at), at
end

--- The names, each once, in the order in which they stand.
function scan.requires(source)
  local out, seen = {}, {}
  local at, before, field = 1, nil, nil -- before: the token before is `require`, or its bracket
  while at <= #source do
    local kind, text, stop = token(source, at)
    if kind == "text" and before and text and not seen[text] then
      seen[text] = true
      out[#out + 1] = text
    end
    if kind ~= "space" then
      before = kind == "name" and text == "require" and not field or (before and kind == "other" and text == "(") or nil
      field = kind == "other" and (text == "." or text == ":")
    end
    at = stop + 1
  end
  return out
end

local OF_OURS = { none = true, nothing = true, a = true } -- "found none", "found a table": not of the source

--- The words of a message about a field: its path, then what was found there.
local function words_of(message)
  local out = {}
  local path, rest = message:match("^([%w_.%[%]]+): (.*)$")
  if path == "script" then return out end -- about the whole of it
  for word in (path or ""):gmatch("%a[%w_]*") do out[#out + 1] = word end
  rest = rest or ""
  local word = rest:match('found "([^"]+)"') or rest:match("%(found ([%w_]+),")
  local plain = rest:match("found ([^%s(]+)")
  out[#out + 1] = word or not OF_OURS[plain] and plain or nil
  return out
end

--- The line that a message about a field of the header is about: of the last of its words that stands in the source,
--- each looked for behind the one before it. nil when none does.
function scan.line(source, message)
  local words, wanted, found = words_of(message), 1, nil
  while wanted <= #words do
    local at, hit = found or 1, nil
    while at <= #source and not hit do
      local kind, text, stop = token(source, at)
      if (kind == "name" or kind == "text") and text == words[wanted] then hit = stop + 1 end
      at = stop + 1
    end
    found, wanted = hit or found, wanted + 1
  end
  return found and 1 + select(2, source:sub(1, found - 1):gsub("\n", "")) or nil
end

local OPENS = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true }
local CLOSES = { ["end"] = true, ["until"] = true }

--- The line of the `return` that ends the script, where what is missing would be given; nil when there is none.
function scan.returned(source)
  local at, line, depth, found = 1, 1, 0, nil
  while at <= #source do
    local kind, text, stop = token(source, at)
    if kind == "name" then
      if text == "return" and depth == 0 then found = line end
      depth = depth + (OPENS[text] and 1 or CLOSES[text] and -1 or 0)
    end
    line = line + select(2, source:sub(at, stop):gsub("\n", ""))
    at = stop + 1
  end
  return found
end

return scan
