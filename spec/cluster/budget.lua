--- The small service that spec/cluster/scripts/checks/budget.lua asks: what a file says of each service's budget.
--- Run inside the cluster's network: serin_test spec/cluster/budget.lua PORT FILE. The file is read at each request:
--- {"checkout": {"left": 87.5, "requests": 1200}}.

local T = require("T")
local json, server = require("json"), require("server")

local port, path = table.unpack(arg)

local function read()
  local file <close> = io.open(path, "rb")
  return file and json.decode(file:read("a")) or {}
end

local function handler(request)
  local known = read()[request.path:match("^/api/v1/budgets/([%w_.-]+)$") or ""]
  return { status = known and 200 or 404, headers = { ["Content-Type"] = "application/json" },
    body = json.encode(known or { message = "not known" }) }
end

local listening = assert(server.listen({ port = math.tointeger(tonumber(port)), handler = handler }))
while listening do T.spin(60) end
