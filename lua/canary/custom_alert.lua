--- Alerts in the words of the operator's scripts: an AlertProvider of type lua.
--
--   spec: {type: lua, script: {name: card, params: {...}}, secretRef: {name: on-call}}
--
-- The script gets the alert and says what is sent; where to, and with what token, the engine alone knows.

local json = require("json")
local nearest = require("util.nearest")
local params = require("util.params")
local run = require("scripts.run")

local custom = {}

local ANSWER = { method = true, headers = true, body = true }
local METHODS = { POST = true, PUT = true }

local function headers_problem(headers)
  if headers == nil then return nil end
  if type(headers) ~= "table" then return ("headers: expected an object, found %s"):format(type(headers)) end
  for name, value in pairs(headers) do
    if type(name) ~= "string" or not name:find("^[%w%-_]+$") or type(value) ~= "string" or value:find("%c") then
      return ("headers: expected names and texts of one line, found %s"):format(tostring(name):sub(1, 64))
    end
    if name:lower() == "authorization" then
      return "headers.Authorization: expected none, as the token of the AlertProvider's Secret is sent"
    end
  end
end

local function problem(answer)
  if type(answer) ~= "table" then return ("render: expected a request, found %s"):format(type(answer)) end
  for name in pairs(answer) do
    if not ANSWER[name] then
      local close = nearest.of(tostring(name), ANSWER)
      return ("render: expected method, headers or body, found %s%s"):format(tostring(name):sub(1, 64),
        close and (" (did you mean %s?)"):format(close) or "")
    end
  end
  if answer.method ~= nil and not METHODS[answer.method] then
    return ("method: expected POST or PUT, found %s"):format(tostring(answer.method):sub(1, 64))
  end
  if type(answer.body) ~= "table" and type(answer.body) ~= "string" then
    return ("body: expected an object or a text, found %s"):format(type(answer.body))
  end
  return headers_problem(answer.headers)
end

local function render(host, script, given, alert, to)
  local event = { api = 1, now = host.clock.now(), canary = alert.canary, message = alert.message,
    severity = alert.severity, fields = json.array(alert.fields), channel = to.channel, username = to.username,
    params = given }
  local answer, message = run.call(host, script, { entry = "render", arguments = { event } },
    { label = script.label, canary = alert.canary, namespace = "", grants = script.grants })
  if answer == nil then return nil, message or ("%s: render: expected a request, found nil"):format(script.label) end
  message = problem(answer)
  if message then return nil, ("%s: %s"):format(script.label, message) end
  return answer
end

--- nil, or what is wrong with spec.script of an AlertProvider.
function custom.problem(ref)
  if type(ref) ~= "table" or type(ref.name) ~= "string" or ref.name == "" then
    return "spec.script.name: expected the name of a notify script, found none"
  end
end

--- What serves an AlertProvider of type lua, as a file of lua/alerts/ does; or nil and a message.
--- @param to table  the receiver; `script` is its spec.script
function custom.provider(host, to)
  if not host.library then return nil, "spec.type: lua: expected serin run -scripts=DIR" end
  local script, message = host.library:find("notify", to.script.name)
  if not script then return nil, "spec.script.name: " .. message end
  local given
  given, message = params.read(script.fields.params or {}, to.script.params, "spec.script.params")
  if not given then return nil, message end
  local provider = { name = "lua" }
  function provider.request(alert, where)
    local answer, wrong = render(host, script, given, alert, where)
    if not answer then return nil, wrong end
    local headers = {}
    for name, value in pairs(answer.headers or {}) do headers[name] = value end
    headers.Authorization = where.token and "Bearer " .. where.token or nil
    return { url = where.address, method = answer.method, headers = headers, body = answer.body }
  end
  return provider
end

return custom
