--- The world that a script under test sees: a Prometheus, an API, a cluster and a clock, as the spec says.

local form = require("sandbox.form")
local json = require("json")
local rfc3339 = require("util.rfc3339")

local fakes = {}

local fakes_methods = {}
fakes.mt = { __index = fakes_methods }

local START = 1893456000 -- 2030-01-01T00:00:00Z, a Tuesday

local function number_text(value)
  if value ~= value then return "NaN" end
  if value == math.huge then return "+Inf" end
  if value == -math.huge then return "-Inf" end
  return ("%.17g"):format(value)
end

--- The body of a Prometheus' answer.
local function prometheus_body(value, now)
  local result = json.array()
  local list = type(value) == "table" and value or { { labels = {}, value = value } }
  for index, item in ipairs(value == nil and {} or list) do
    result[index] = { metric = item.labels or {}, value = json.array({ now, number_text(item.value) }) }
  end
  return json.encode({ status = "success", data = { resultType = "vector", result = result } })
end

--- The value of the longest key that stands in the text, or what its function answers.
local function matching(map, text, request)
  if type(map) == "function" then return map(text, request) end
  local best
  for key in pairs(map) do
    if text:find(key, 1, true) and (not best or #key > #best) then best = key end
  end
  local value = best and map[best]
  if type(value) == "function" then return value(text, request) end
  return value
end

--- New fakes: a clock at 2030-01-01, and nothing else.
function fakes.new()
  local self = setmetatable({ now = START + 0.0, queries = {}, responses = {}, objects = {}, asked = {}, logs = {} },
    fakes.mt)
  self.host = {
    clock = { now = function() return self.now end, sleep = function(seconds) self.now = self.now + seconds end },
    http = { request = function(request) return self:answer(request) end },
    kube = { get = function(ref) return self:object(ref) end },
    log = {}, script = { run = require("kit.inside").run },
  }
  for _, level in ipairs({ "debug", "info", "warn", "error" }) do
    self.host.log[level] = function(message) self.logs[#self.logs + 1] = { level = level, message = message } end
  end
  return self
end

--- What Prometheus answers: { ["part of the query"] = number | { { labels =, value = } ... } | function(query) }, or
--- one function(query). Without an answer there is no data; false is a Prometheus that fails.
function fakes_methods:prom(answers) self.queries = answers end

--- What APIs answer: { ["part of the URL"] = { status =, body = text or table, headers = } | false for no connection |
--- function(url, request) }.
function fakes_methods:http(answers) self.responses = answers end

--- Puts objects into the cluster.
function fakes_methods:kube(...)
  for _, object in ipairs({ ... }) do
    self.objects[("%s/%s %s/%s"):format(object.apiVersion, object.kind, object.metadata.namespace or "test",
      object.metadata.name)] = object
  end
end

--- A Secret beside the Canary, from plain texts.
function fakes_methods:secret(name, values)
  local data = {}
  for key, value in pairs(values) do data[key] = require("digest").base64(value) end
  self:kube({ apiVersion = "v1", kind = "Secret", metadata = { name = name }, data = data })
end

--- Moves the clock to a time: "2030-01-31T09:00:00Z", or seconds since 1970.
function fakes_methods:at(time)
  local seconds = type(time) == "number" and time or rfc3339.parse(time)
  self.now = assert(seconds, ("expected a time like 2030-01-31T09:00:00Z, found %s"):format(tostring(time))) + 0.0
end

--- Lets seconds pass.
function fakes_methods:pass(seconds) self.now = self.now + seconds end

function fakes_methods:object(ref)
  local found = self.objects[("%s/%s %s/%s"):format(ref.apiVersion, ref.kind, ref.namespace or "test", ref.name)]
  if found then return found end
  return nil, ('%s "%s" not found'):format(ref.kind, ref.name), "NOT_FOUND"
end

local function refused() return nil, "connection refused", "UNREACHABLE" end

function fakes_methods:answer(request)
  self.asked[#self.asked + 1] = request
  if request.url:find("/api/v1/query", 1, true) then
    local text = request.method == "POST" and request.body or request.url:match("%?(.*)$") or ""
    local value = matching(self.queries, form.decode(text).query or "", request)
    if value == false then return refused() end
    return { status = 200, headers = {}, body = prometheus_body(value, self.now) }
  end
  local given = matching(self.responses, request.url, request)
  if not given then return refused() end
  local body = given.body
  if type(body) == "table" then body = json.encode(body) end
  return { status = given.status or 200, headers = given.headers or {}, body = body or "" }
end

return fakes
