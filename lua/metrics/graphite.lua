--- Graphite: the last value that is not null of the last target that has one.
--
-- The query is that of a render URL (`target=...&from=-5min`). Keys of the Secret beside those of ask.lua: username and
-- password.

local address = require("metrics.address")
local answer = require("metrics.answer")
local ask = require("metrics.ask")
local json = require("json")
local text = require("util.text")

local graphite = { name = "graphite" }

local function unescaped(value)
  if value:gsub("%%%x%x", ""):find("%%") then return nil end
  return address.unescape((value:gsub("%+", " ")))
end

--- The fields of a render query, `format` replaced, in the order of their names; or nil and a message.
local function fields_of(query)
  local out = { { "format", "json", 0 } }
  if query:find(";", 1, true) then return nil, "query: expected fields joined by &, found a semicolon" end
  for pair in query:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    name, value = unescaped(name), unescaped(value)
    if not name or not value then
      return nil, ("query: expected %%XX after a percent sign, found %s"):format(text.cut(pair, 64))
    end
    if name ~= "format" then out[#out + 1] = { name, value, #out } end
  end
  table.sort(out, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[3] < b[3]
  end)
  return out
end

--- The Authorization header; nil without credentials; nil and a message when they are incomplete.
local function authorization(ctx, place)
  if ask.has_login(ctx) then
    for _, key in ipairs({ "username", "password" }) do
      if not ctx.secret[key] then return nil, "graphite credentials does not contain a " .. key end
    end
    return ask.basic(ctx.secret.username, ctx.secret.password)
  end
  local user, password = address.login(place)
  return user and ask.basic(user, password)
end

--- What to ask. See README.md for `ctx`.
function graphite.request(ctx)
  local place, fields, auth, message
  place, message = ask.place(ctx)
  if not place then return nil, message end
  fields, message = fields_of((text.collapse(ctx.query):gsub("^ ", ""):gsub(" $", "")))
  if not fields then return nil, message end
  auth, message = authorization(ctx, place)
  if message then return nil, message end
  return ask.request(ctx, place, { path = "render", query = fields, headers = { Authorization = auth } })
end

--- The value of a point: a number, nil for null, false for what is neither.
local function value_of(point)
  if not json.is_array(point) or #point ~= 2 then return false end
  local value = point[1]
  if value == json.null then return nil end
  if type(value) == "string" then return answer.float(value) or false end
  return type(value) == "number" and value + 0.0
end

--- The last value of a target; nil without one; nil and a message, CODE.
local function last_of(target)
  if not answer.is_object(target) then return answer.bad("element of the answer is not an object") end
  local points, message, code = answer.list(target, "datapoints")
  if not points then return nil, message, code end
  local found
  for _, point in ipairs(points) do
    local value = value_of(point)
    if value == false then
      return answer.bad("error unmarshaling result: a datapoint that is no pair of value and time")
    end
    found = value or found
  end
  return found
end

local function refused(_, body) return "error response: " .. body end

--- The number that an answer holds; nil and "no values found"; or nil, message, CODE.
function graphite.parse(given)
  local targets, message, code = answer.json(given, refused)
  if targets == nil then return nil, message, code end
  if not json.is_array(targets) then return answer.bad("answer is not a list: '%s'", answer.cut(given.body)) end
  local found
  for _, target in ipairs(targets) do
    local value
    value, message, code = last_of(target)
    if message then return nil, message, code end
    found = value or found
  end
  if not found then return answer.none() end
  return found
end

--- Asks for a target that need not exist.
function graphite.online(ctx)
  local request, message = graphite.request(setmetatable({ query = "target=test" }, { __index = ctx }))
  if request then request.read = "heard" end
  return request, message
end

function graphite.heard(given)
  local value, message, code = graphite.parse(given)
  if value or message == answer.NO_VALUES then return 1 end
  return nil, message, code
end

return graphite
