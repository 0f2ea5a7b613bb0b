--- The conditions of a GRPCRoute, made from those of a Canary: the path of a call names its service and its method.

local json = require("json")
local match = require("routing.gateway_match")
local object = require("util.object")

local grpc = {}

local URI = "%s[%d].uri: expected exact /<service>/<method>, or prefix / or /<service>/, all that a GRPCRoute can " ..
  "compare, found %s"
local METHOD = "%s[%d].method: expected none for a GRPCRoute, since the uri names the method, found %s"
local QUERY = "%s[%d].queryParams: expected none for a GRPCRoute, found some"

local NAME = "[%a_][%w_]*"

--- "a.b.Service": words with dots between them.
local function is_service(text)
  return text:find("^%.?" .. NAME) ~= nil and not text:find("[^%w_.]") and not text:find("%.%.") and
    not text:find("%.$") and not text:find("%.%d")
end

--- The method match of a path, {} where it is any; nil for a path that no call has.
local function called(uri)
  if uri.prefix == "/" then return {} end
  local service, method = (uri.exact or ""):match("^/([^/]+)/(" .. NAME .. ")$")
  if not service then service = (uri.prefix or ""):match("^/([^/]+)/$") end
  if not service or not is_service(service) then return nil end
  return { type = "Exact", service = service, method = method }
end

local function shown(matcher)
  local kind, value = next(matcher)
  return kind and ("%s %s"):format(kind, tostring(value)) or "nothing"
end

local function mapped(given, path, index)
  local out, err = {}
  if given.method then return nil, METHOD:format(path, index - 1, shown(given.method)) end
  if given.queryParams then return nil, QUERY:format(path, index - 1) end
  if given.uri then
    local method = called(given.uri)
    if not method then return nil, URI:format(path, index - 1, shown(given.uri)) end
    out.method = object.some(method)
  end
  if given.headers then
    out.headers, err = match.conditions(given.headers, "header")
    if not out.headers then return nil, err end
  end
  return out
end

local function all_mapped(matches, path)
  local out = json.array()
  for index, given in ipairs(matches) do
    local one, err = mapped(given, path, index)
    if not one then return nil, err end
    if next(one) then out[#out + 1] = one end
  end
  return out
end

--- The service's own matches, an empty list for any call; or nil and a message.
function grpc.service(canary)
  return all_mapped(canary.service.match, "spec.service.match")
end

--- The analysis' matches within the service's, or nil and a message.
function grpc.analysis(canary)
  local ours, err = all_mapped(canary.analysis.match, "spec.analysis.match")
  if not ours then return nil, err end
  return match.within(canary, ours, assert(grpc.service(canary)))
end

return grpc
