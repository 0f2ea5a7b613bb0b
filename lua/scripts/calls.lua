--- What a script may call: functions of the host, each under the grants of that script. lua/scripts/api.lua lists them.
--
-- A wrong argument raises in the script; a failing world gives nil, message, CODE.

local access = require("scripts.access")
local grants = require("scripts.grants")
local nearest = require("util.nearest")
local prometheus = require("metrics.prometheus")
local wall = require("scripts.wall")
local text = require("util.text")

local calls = {}

calls.MOST = 50            -- of one run, together
local MOST_LINES = 20      -- of log
local LINE_BYTES = 512
local BODY_BYTES = 128 << 10
local TIMEOUT, LONGEST = 5, 8 -- seconds
local LARGEST = 1.7976931348623157e308

local function wrong(what, expected, found)
  local shown = type(found) == "string" and ('"%s"'):format(found:sub(1, 64):gsub("%c", "?")) or type(found)
  error(("%s: expected %s, found %s"):format(what, expected, shown), 0)
end

--- A number as JSON has it; nil for none.
local function finite(value)
  if value ~= value then return nil end
  return math.max(-LARGEST, math.min(LARGEST, value))
end

--- The server as a template names it: the one of the template itself, or one without credentials.
local function server(scope, where)
  if where == nil then where = scope.server end
  if type(where) ~= "string" then wrong("prom: address", "a URL or nil", where) end
  local own = scope.template and scope.template.spec.provider
  local bare = where:gsub("/+$", "")
  if own and own.address == where then
    return { template = { spec = { provider = { type = "prometheus", address = where, headers = own.headers,
      region = own.region, insecureSkipVerify = own.insecureSkipVerify } } }, secret = scope.template_secret }
  end
  local is_server = scope.grants.prom and bare == (scope.server or ""):gsub("/+$", "")
  if not is_server and not scope.grants.prom_at[bare] then
    return nil, ("%s is not granted"):format(where), "FORBIDDEN"
  end
  return { template = { spec = { provider = { type = "prometheus", address = where } } } }
end

local function ask_prometheus(host, scope, where, query)
  if type(query) ~= "string" or query == "" then wrong("prom: query", "a text", query) end
  local ctx, message, code = server(scope, where)
  if not ctx then return nil, message, code end
  ctx.query, ctx.now, ctx.variables, ctx.ambient = query, host.clock.now(), {}, {}
  local request
  request, message = prometheus.request(ctx)
  if not request then return nil, message, "INVALID" end
  return host.http.request(request)
end

local function prom(out, host, scope)
  out["prom.query"] = function(where, query)
    local answer, message, code = ask_prometheus(host, scope, where, query)
    if not answer then return nil, message, code end
    local value
    value, message, code = prometheus.parse(answer)
    if value == nil then return nil, message, code or "NO_DATA" end
    return finite(value)
  end
  out["prom.vector"] = function(where, query)
    local answer, message, code = ask_prometheus(host, scope, where, query)
    if not answer then return nil, message, code end
    local list
    list, message, code = prometheus.vector(answer)
    if not list then return nil, message, code end
    for _, item in ipairs(list) do item.value = finite(item.value) end
    return list
  end
end

local REQUEST = { method = "string", url = "string", headers = "table", body = "string", timeout = "number",
  secret = "string" }

local function check_request(request)
  if type(request) ~= "table" then wrong("http.request", "a table", request) end
  for name, value in pairs(request) do
    if not REQUEST[name] then
      local close = nearest.of(tostring(name), REQUEST)
      error(("http.request: expected a known field, found %s%s"):format(tostring(name),
        close and (" (did you mean %s?)"):format(close) or ""), 0)
    end
    if type(value) ~= REQUEST[name] then wrong("http.request: " .. name, "a " .. REQUEST[name], value) end
  end
  if not request.url then wrong("http.request: url", "a URL", nil) end
  for name, value in pairs(request.headers or {}) do
    if type(name) ~= "string" or not name:find("^[%w%-_]+$") or type(value) ~= "string" or value:find("[%c]") then
      wrong("http.request: headers", "names and texts of one line", value)
    end
  end
end

--- As JSON has it: text only.
local function readable(body)
  if utf8.len(body) then return body end
  return (body:gsub("[\128-\255]", "?"))
end

local function http(out, host, scope)
  out["http.request"] = function(request)
    check_request(request)
    if not grants.allows_http(scope.grants, request.url) then
      return nil, ("%s is not granted"):format(request.url:sub(1, 128)), "FORBIDDEN"
    end
    local sent = { method = request.method or "GET", url = request.url, headers = {}, body = request.body,
      timeout = math.min(request.timeout or TIMEOUT, LONGEST), max_bytes = BODY_BYTES, follow = false }
    for name, value in pairs(request.headers or {}) do sent.headers[name] = value end
    local hide, problem = access.apply(host, scope, request.secret, sent)
    if not hide then return nil, problem, "FORBIDDEN" end
    local answer, message, code = host.http.request(sent)
    if not answer then return nil, hide(message), code end
    local headers = {}
    for name, value in pairs(answer.headers or {}) do
      if type(value) == "string" then headers[name] = hide(readable(value)) end
    end
    return { status = answer.status, headers = headers, body = hide(readable(answer.body or "")) }
  end
end

local function kube(out, host, scope)
  out["kube.get"] = function(api_version, kind, name)
    for index, field in ipairs({ "apiVersion", "kind", "name" }) do
      local value = select(index, api_version, kind, name)
      if type(value) ~= "string" then wrong("kube.get: " .. field, "a text", value) end
    end
    if not scope.grants.kube[("%s/%s"):format(api_version, kind)] then
      return nil, ("%s/%s is not granted"):format(api_version, kind), "FORBIDDEN"
    end
    return host.kube.get({ apiVersion = api_version, kind = kind, name = name, namespace = scope.namespace })
  end
end

local function clock(out, host)
  out["clock.now"] = function() return host.clock.now() end
  out["clock.at"] = function(place, seconds)
    if place ~= nil and type(place) ~= "string" then wrong("clock.at: zone", "a text", place) end
    if seconds ~= nil and type(seconds) ~= "number" then wrong("clock.at: seconds", "a number", seconds) end
    return wall.at(place or "UTC", seconds or host.clock.now())
  end
end

local function log(out, host, scope)
  local lines = 0
  for _, level in ipairs({ "debug", "info", "warn", "error" }) do
    out["log." .. level] = function(message)
      lines = lines + 1
      if lines > MOST_LINES then return end
      local line = text.cut(text.collapse(tostring(message)), LINE_BYTES)
      host.log[level](("%s: %s"):format(scope.label, line), { canary = scope.canary })
    end
  end
end

--- { ["prom.query"] = fn, ... } for one run.
--- @param scope table  { label = of the script, canary = "name.namespace", namespace, grants, server = address,
---   template?, template_secret? }
function calls.of(host, scope)
  local out, given = {}, scope.grants
  clock(out, host)
  log(out, host, scope)
  if given.prom or next(given.prom_at) or scope.template then prom(out, host, scope) end
  if #given.http > 0 or given.hosts and #given.hosts > 0 then http(out, host, scope) end
  if next(given.kube) then kube(out, host, scope) end
  return out
end

return calls
