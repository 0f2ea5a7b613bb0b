--- The reference of what scripts may call, made from lua/scripts/api.lua, lua/meta/json.lua and the shipped modules.
--- Run at the top of the tree: serin_test spec/tools/script_reference.lua, which writes lua/scripts/reference.md.
local bundle = require("scripts.bundle")
local tree = require("spec.tools.tree")

local reference = {}

reference.PAGE = "lua/scripts/reference.md"
reference.SOURCES = { "lua/scripts/api.lua", "lua/meta/json.lua" }

--- { { name =, signature =, since =, lines = {...} }... } of a file of annotations, or of a module.
function reference.functions(text)
  local out, lines, since = {}, {}, nil
  for _, line in ipairs(tree.lines(text)) do
    local signature = line:match("^function%s+([%w_.]+%b())") or line:match("^(%l+%.%l+) = nil")
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
      if line:find("^Grant:") or line:find("^@return ") then out[#out + 1] = "" end
      out[#out + 1] = (line:gsub("^@return ", "Gives: "))
      open = true
    end
  end
end

--- What the first comment of a file says.
local function head(text)
  local out = {}
  for _, line in ipairs(tree.lines(text)) do
    local words = line:match("^%-%-%-?%s?(.*)$")
    if not words then break end
    out[#out + 1] = words
  end
  return out
end

--- The modules that a script may require, with what they say of themselves.
local function modules(out)
  for _, path in ipairs(tree.files({ "lua/util", "lua/stats" }, { "%.lua$" })) do
    local name = path:match("^lua/(.-)%.lua$"):gsub("/", ".")
    if bundle.is_shipped(name) then
      local text = tree.text(path)
      out[#out + 1] = ("## `%s`\n"):format(name)
      table.move(head(text), 1, #head(text), #out + 1, out)
      out[#out + 1] = ""
      for _, item in ipairs(reference.functions(text)) do
        out[#out + 1] = ("### `%s`\n"):format(item.signature)
        described(item, out)
        if #item.lines > 0 then out[#out + 1] = "" end
      end
    end
  end
end

--- The whole page.
function reference.page()
  local out = { "# What scripts may call", "",
    "Made by `spec/tools/script_reference.lua` from `lua/scripts/api.lua`, `lua/meta/json.lua` and the shipped modules",
    "themselves; a spec says when it is old. *Since* is the `api` of a script's header.", "" }
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
  out[#out + 1] = "# Shipped modules\n\nFor `require`, also in scripts of tenants.\n"
  modules(out)
  return table.concat(out, "\n")
end

if (arg or {})[0] and arg[0]:find("script_reference") then
  local file <close> = assert(io.open(reference.PAGE, "wb"))
  file:write(reference.page())
end

return reference
