--- The reference of what scripts may call, made from lua/scripts/api.lua and lua/meta/json.lua.
--- Run at the top of the tree: serin_test spec/tools/script_reference.lua, which writes lua/scripts/reference.md.
local tree = require("spec.tools.tree")

local reference = {}

reference.PAGE = "lua/scripts/reference.md"
reference.SOURCES = { "lua/scripts/api.lua", "lua/meta/json.lua" }

--- { { name =, signature =, since =, lines = {...} }... } of a file of annotations.
function reference.functions(text)
  local out, lines, since = {}, {}, nil
  for _, line in ipairs(tree.lines(text)) do
    local signature = line:match("^function%s+(.-)%s+end")
    if signature then
      out[#out + 1] = { name = signature:match("^[^(]+"), signature = signature, since = since, lines = lines }
      lines, since = {}, nil
    elseif line:find("^%-%-%-@since") then
      since = line:match("%d+")
    elseif line:find("^%-%-%-") then
      lines[#lines + 1] = line:match("^%-%-%-%s?(.*)$")
    elseif line:find("%S") then
      lines, since = {}, nil
    end
  end
  return out
end

--- Annotations as prose: parameters are list items, a grant stands by itself.
local function described(item, out)
  local open = false
  for _, line in ipairs(item.lines) do
    local name, kind, rest = line:match("^@param (%S+) (%S+)%s*(.*)$")
    if name then
      out[#out + 1] = ("%s- `%s`, %s%s"):format(open and "\n" or "", name,
        (kind:gsub("%?$", " or nil")), rest ~= "" and ": " .. rest or "")
      open = false
    else
      if line:find("^Grant:") then out[#out + 1] = "" end
      out[#out + 1] = line
      open = true
    end
  end
end

--- The whole page.
function reference.page()
  local out = { "# What scripts may call", "",
    "Made by `spec/tools/script_reference.lua` from `lua/scripts/api.lua` and `lua/meta/json.lua`; a spec says when it",
    "is old. *Since* is the `api` of a script's header.", "" }
  for _, path in ipairs(reference.SOURCES) do
    for _, item in ipairs(reference.functions(tree.text(path))) do
      out[#out + 1] = ("### `%s`"):format(item.signature)
      out[#out + 1] = ""
      described(item, out)
      if #item.lines > 0 then out[#out + 1] = "" end
      out[#out + 1] = ("*Since %s.*"):format(item.since or "?")
      out[#out + 1] = ""
    end
  end
  return table.concat(out, "\n")
end

if (arg or {})[0] and arg[0]:find("script_reference") then
  local file <close> = assert(io.open(reference.PAGE, "wb"))
  file:write(reference.page())
end

return reference
