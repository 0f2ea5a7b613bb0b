--- Reads the XML that services answer with: elements and texts. Attributes, comments and namespaces are passed over,
--- a document type is refused, depth and number of elements are bounded.

local xml = {}

local MAX_DEPTH, MAX_ELEMENTS = 32, 20000

local ENTITIES = { lt = "<", gt = ">", amp = "&", quot = '"', apos = "'" }

local function entity(name)
  local code = name:match("^#(%d+)$")
  local hex = name:match("^#x(%x+)$")
  code = code and tonumber(code) or hex and tonumber(hex, 16)
  if code then return code <= 0x10FFFF and utf8.char(math.tointeger(code)) or nil end
  return ENTITIES[name]
end

local function unescaped(value)
  return (value:gsub("&(#?%w+);", entity))
end

--- The place after a tag: `>` inside quotes does not end it. nil when it does not end.
local function tag_end(source, at)
  while true do
    local stop = source:find("[>\"']", at)
    if not stop then return nil end
    local mark = source:sub(stop, stop)
    if mark == ">" then return stop end
    local closing = source:find(mark, stop + 1, true)
    if not closing then return nil end
    at = closing + 1
  end
end

-- What begins with `<` and is no element: how it ends.
local SKIPPED = { { "<!--", "-->" }, { "<?", "?>" } }

local function skip(state)
  for _, pair in ipairs(SKIPPED) do
    if state.source:sub(state.at, state.at + #pair[1] - 1) == pair[1] then
      local _, stop = state.source:find(pair[2], state.at + #pair[1], true)
      if not stop then return false, "ends in the middle" end
      state.at = stop + 1
      return true
    end
  end
  return false
end

local function open(state, tag)
  local name = tag:match("^([%w_.-]+:?[%w_.-]*)")
  if not name then return "a tag without a name" end
  local element = { name = name:match("[^:]*$"), text = "" }
  state.count = state.count + 1
  if state.count > MAX_ELEMENTS then return ("more than %d elements"):format(MAX_ELEMENTS) end
  local above = state.open[#state.open]
  if not above and state.root then return "more than one root" end
  if above then above[#above + 1] = element else state.root = element end
  if tag:sub(-1) == "/" then return nil end
  if #state.open >= MAX_DEPTH then return ("more than %d levels"):format(MAX_DEPTH) end
  state.open[#state.open + 1] = element
end

local function close(state, tag)
  local element = table.remove(state.open)
  local name = tag:match("^/([%w_.:-]+)%s*$")
  if not element or not name or name:match("[^:]*$") ~= element.name then return "a closing tag that opens nothing" end
end

local function markup(state)
  local done, wrong = skip(state)
  if done or wrong then return wrong end
  if state.source:sub(state.at, state.at + 1) == "<!" then return "a declaration is not accepted" end
  local stop = tag_end(state.source, state.at)
  if not stop then return "ends in the middle" end
  local tag = state.source:sub(state.at + 1, stop - 1)
  state.at = stop + 1
  if tag:sub(1, 1) == "/" then return close(state, tag) end
  return open(state, tag)
end

--- The root element { name =, text =, ...children in order }, names without their prefix; or nil and what is wrong.
function xml.parse(source)
  local state = { source = source, at = 1, open = {}, count = 0 }
  while state.at <= #source do
    local start = source:find("<", state.at, true) or #source + 1
    local above = state.open[#state.open]
    if start > state.at and above then above.text = above.text .. unescaped(source:sub(state.at, start - 1)) end
    state.at = start
    local wrong = start <= #source and markup(state)
    if wrong then return nil, wrong end
  end
  if #state.open > 0 or not state.root then return nil, "ends in the middle" end
  return state.root
end

--- The first child of that name, and so on down the path; nil when there is none, also for an element of nil.
function xml.at(element, ...)
  for _, name in ipairs({ ... }) do
    local found
    for _, child in ipairs(element or {}) do
      if not found and child.name == name then found = child end
    end
    element = found
  end
  return element
end

return xml
