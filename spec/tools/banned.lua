--- What no source may contain: C functions that cannot be used safely, names of providers in the host,
--- paths of one machine, notes to oneself; and the sizes that style sets as limits.
local tree = require("spec.tools.tree")

local MAX_C_FUNCTION, MAX_C_FILE, MAX_LUA_FILE = 80, 600, 300

local calls = { "strcpy", "strcat", "sprintf", "vsprintf", "strtok", "atoi", "atol", "atof", "gets", "alloca",
  "assert", "system", "popen", "mktemp", "tmpnam", "scanf", "sscanf", "luaL_openlibs", "lua_closethread",
  "lua_resetthread" }
-- A call that one file needs, and why it may.
local excused = {
  ["engine/serin_test.c"] = { luaL_openlibs = true }, -- the interpreter of the specs
  ["engine/probes/job_probe.c"] = { luaL_openlibs = true },
}

local providers = { "istio", "linkerd", "nginx", "traefik", "contour", "gloo", "skipper", "apisix", "kuma",
  "knative", "smi", "appmesh", "osm", "consul", "haproxy", "datadog", "cloudwatch", "newrelic", "graphite",
  "stackdriver", "influxdb", "dynatrace", "keptn", "splunk", "slack", "msteams", "discord", "rocket", "gchat" }

-- Spelled in two parts, so that this file does not find itself.
local notes = { "TO" .. "DO", "FIX" .. "ME", "X" .. "XX", "HA" .. "CK" }
local paths = { "/wo" .. "rk/", "/ho" .. "me/", "/ro" .. "ot/", "/Us" .. "ers/", "/tmp/" .. "serin" }

local function set(list)
  local s = {}
  for _, item in ipairs(list) do s[item] = true end
  return s
end

local banned_calls, banned_providers = set(calls), set(providers)

local function check_calls(found, path, code)
  for at, line in ipairs(tree.lines(code)) do
    for name in line:gmatch("([%a_][%w_]*)%s*%(") do
      local excuse = excused[path] and excused[path][name]
      if banned_calls[name] and not excuse then found.add(path, at, "%s is banned", name) end
    end
  end
end

-- Identifiers are looked at part by part: l_istio_x and IstioRoute both name one.
local function check_providers(found, path, text)
  for at, line in ipairs(tree.lines(text)) do
    for word in line:gsub("(%l)(%u)", "%1 %2"):gmatch("%a+") do
      if banned_providers[word:lower()] then found.add(path, at, "names a provider: %s", word) end
    end
  end
end

-- A function's body opens with a brace in the first column, as the style has it.
local function check_functions(found, path, code)
  local start
  for at, line in ipairs(tree.lines(code)) do
    if line:find("^{") then start = at end
    if line:find("^}") and start then
      local size = at - start + 1
      if size > MAX_C_FUNCTION then
        found.add(path, start, "function of %d lines, at most %d", size, MAX_C_FUNCTION)
      end
      start = nil
    end
  end
end

local function check_size(found, path, text, most)
  local size = #tree.lines(text)
  if size > most then found.add(path, 1, "file of %d lines, at most %d", size, most) end
end

local function check_words(found, path, text)
  for at, line in ipairs(tree.lines(text)) do
    for _, note in ipairs(notes) do
      if line:find("%f[%w]" .. note .. "%f[%W]") then found.add(path, at, "%s is banned", note) end
    end
    for _, prefix in ipairs(paths) do
      if line:find(prefix, 1, true) then found.add(path, at, "a path of one machine: %s", prefix) end
    end
  end
end

local tops = { "README.md", "CHANGES.md", "CONTRIBUTING.md", "SECURITY.md", "CMakeLists.txt", "CMakePresets.json" }

local found = tree.findings("banned")
for _, path in ipairs(tree.files({ "engine" }, { "%.[ch]$" })) do
  local text = tree.text(path)
  local code = tree.c_code(text)
  check_calls(found, path, code)
  if not path:find("/probes/") then check_providers(found, path, text) end
  check_functions(found, path, code)
  check_size(found, path, text, MAX_C_FILE)
end
for _, path in ipairs(tree.files({ "lua", "routers", "policies" }, { "%.lua$" })) do
  check_size(found, path, tree.text(path), MAX_LUA_FILE)
end
for _, path in ipairs(tree.files({ "engine", "lua", "routers", "policies", "spec", "examples", "deploy" },
  { "%.[ch]$", "%.lua$", "%.ya?ml$", "%.md$", "%.txt$" })) do
  check_words(found, path, tree.text(path))
end
for _, path in ipairs(tops) do
  if tree.exists(path) then check_words(found, path, tree.text(path)) end
end
found.done()
