--- The HTTP door of the embedded cluster: a Kubernetes API server, and the Prometheus of its traffic.

local json = require("json")
local discovery = require("sandbox.discovery")
local door = require("sandbox.door")
local form = require("sandbox.form")
local paths = require("sandbox.paths")
local replies = require("sandbox.replies")
local rest = require("sandbox.rest")

local http = {}

local WELL = { ["/healthz"] = "ok", ["/livez"] = "ok", ["/readyz"] = "ok",
  ["/-/healthy"] = "Prometheus Server is Healthy.\n", ["/-/ready"] = "Prometheus Server is Ready.\n" }

local function unknown()
  return replies.failure("NOT_FOUND", "the server could not find the requested resource", {})
end

local function ask_prometheus(world, request)
  local fields = request.query
  if request.method == "POST" then fields = form.decode(request.body or "") end
  local fault = door.outside(world, { method = request.method, url = request.path, body = request.body })
  if fault then return replies.broken(fault) end
  return world.prometheus:http(fields.query)
end

local function describe(kinds, path)
  if path == "/" then return { paths = json.array({ "/api", "/apis", "/healthz", "/openapi/v3", "/version" }) } end
  if path == "/version" then return discovery.version end
  if path == "/api" then return discovery.core() end
  if path == "/apis" then return discovery.groups(kinds) end
  if path:find("^/openapi/v3") then return discovery.openapi(kinds, path) end
  local group = path:match("^/apis/([^/]+)$")
  if group then return discovery.group(kinds, group) end
  local at = paths.parse(path)
  return at and not at.plural and discovery.resources(kinds, at.group, at.version) or nil
end

local function answer(world, request)
  local path = request.path
  if path == "/api/v1/query" then return ask_prometheus(world, request) end
  if WELL[path] then return replies.text(200, WELL[path]) end
  local at = paths.parse(path)
  if at and at.plural then return rest.answer(world, at, request) or unknown() end
  local document = describe(world.api.kinds, path)
  if not document then return unknown() end
  if request.method == "GET" or request.method == "HEAD" then return replies.json(200, document) end
  return replies.failure("NOT_ALLOWED", "the server does not allow this method on the requested resource")
end

--- A handler for server.listen that serves `world`.
function http.handler(world)
  return function(request)
    world:catch_up()
    return answer(world, request)
  end
end

return http
