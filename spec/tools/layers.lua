--- Who may know whom: C includes go down the layers, Lua requires follow the arrows.
--- Run at the top of the tree: serin_test spec/tools/layers.lua [folder of another tree]
local tree = require("spec.tools.tree")

local layers = {
  base = { "buf", "arena", "reason", "text", "log", "json", "yaml", "yaml_scalar", "digest", "map",
    "rfc3339" },
  net = { "http", "kube", "kubeconfig", "watch", "lease", "prom", "server" },
  run = { "job", "wait", "call", "clock", "kinds", "deps", "cache", "sched", "watchdog" },
  worker = { "pool", "frame", "worker", "confine", "quarantine" },
  host = { "engine" }, -- what exists; the bindings call it
  bind = { "bind" }, -- and every lua_*
  top = { "config", "main", "modules", "serin_test" },
}
local order = { base = 1, net = 2, run = 3, worker = 4, host = 5, bind = 6, top = 7 }

local layer_of = {}
for layer, names in pairs(layers) do
  for _, name in ipairs(names) do layer_of[name] = layer end
end

-- `http_tls` belongs to `http`: a file is in the layer of the longest known name it begins with.
local function c_layer(name)
  if name:find("^lua_") then return "bind" end
  local known = name
  while known and not layer_of[known] do known = known:match("^(.+)_[^_]+$") end
  return known and layer_of[known]
end

-- Folder of the file -> what it may require; a module is named by its first part, or whole.
local host = { "json", "yaml", "digest", "log", "clock", "kube", "http", "server", "engine", "script", "prom",
  "worker" }
local pure = { "json", "digest", "util", "stats" }
local canary = { "canary", "scripts", "policies", "routers", "metrics", "alerts", "targets", "scalers", "util",
  "kube", "stats" }
local may_require = {
  ["routers"] = { "routers", "routing", table.unpack(pure) },
  ["lua/routing"] = { "routing", table.unpack(pure) },
  ["policies"] = { "policies", table.unpack(pure) },
  ["lua/metrics"] = { "metrics", table.unpack(pure) },
  ["lua/util"] = { "util", table.unpack(pure) },
  ["lua/stats"] = pure,
  -- the host comes as a table; `script` and the rest are never required there
  ["lua/scripts"] = { "scripts", "metrics", table.unpack(pure) },
  ["lua/canary"] = canary,
}
-- Whole folders that only some may require.
local only_from = { canary = { "^lua/canary/", "^lua/main%.lua$", "^lua/cli/", "^lua/offline/",
  "^lua/sandbox/driver", "^lua/policytest/", "^lua/kit/", "^lua/kit%.lua$" } }

local function set(list)
  local s = {}
  for _, item in ipairs(list) do s[item] = true end
  return s
end

local is_host = set(host)

local function check_c(found)
  for _, path in ipairs(tree.files({ "engine" }, { "%.[ch]$" })) do
    local name = path:match("([^/]+)%.[ch]$")
    local free = path:find("/probes/") or path:find("/fuzz/")
    local mine = free and "top" or c_layer(name)
    if not mine then found.add(path, 1, "%s is in no layer (spec/tools/layers.lua lists them)", name) end
    for at, line in ipairs(tree.lines(tree.text(path))) do
      local header = line:match('^%s*#%s*include%s+"([^"]+)%.h"')
      local its = header and c_layer(header:match("[^/]+$"))
      if mine and its and order[its] > order[mine] then
        found.add(path, at, "%s (%s) may not include %s.h (%s)", name, mine, header, its)
      end
    end
  end
end

-- "util.object" -> "util"; a host module is itself, but `kube.kinds` is the folder lua/kube.
local function group_of(module)
  return module:match("^[^.]+")
end

local function allowed(path, module)
  local group = group_of(module)
  if only_from[group] then
    local granted = false
    for _, pattern in ipairs(only_from[group]) do granted = granted or path:find(pattern) ~= nil end
    if not granted then return false end
  end
  local folder = path:match("^(lua/[^/]+)/") or path:match("^([^/]+)/")
  local list = may_require[folder]
  if not list then return true end
  return set(list)[group] or (folder == "lua/canary" and is_host[module]) or false
end

local function check_lua(found)
  for _, path in ipairs(tree.files({ "lua", "routers", "policies" }, { "%.lua$" })) do
    for at, line in ipairs(tree.lines(tree.text(path))) do
      for module in line:gsub("%-%-.*", ""):gmatch("require%s*%(?%s*[\"']([%w_.]+)[\"']") do
        if not allowed(path, module) then found.add(path, at, "may not require %s", module) end
      end
    end
  end
end

local found = tree.findings("layers")
check_c(found)
check_lua(found)
found.done()
