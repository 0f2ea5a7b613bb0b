--- Splunk Observability (SignalFx): a SignalFlow program over the last ten intervals, the last value of its series.
--
-- The computation is asked for over HTTP: its messages arrive as server-sent events, and end at `stop`. The address is
-- that of the API (`https://api.REALM.signalfx.com`); programs run at `stream` instead of `api`. Keys of the Secret
-- beside those of ask.lua: sf_token_key.

local answer = require("metrics.answer")
local ask = require("metrics.ask")
local json = require("json")

local splunk = { name = "splunk" }

local WINDOW = 10 -- intervals that are looked back
local MAX_EVENTS = 10000
local SCHEMES = { http = "http", https = "https", ws = "http", wss = "https" }

--- The template's address with `to` for `from` at the head of its host.
local function place_of(ctx, from, to)
  local place, message = ask.place(ctx, nil, SCHEMES)
  if not place then return nil, message end
  place.host = place.host:gsub("^" .. from .. "%.", to .. ".")
  return place
end

local function headers_of(ctx, more)
  local token, message = ask.key(ctx, "sf_token_key")
  if not token then return nil, message end
  more["X-SF-Token"] = token
  return more
end

--- What to ask. See README.md for `ctx`.
function splunk.request(ctx)
  local place, headers, message
  place, message = place_of(ctx, "api", "stream")
  if not place then return nil, message end
  headers, message = headers_of(ctx, { Accept = "text/event-stream", ["Content-Type"] = "text/plain" })
  if not headers then return nil, message end
  local now = math.floor(ctx.now * 1000)
  local from = now - WINDOW * math.floor(ctx.interval * 1000)
  return ask.request(ctx, place, { method = "POST", path = "v2/signalflow/execute", body = ctx.query,
    query = { { "start", from }, { "stop", now }, { "immediate", "true" } }, headers = headers })
end

--- The events of a stream as a list of { event =, data = }; or nil and a message.
local function events_of(body)
  local out, event, data = {}, "message", {}
  for line in (body:gsub("\r\n?", "\n") .. "\n\n"):gmatch("([^\n]*)\n") do
    local field, value = line:match("^(%l+):? ?(.*)$")
    if line == "" and #data > 0 then
      if #out >= MAX_EVENTS then return nil, ("more than %d events"):format(MAX_EVENTS) end
      out[#out + 1] = { event = event, data = table.concat(data, "\n") }
    end
    if line == "" then event, data = "message", {} end
    if field == "event" then event = value end
    if field == "data" then data[#data + 1] = value end
  end
  return out
end

local readers = {}

--- Notes the values of a data message. nil, or what is wrong with it.
function readers.data(state, object)
  if not json.is_array(object.data) then return "a data message without data" end
  for _, item in ipairs(object.data) do
    if not answer.is_object(item) or type(item.tsId) ~= "string" then return "a data message without its series" end
    if item.value ~= nil and item.value ~= json.null then
      if type(item.value) ~= "number" then return "a value that is not a number" end
      if state.series and state.series ~= item.tsId then return "query returned multiple values" end
      state.series, state.value = item.tsId, item.value + 0.0
    end
  end
end

function readers.error(_, object)
  local first = json.is_array(object.errors) and object.errors[1]
  local code = answer.is_object(first) and first.code or object.message or "no reason given"
  return "error response: " .. answer.cut(code)
end

readers["control-message"] = function(state, object)
  if object.event == "CHANNEL_ABORT" then
    local info = answer.is_object(object.abortInfo) and object.abortInfo or {}
    return "error response: the computation was aborted: " .. answer.cut(info.sf_job_abortReason or "no reason given")
  end
  if object.event == "END_OF_CHANNEL" then state.ended = true end
end

--- The number that an answer holds; nil and "no values found"; or nil, message, CODE.
function splunk.parse(given)
  local body, message, code = answer.body(given)
  if not body then return nil, message, code end
  local state, events, wrong = {}, events_of(body)
  if not events then return answer.bad("%s", wrong) end
  for _, item in ipairs(events) do
    local read = readers[item.event]
    local object = read and json.decode(item.data)
    if read and not answer.is_object(object) then
      return answer.bad("error unmarshaling result: '%s'", answer.cut(item.data))
    end
    wrong = read and read(state, object)
    if wrong then return answer.bad("%s", wrong) end
  end
  if not state.ended then return answer.bad("the stream ended before the computation: '%s'", answer.cut(body)) end
  if not state.value then return answer.none() end
  return state.value
end

--- Whether the token may read metrics.
function splunk.online(ctx)
  local place, headers, message
  place, message = place_of(ctx, "stream", "api")
  if not place then return nil, message end
  headers, message = headers_of(ctx, {})
  if not headers then return nil, message end
  return ask.request(ctx, place, { path = "v2/metric", query = { { "limit", 1 } }, headers = headers, read = "heard" })
end

function splunk.heard(given)
  local body, message, code = answer.body(given)
  if body then return 1 end
  return nil, message, code
end

return splunk
