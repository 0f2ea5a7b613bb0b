--- What the objects of both versions of App Mesh have in common.

local json = require("json")
local list = require("util.list")
local object = require("util.object")

local parts = {}

local LISTENER, MAPPING = list.set({ "portMapping", "timeout" }), list.set({ "port", "protocol" })
local LOGGING = { accessLog = { file = { path = "/dev/stdout" } } }
local ACCESS_LOG, GATEWAY = "appmesh.flagger.app/accesslog", "gateway.appmesh.k8s.aws/"

local function protocol(canary)
  return canary.service.port_name:find("grpc", 1, true) and "grpc" or "http"
end

--- The one listener; what else the live one has (health checks, TLS) stays.
--- @param timeout table?  of a VirtualNode's listener
function parts.listeners(canary, live, port, timeout)
  local have = object.at(live, "listeners", 1) or {}
  local mapping = object.overlay(have.portMapping, { port = port, protocol = protocol(canary) }, MAPPING)
  return json.array({ object.overlay(have, { portMapping = mapping, timeout = timeout }, LISTENER) })
end

--- The access log: switched by an annotation of the Canary, else as its user has it.
function parts.logging(canary, live)
  if canary.own_annotations[ACCESS_LOG] == "enabled" then return object.copy(LOGGING) end
  return object.equal(live.logging, LOGGING) and json.null or nil
end

--- The backends as `make(name)` writes each, or null for none. What else the live ones have stays.
function parts.backends(canary, live, make)
  local given = canary.service.backends or {}
  if #given == 0 then return json.null end
  return list.map(given, function(name)
    local want = make(tostring(name))
    local have = list.find(type(live.backends) == "table" and live.backends or {}, function(backend)
      return object.patch(backend, want) == nil
    end)
    return object.merged(have, want)
  end)
end

--- The annotations for App Mesh's gateway: { annotations } or nil. COMPAT: the comma at the end.
function parts.exposed(canary)
  local hosts, retries = canary.service.hosts, canary.service.retries
  if #hosts == 0 then return nil end
  local attempts = type(retries) == "table" and math.tointeger(retries.attempts) or 0
  local timeout = canary.service.timeout
  return { annotations = {
    [GATEWAY .. "expose"] = "true",
    [GATEWAY .. "domain"] = table.concat(hosts, ",") .. ",",
    [GATEWAY .. "timeout"] = timeout ~= "" and timeout or nil,
    [GATEWAY .. "retries"] = attempts > 0 and ("%d"):format(attempts) or nil,
  } }
end

return parts
