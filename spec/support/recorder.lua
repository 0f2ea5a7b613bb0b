--- A receiver of webhooks and chat messages in a process of its own, over HTTP and over TLS:
---
---   serin_test spec/support/recorder.lua FILE CERT KEY
---
--- Its first line says on which two ports it listens. Each call becomes a line of JSON in FILE. The path decides the
--- answer: /403/... is refused, everything else agreed to.

local T = require("T")
local json, server = require("json"), require("server")

local path, cert, key = table.unpack(arg)
local out = assert(io.open(path, "w"))

local HEADERS = { "Content-Type", "User-Agent", "Authorization", "Serin-Signature" }

local function read(name)
  local file <close> = assert(io.open(name))
  return file:read("a")
end

local function handler(scheme)
  return function(request)
    local headers = {}
    for _, name in ipairs(HEADERS) do headers[name] = request.headers(name:lower()) end
    out:write(json.encode({ scheme = scheme, path = request.path, headers = headers, body = request.body }), "\n")
    out:flush()
    local status = math.tointeger(tonumber(request.path:match("^/(%d%d%d)/"))) or 200
    return { status = status, body = "" }
  end
end

local plain = assert(server.listen({ handler = handler("http") }))
local secure = assert(server.listen({ handler = handler("https"), cert = read(cert), key = read(key) }))
print(plain:port(), secure:port())
io.stdout:flush()
while true do T.spin(60) end
