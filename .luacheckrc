std = "lua54"
max_line_length = 120
exclude_files = { "lua/meta", "spec/fixtures/escapes" }
files["spec"] = { std = "+busted" }
