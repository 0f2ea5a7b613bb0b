--- A metrics server and a receiver of webhooks whose answers are fixed: what the recorded runs were made with.
--- Run inside the cluster's network: serin_test spec/cluster/answers.lua METRICS_PORT HOOKS_PORT QUERIES HOOKS. Each
--- query becomes a line of the one file, each call of a webhook a line of JSON of the other.

local T = require("T")
local json, server = require("json"), require("server")

local metrics_port, hooks_port, path, hooks_path = table.unpack(arg)
local file, hooks = assert(io.open(path, "w")), assert(io.open(hooks_path, "w"))

local function unescape(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function value_of(query)
  if query == "vector(1)" then return "1" end
  if not query:find("histogram_quantile", 1, true) then return "99.9" end
  return query:find("http_request_duration_seconds", 1, true) and "0.05" or "50"
end

local function answer(status, value)
  return { status = status, headers = { ["Content-Type"] = "application/json" }, body = json.encode(value) }
end

local function on_query(request)
  local query = request.query.query or unescape((request.body or ""):match("query=([^&]*)") or "")
  file:write((query:gsub("%s+", " ")), "\n")
  file:flush()
  local sample = { metric = {}, value = json.array({ 1893456000, value_of(query) }) }
  return answer(200, { status = "success", data = { resultType = "vector", result = json.array({ sample }) } })
end

local function on_hook(request)
  hooks:write(json.encode({ name = request.path:match("[^/]+$"), body = request.body, headers = {
    ["User-Agent"] = request.headers("user-agent"), ["Content-Type"] = request.headers("content-type") } }), "\n")
  hooks:flush()
  return answer(200, {})
end

local function listen(port, handler)
  return assert(server.listen({ port = math.tointeger(tonumber(port)), handler = handler }))
end

local listening = { listen(metrics_port, on_query), listen(hooks_port, on_hook) }
while #listening > 0 do T.spin(60) end
