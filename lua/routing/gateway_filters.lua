--- The filters of an HTTPRoute rule, made from a Canary's service. Header lists come out sorted.

local duration = require("util.duration")
local json = require("json")
local list = require("util.list")
local object = require("util.object")

local filters = {}

local function pairs_of(map)
  if not map then return nil end
  local out = list.map(list.keys(map), function(name) return { name = name, value = map[name] } end)
  return #out > 0 and out or nil
end

local function modifier(kind, field, given)
  if not given then return nil end
  local body = { add = pairs_of(given.add), set = pairs_of(given.set) }
  if given.remove and #given.remove > 0 then body.remove = object.copy(given.remove) end
  return next(body) and { type = kind, [field] = body } or nil
end

local function rewrite(given)
  if not given then return nil end
  local body = {}
  if (given.authority or "") ~= "" then body.hostname = given.authority end
  if (given.uri or "") ~= "" then
    local prefix = given.type == "ReplacePrefixMatch"
    body.path = prefix and { type = "ReplacePrefixMatch", replacePrefixMatch = given.uri }
      or { type = "ReplaceFullPath", replaceFullPath = given.uri }
  end
  return next(body) and { type = "URLRewrite", urlRewrite = body } or nil
end

local function mirror(backend)
  local ref = object.merged({ group = "", kind = "Service" }, backend)
  return { type = "RequestMirror", requestMirror = { backendRef = ref } }
end

local DEFAULT_MAX_AGE = 5 -- what the API server fills in

local function max_age(text)
  local seconds = text and duration.parse(text)
  seconds = seconds and math.tointeger(seconds // 1) or 0
  return seconds > 0 and seconds or DEFAULT_MAX_AGE
end

local function some(items)
  return items and #items > 0 and object.copy(items) or nil
end

--- COMPAT: only plain origins; there is no place for the patterns of `allowOrigins`.
local function cors(given)
  if not given then return nil end
  return { type = "CORS", cors = {
    allowOrigins = some(given.allowOrigin),
    allowMethods = some(given.allowMethods),
    allowHeaders = some(given.allowHeaders),
    exposeHeaders = some(given.exposeHeaders),
    allowCredentials = given.allowCredentials or nil,
    maxAge = max_age(given.maxAge),
  } }
end

--- The filters of the service, in the order Flagger writes them.
--- @param newest boolean  the API version has CORS
function filters.of(canary, newest)
  local service, out = canary.service, json.array()
  local function add(filter) out[#out + 1] = filter end
  local headers = service.headers or {}
  add(modifier("RequestHeaderModifier", "requestHeaderModifier", headers.request))
  add(modifier("ResponseHeaderModifier", "responseHeaderModifier", headers.response))
  add(rewrite(service.rewrite))
  for _, given in ipairs(service.mirror or {}) do
    if given.backendRef then add(mirror(given.backendRef)) end
  end
  if newest then add(cors(service.cors_policy)) end
  return out
end

--- The filter that copies requests to the canary.
function filters.to_canary(canary)
  return mirror({ name = canary.names.canary, port = canary.service.port })
end

--- How many filters of a rule copy requests to the canary.
function filters.count_to_canary(canary, items)
  return #list.filter(items or {}, function(filter)
    return object.at(filter, "requestMirror", "backendRef", "name") == canary.names.canary
  end)
end

--- `items` with one more response header; a rule may have one modifier only.
function filters.with_cookie(items, text)
  local cookie = { name = "Set-Cookie", value = text }
  local out = object.copy(items)
  local found = list.find(out, function(filter) return filter.type == "ResponseHeaderModifier" end)
  if not found then
    local body = { add = json.array({ cookie }) }
    return list.join(out, { { type = "ResponseHeaderModifier", responseHeaderModifier = body } })
  end
  local body = found.responseHeaderModifier
  body.add = list.join(list.filter(body.add or {}, function(header) return header.name ~= "Set-Cookie" end), { cookie })
  return out
end

return filters
