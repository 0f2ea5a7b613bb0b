std = "lua54"
max_line_length = 120
exclude_files = { "lua/meta", "lua/scripts/api.lua", "spec/fixtures/escapes" }
files["spec"] = { std = "+busted" }
