--- A client of the embedded cluster's HTTP door that needs no network: requests go to the handler itself.

local json = require("json")

local client = {}

local methods = {}
local mt = { __index = methods }

function client.new(world)
  return setmetatable({ handler = require("sandbox.http").handler(world) }, mt)
end

--- The raw answer. options: { query =, headers =, body = text or a value }.
function methods:raw(method, path, options)
  options = options or {}
  local headers, body = options.headers or {}, options.body or ""
  if type(body) == "table" then body = json.encode(body) end
  return self.handler({ method = method, path = path, query = options.query or {}, body = body,
    headers = function(name) return headers[name] end })
end

--- The decoded body and the status of an answer.
function methods:ask(method, path, options)
  local answer = self:raw(method, path, options)
  return json.decode(answer.body), answer.status, answer
end

function methods:get(path, query, accept)
  return self:ask("GET", path, { query = query, headers = { Accept = accept } })
end

function methods:patch(path, patch, media)
  local headers = { ["Content-Type"] = media or "application/merge-patch+json" }
  return self:ask("PATCH", path, { body = patch, headers = headers })
end

--- An open watch: `events` as they came; close() as a client that leaves.
function methods:watch(path, query, accept)
  query = query or {}
  query.watch = "true"
  local watch = { events = {}, open = true }
  local answer = self:raw("GET", path, { query = query, headers = { Accept = accept } })
  watch.status, watch.answer = answer.status, answer
  local function close()
    if not watch.open then return end
    watch.open = false
    answer.on_close()
  end
  watch.close = close
  local stream = {}
  function stream.write(_, bytes)
    for line in bytes:gmatch("[^\n]+") do watch.events[#watch.events + 1] = assert(json.decode(line)) end
    return watch.open
  end
  function stream.close() close() end
  answer.stream(stream)
  return watch
end

--- "TYPE name" of every event of a watch.
function client.told(watch)
  local out = {}
  for index, event in ipairs(watch.events) do
    out[index] = event.type .. " " .. ((event.object.metadata or {}).name or "")
  end
  return out
end

return client
