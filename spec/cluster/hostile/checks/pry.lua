--- A check that looks for what it was not given: it says what of all that it got hold of. That is nothing.

local pry = {
  name = "pry", api = 1,
  grants = { "http:http://127.0.0.1:9617/api/v1/budgets", "kube:v1/ConfigMap" },
}

local GLOBALS = { "io", "os", "debug", "package", "dofile", "loadfile", "print" }

-- Above what is granted, beside it, and what the engine itself talks to.
local URLS = {
  "http://127.0.0.1:9617/api/v1", "http://127.0.0.1:9617/api/v1/budgets/../../secret",
  "http://127.0.0.1:9617/api/v1/budgets/%2e%2e/x", "http://127.0.0.1:9617@127.0.0.1:18080/metrics",
  "http://127.0.0.1:18080/metrics", "http://127.0.0.1:9090/api/v1/query?query=up", "https://10.0.0.1:6443/version",
  "file:///etc/passwd",
}

local KINDS = { { "v1", "Secret" }, { "v1", "Pod" }, { "apps/v1", "Deployment" }, { "flagger.app/v1beta1", "Canary" } }

local function gets(fn, ...)
  local ok, value = pcall(fn, ...)
  return ok and value ~= nil and value ~= false
end

function pry.run()
  local got = {}
  local function try(what, fn, ...)
    if gets(fn, ...) then got[#got + 1] = what end
  end
  for _, name in ipairs(GLOBALS) do
    try(name, function() return load("return " .. name)() end)
  end
  try("bytecode", load, "\27Lua\x54")
  for _, url in ipairs(URLS) do try(url, function() return (http.request({ url = url })) end) end
  for _, kind in ipairs(KINDS) do
    for _, name in ipairs({ "app", "token", "default", "kube-root-ca.crt" }) do
      try(kind[2], function() return (kube.get(kind[1], kind[2], name)) end)
    end
  end
  try("prom", function() return load("return prom")() end)
  try("another namespace", function() return (kube.get("v1", "ConfigMap", "kube-system/kube-root-ca.crt")) end)
  local own = gets(function() return (kube.get("v1", "ConfigMap", "kube-root-ca.crt")) end) and 1 or 0
  return verdict.fail{ value = #got == 0 and "nothing" or table.concat(got, " "), rule = "what was granted", n = own }
end

return pry
