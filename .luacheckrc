std = "lua54"
max_line_length = 120
exclude_files = { "lua/meta", "lua/scripts/api.lua", "spec/fixtures/escapes" }
local SCRIPTS = { "prom", "http", "kube", "clock", "log", "verdict", "json" } -- lua/scripts/reference.md
files["spec/cluster/scripts"] = { read_globals = SCRIPTS }
files["spec/cluster/hostile"] = { read_globals = SCRIPTS }
files["spec"] = { std = "+busted" }
