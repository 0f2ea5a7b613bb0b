--- The functions C registers and the ones lua/meta describes are the same.
--- A table of methods (`struct` with its own metatable) is described where it is made, not listed.
local tree = require("spec.tools.tree")

-- The last luaL_Reg of engine/lua_x.c is the module x: { name = line }.
local function registered(text)
  local functions = {}
  local at, inside = 0, false
  for _, line in ipairs(tree.lines(text)) do
    at = at + 1
    if line:find("^%s*static%s+const%s+luaL_Reg%s+") then
      inside = true
      functions = {}
    end
    local name = inside and line:match('^%s*{%s*"([%w_]+)"%s*,')
    if name then functions[name] = at end
    if line:find("^};") then inside = false end
  end
  return functions
end

local function described(text, module)
  local functions = {}
  for at, line in ipairs(tree.lines(text)) do
    local name = line:match("^function%s+" .. module .. "%.([%w_]+)")
    if name then functions[name] = at end
  end
  return functions
end

local function compare(found, from, names, others, message)
  local sorted = {}
  for name in pairs(names) do sorted[#sorted + 1] = name end
  table.sort(sorted)
  for _, name in ipairs(sorted) do
    if not others[name] then found.add(from, names[name], message, name) end
  end
end

local function check(found, module)
  local c_path, meta_path = "engine/lua_" .. module .. ".c", "lua/meta/" .. module .. ".lua"
  if not tree.exists(meta_path) then return found.add(c_path, 1, "no %s", meta_path) end
  if not tree.exists(c_path) then return found.add(meta_path, 1, "no %s", c_path) end
  local in_c, in_meta = registered(tree.text(c_path)), described(tree.text(meta_path), module)
  compare(found, c_path, in_c, in_meta, "%s is not in " .. meta_path)
  compare(found, meta_path, in_meta, in_c, "%s is not in " .. c_path)
end

local modules, seen = {}, {}

local function add(module)
  if module and not seen[module] then modules[#modules + 1] = module end
  if module then seen[module] = true end
end

-- A lua_*.c that opens no module is a part of one.
for _, path in ipairs(tree.files({ "engine" }, { "^engine/lua_[%w_]+%.c$" })) do
  add(tree.text(path):match("int%s+luaopen_host_([%w_]+)%s*%("))
end
for _, path in ipairs(tree.files({ "lua/meta" }, { "%.lua$" })) do add(path:match("([%w_]+)%.lua$")) end
table.sort(modules)

local found = tree.findings("meta_list")
for _, module in ipairs(modules) do check(found, module) end
found.done()
