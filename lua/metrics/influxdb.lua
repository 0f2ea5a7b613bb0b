--- InfluxDB 2: a Flux query, the first record's `_value`.
--
-- Keys of the Secret beside those of ask.lua: token and org, both or none.

local answer = require("metrics.answer")
local ask = require("metrics.ask")
local csv = require("util.csv")
local json = require("json")

local influxdb = { name = "influxdb" }

local TIMEOUT = 15 -- seconds
local NUMBERS = { double = true, long = true, unsignedLong = true }
local MAX_LINES = 1000 -- before the first record

--- What a query is sent with. See README.md for `ctx`.
local function request(ctx, query, read)
  local place, message = ask.place(ctx)
  if not place then return nil, message end
  local token, org = "", ""
  if ask.has_login(ctx) then
    token, message = ask.key(ctx, "token")
    if not token then return nil, message end
    org, message = ask.key(ctx, "org")
    if not org then return nil, message end
  end
  local dialect = { annotations = json.array({ "datatype", "group", "default" }), delimiter = ",", header = true }
  local body
  body, message = json.encode({ query = query, type = "flux", dialect = dialect })
  if not body then return nil, "query: " .. message end
  return ask.request(ctx, place, { method = "POST", path = "api/v2/query", query = { { "org", org } }, body = body,
    headers = { Accept = "text/csv", Authorization = token ~= "" and "Token " .. token or nil,
      ["Content-Type"] = "application/json" },
    timeout = TIMEOUT, read = read })
end

--- What to ask. See README.md for `ctx`.
function influxdb.request(ctx) return request(ctx, ctx.query) end

local function column(names, wanted)
  for index, name in ipairs(names) do
    if name == wanted then return index end
  end
end

--- The first record of annotated CSV: { names, fields, types, defaults }; nil without one; nil and a message.
local function first_record(body)
  local at, about = 1, {}
  for _ = 1, MAX_LINES do
    if at > #body then return nil end
    local fields, next_at = csv.record(body, at)
    if not fields then return nil, next_at end
    at = next_at
    if #fields == 1 and fields[1] == "" then
      about = {}
    elseif fields[1]:sub(1, 1) == "#" then
      if about.names then about = {} end
      about[fields[1]:sub(2)] = fields
    elseif not about.names then
      about.names = fields
    else
      about.fields = fields
      return about
    end
  end
  return nil, ("no record in %d lines"):format(MAX_LINES)
end

--- What the service says went wrong while it answered, or nil.
local function failure(record)
  local at = column(record.names, "error")
  if at and column(record.names, "reference") then return record.fields[at] or "" end
end

local function value_of(record)
  local at = column(record.names, "_value")
  local value = at and record.fields[at] or ""
  if value == "" and record.default then value = record.default[at or 0] or "" end
  if value == "" then return answer.none() end
  local kind = record.datatype and record.datatype[at]
  local number = (not kind or NUMBERS[kind]) and answer.float(value)
  if number then return number end
  return answer.bad("invalid response: _value is %s of type %s", answer.cut(value), answer.cut(kind or "unknown"))
end

--- The number that an answer holds; nil and "no values found"; or nil, message, CODE.
function influxdb.parse(given)
  local body, message, code = answer.body(given)
  if not body then return nil, message, code end
  local record
  record, message = first_record(body)
  if message then return answer.bad("invalid response: %s: '%s'", message, answer.cut(body)) end
  if not record then return answer.none() end
  local wrong = failure(record)
  if wrong then return answer.bad("error response: %s", answer.cut(wrong)) end
  return value_of(record)
end

--- Whether a query is accepted.
function influxdb.online(ctx) return request(ctx, 'from(bucket: "default") |> range(start: -2h)', "heard") end

function influxdb.heard(given)
  local body, message, code = answer.body(given)
  if body then return 1 end
  return nil, message, code
end

return influxdb
