--- Google Cloud Monitoring: an MQL query, the newest value of the first time series.
--
-- Keys of the Secret: project, and serviceAccountKey (the JSON of a service account's key). Without a key the engine's
-- own identity is used: the key file of GOOGLE_APPLICATION_CREDENTIALS, else the metadata server's; it is for Google's
-- own address alone. Steps: an access token (RFC 7523), then the query.

local address = require("metrics.address")
local answer = require("metrics.answer")
local ask = require("metrics.ask")
local digest = require("digest")
local json = require("json")
local text = require("util.text")

local stackdriver = { name = "stackdriver" }

stackdriver.ambient = { env = { "GCE_METADATA_HOST", "GOOGLE_CLOUD_PROJECT" },
  files = { "GOOGLE_APPLICATION_CREDENTIALS" } }

local SERVER = "https://monitoring.googleapis.com"
local TOKEN_SERVER = "https://oauth2.googleapis.com/token"
local METADATA = "metadata.google.internal"
local SCOPE = "https://www.googleapis.com/auth/monitoring.read"
local GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
local TOKEN_LIFE = 600 -- seconds; one check needs it

local function base64url(bytes)
  return (digest.base64(bytes):gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" }))
end

--- The service account's key: { client_email, private_key, private_key_id?, token_uri?, project_id? }; or nil and a
--- message.
local function key_of(source, what)
  local key, message = json.decode(source)
  if key == nil then return nil, ("%s: expected the JSON of a key: %s"):format(what, message) end
  if not answer.is_object(key) or key.type ~= "service_account" then
    return nil, ("%s: expected a key of type service_account"):format(what)
  end
  for _, name in ipairs({ "client_email", "private_key" }) do
    if type(key[name]) ~= "string" then return nil, ("%s: %s: expected a text"):format(what, name) end
  end
  return key
end

--- Where a key gets its tokens: Google, or the address that the template names. Nobody else is shown an assertion.
local function token_place(ctx, key)
  local uri = type(key.token_uri) == "string" and key.token_uri or TOKEN_SERVER
  local parts = address.split(uri)
  local named = address.split(ctx.template.spec.provider.address)
  if parts and parts.scheme == "https" and parts.host:find("^[%l%d-]+%.googleapis%.com$") then return uri end
  if parts and named and parts.scheme == named.scheme and parts.host == named.host then return uri end
  return nil, ("serviceAccountKey: token_uri: expected %s, found %s"):format(TOKEN_SERVER, address.shown(uri))
end

--- The assertion of RFC 7523, section 3, signed with RS256; or nil and a message.
local function assertion(key, uri, now)
  local header = { alg = "RS256", typ = "JWT" }
  if type(key.private_key_id) == "string" then header.kid = key.private_key_id end
  local claims = { iss = key.client_email, scope = SCOPE, aud = uri, iat = now, exp = now + TOKEN_LIFE }
  local signed = base64url(json.encode(header)) .. "." .. base64url(json.encode(claims))
  local signature, message = digest.rs256(key.private_key, signed)
  if not signature then return nil, "serviceAccountKey: private_key: " .. message end
  return signed .. "." .. base64url(signature)
end

--- The request for a token of a key.
local function token_request(ctx, key, keep)
  local uri, message = token_place(ctx, key)
  if not uri then return nil, message end
  local jwt
  jwt, message = assertion(key, uri, math.floor(ctx.now))
  if not jwt then return nil, message end
  return { method = "POST", url = uri, headers = { ["Content-Type"] = "application/x-www-form-urlencoded" },
    body = address.query({ { "assertion", jwt }, { "grant_type", GRANT } }), timeout = 5, max_bytes = ask.MAX_BYTES,
    follow = false, read = "token", keep = keep }
end

local function metadata_request(ctx, path, read, keep)
  local host = (ctx.ambient or {}).GCE_METADATA_HOST or METADATA
  return { method = "GET", url = ("http://%s/computeMetadata/v1/%s"):format(host, path), proxy = "",
    headers = { ["Metadata-Flavor"] = "Google" }, timeout = 5, max_bytes = ask.MAX_BYTES, follow = false, read = read,
    keep = keep }
end

local function machine_token(ctx, keep)
  return metadata_request(ctx, "instance/service-accounts/default/token?scopes=" .. text.percent(SCOPE), "token", keep)
end

--- The first request with the engine's own identity.
local function as_engine(ctx, keep)
  local own = ctx.template.spec.provider.address
  if type(own) == "string" and own ~= "" then
    return nil, "an address needs a serviceAccountKey: the engine's own identity is for Google's address alone"
  end
  local ambient = ctx.ambient or {}
  keep.project = keep.project or ambient.GOOGLE_CLOUD_PROJECT
  if ambient.GOOGLE_APPLICATION_CREDENTIALS then
    local key, message = key_of(ambient.GOOGLE_APPLICATION_CREDENTIALS, "GOOGLE_APPLICATION_CREDENTIALS")
    if not key then return nil, message end
    keep.project = keep.project or key.project_id
    if type(keep.project) ~= "string" then return nil, "GOOGLE_CLOUD_PROJECT: expected a project, found none" end
    return token_request(ctx, key, keep)
  end
  if not keep.project then return metadata_request(ctx, "project/project-id", "project", keep) end
  return machine_token(ctx, keep)
end

local function start(ctx, keep)
  local secret = ctx.secret
  if secret then
    local message
    keep.project, message = ask.key(ctx, "project")
    if not keep.project then return nil, message end
  end
  if not secret or not secret.serviceAccountKey then return as_engine(ctx, keep) end
  local key, message = key_of(secret.serviceAccountKey, "serviceAccountKey")
  if not key then return nil, message end
  return token_request(ctx, key, keep)
end

--- What to ask first. See README.md for `ctx`.
function stackdriver.request(ctx) return start(ctx, { query = ctx.query, read = "parse" }) end

--- Takes the project of the machine.
function stackdriver.project(given, ctx, asked)
  local project, message, code = answer.body(given)
  if not project then return nil, message, code end
  if not project:find("^[%w:.-]+$") then
    return answer.bad("no project: the metadata server said '%s'", answer.cut(project))
  end
  return machine_token(ctx, { project = project, query = asked.keep.query, read = asked.keep.read })
end

--- Takes an access token; the query follows.
function stackdriver.token(given, ctx, asked)
  local object, message, code = answer.object(given, function(status) return "no access token: Status " .. status end)
  if not object then return nil, message, code end
  local token = object.access_token
  if type(token) ~= "string" or token == "" or token:find("%c") then
    return answer.bad("no access token in the answer of the token server")
  end
  local place
  place, message = ask.place(ctx, SERVER)
  if not place then return nil, message end
  local keep = asked.keep
  local path = ("v3/projects/%s/timeSeries:query"):format(text.percent(keep.project))
  return ask.request(ctx, place, { method = "POST", path = path, body = json.encode({ query = keep.query }),
    read = keep.read, headers = { Authorization = "Bearer " .. token, ["Content-Type"] = "application/json" } })
end

local READERS = {
  doubleValue = function(value)
    if value == "NaN" then return 0 / 0 end
    if type(value) == "string" then return answer.float(value) end
    return type(value) == "number" and value + 0.0 or nil
  end,
  int64Value = function(value) return answer.float(tostring(value)) end,
}

local function value_of(value)
  for name, read in pairs(READERS) do
    local given = value[name]
    if given ~= nil and given ~= json.null then
      local number = read(given)
      if not number then return answer.bad("%s of the answer is not a number", name) end
      return number + 0.0
    end
  end
  if value.boolValue ~= nil or value.stringValue ~= nil or value.distributionValue ~= nil then
    return answer.bad("value of the answer is not a number")
  end
  return answer.none()
end

--- The number that an answer holds; nil and "no values found"; or nil, message, CODE.
function stackdriver.parse(given)
  local object, message, code = answer.object(given)
  for _, name in ipairs({ "timeSeriesData", "pointData", "values" }) do
    if not object then return nil, message, code end
    local list
    list, message, code = answer.list(object, name)
    if not list then return nil, message, code end
    if #list == 0 then return answer.none() end
    object = list[1]
    if not answer.is_object(object) then return answer.bad("%s of the answer holds no object", name) end
  end
  if not object then return nil, message, code end
  return value_of(object)
end

--- Asks an empty query, which is refused as such by a server that is there.
function stackdriver.online(ctx) return start(ctx, { query = "", read = "heard" }) end

function stackdriver.heard(given)
  local body, message, code = answer.body(given)
  if body then return 1 end
  local object = given.status == 400 and json.decode(given.body)
  local failure = answer.is_object(object) and object.error
  if answer.is_object(failure) and failure.status == "INVALID_ARGUMENT" then return 1 end
  return nil, message, code
end

return stackdriver
