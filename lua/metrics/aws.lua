--- Who asks AWS: the keys of a Secret, or the engine's own identity, found in the order of the AWS SDKs.
--
-- Keys of a Secret: aws_access_key_id, aws_secret_access_key, and aws_session_token of temporary ones.
-- Else, from the engine's surroundings (ctx.ambient): AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the role of a
-- service account (AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE: IRSA); a container's (AWS_CONTAINER_CREDENTIALS_FULL_URI
-- or _RELATIVE_URI: EKS Pod Identity, ECS); the machine's (IMDSv2). Shared configuration files are not read.
-- The engine's own identity is for addresses that the operator chose; a template's address never gets it.

local answer = require("metrics.answer")
local ask = require("metrics.ask")
local address = require("metrics.address")
local xml = require("util.xml")

local aws = {}

local STEP_TIMEOUT = 5 -- seconds, of each request for credentials
local MACHINE = "http://169.254.169.254"
local CONTAINER = "http://169.254.170.2"
local KEYS = { key = "aws_access_key_id", secret = "aws_secret_access_key", token = "aws_session_token" }
local ROLE_PATH = "/latest/meta-data/iam/security-credentials/"

--- What of the engine's surroundings is asked for; see README.md.
aws.ambient = {
  env = { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_CLOUDWATCH" },
  files = { "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" },
}

--- True when the Secret holds keys of AWS.
function aws.is_meant(ctx)
  return ctx.secret ~= nil and ctx.secret.aws_access_key_id ~= nil
end

--- { key, secret, token? } of the Secret; nil without such keys; nil and a message when they are incomplete.
function aws.of_secret(ctx)
  if not aws.is_meant(ctx) then return nil end
  local out = {}
  for part, name in pairs(KEYS) do
    if part ~= "token" or ctx.secret[name] then
      local message
      out[part], message = ask.key(ctx, name)
      if not out[part] then return nil, message end
    end
  end
  return out
end

--- spec.provider.region; or nil and a message.
function aws.region(ctx)
  local region = ctx.template.spec.provider.region
  if type(region) ~= "string" or region == "" then return nil, "region not specified" end
  if region:find("^[%l%d-]+$") then return region end
  return nil, ("region: expected a name like us-east-1, found %s"):format(answer.cut(region))
end

--- The URL of a service: what the operator set for it, or that of the region.
function aws.endpoint(ctx, service, host, region)
  local ambient = ctx.ambient or {}
  local set = ambient["AWS_ENDPOINT_URL_" .. service] or ambient.AWS_ENDPOINT_URL
  if set then return (set:gsub("/+$", "")) .. "/" end
  return ("https://%s.%s.amazonaws.com%s/"):format(host, region, region:find("^cn%-") and ".cn" or "")
end

--- A request for credentials. `read` is the function of the provider that takes its answer: aws.step.
local function step(kind, request)
  request.timeout, request.max_bytes, request.follow = STEP_TIMEOUT, ask.MAX_BYTES, false
  request.read, request.keep = "credentials", kind
  return request
end

local function of_role(ctx, region)
  local ambient = ctx.ambient
  local body = address.query({ { "Action", "AssumeRoleWithWebIdentity" }, { "RoleArn", ambient.AWS_ROLE_ARN },
    { "RoleSessionName", ambient.AWS_ROLE_SESSION_NAME or "serin" }, { "Version", "2011-06-15" },
    { "WebIdentityToken", ambient.AWS_WEB_IDENTITY_TOKEN_FILE } })
  return step("role", { method = "POST", url = aws.endpoint(ctx, "STS", "sts", region), body = body,
    headers = { ["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8" } })
end

local function of_container(ambient)
  local token = ambient.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE or ambient.AWS_CONTAINER_AUTHORIZATION_TOKEN
  return step("container", { method = "GET", proxy = "", headers = { Authorization = token },
    url = ambient.AWS_CONTAINER_CREDENTIALS_FULL_URI or CONTAINER .. ambient.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI })
end

local function machine_url(ctx, path)
  return ((ctx.ambient or {}).AWS_EC2_METADATA_SERVICE_ENDPOINT or MACHINE):gsub("/+$", "") .. path
end

local function of_machine(ctx)
  return step("session", { method = "PUT", url = machine_url(ctx, "/latest/api/token"), proxy = "", body = "",
    headers = { ["X-aws-ec2-metadata-token-ttl-seconds"] = "21600" } })
end

--- Where credentials come from: them, or the request that leads to them; or nil and a message.
function aws.find(ctx, region)
  local keys, message = aws.of_secret(ctx)
  if keys or message then return keys, message end
  local ambient = ctx.ambient or {}
  if ambient.AWS_ACCESS_KEY_ID and ambient.AWS_SECRET_ACCESS_KEY then
    return { key = ambient.AWS_ACCESS_KEY_ID, secret = ambient.AWS_SECRET_ACCESS_KEY,
      token = ambient.AWS_SESSION_TOKEN }
  end
  if ambient.AWS_ROLE_ARN and ambient.AWS_WEB_IDENTITY_TOKEN_FILE then return of_role(ctx, region) end
  if ambient.AWS_CONTAINER_CREDENTIALS_FULL_URI or ambient.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI then
    return of_container(ambient)
  end
  if (ambient.AWS_EC2_METADATA_DISABLED or ""):lower() == "true" then
    return nil, "no AWS credentials: neither in the Secret nor in the engine's environment"
  end
  return of_machine(ctx)
end

local function refused(what)
  return function(status) return ("no AWS credentials: %s answered %s"):format(what, status) end
end

local function one_line(value)
  return type(value) == "string" and value ~= "" and not value:find("%c") and value or nil
end

local function checked(keys, what)
  if keys.key and keys.secret and keys.token then return keys end
  return answer.bad("no AWS credentials: the answer of %s is incomplete", what)
end

local function document(given, what)
  local object, message, code = answer.object(given, refused(what))
  if not object then return nil, message, code end
  return checked({ key = one_line(object.AccessKeyId), secret = one_line(object.SecretAccessKey),
    token = one_line(object.Token) }, what)
end

local steps = {}

function steps.role(given)
  local body, message, code = answer.body(given, refused("the token service"))
  if not body then return nil, message, code end
  local found = xml.at(xml.parse(body), "AssumeRoleWithWebIdentityResult", "Credentials")
  local function value(name) return one_line((xml.at(found, name) or {}).text) end
  return checked({ key = value("AccessKeyId"), secret = value("SecretAccessKey"), token = value("SessionToken") },
    "the token service")
end

function steps.container(given) return document(given, "the container's endpoint") end

function steps.session(given, ctx)
  local token, message, code = answer.body(given, refused("the metadata service"))
  if not token then return nil, message, code end
  token = one_line(token)
  if not token then return answer.bad("no AWS credentials: the metadata service gave no token") end
  local request = step("name", { method = "GET", url = machine_url(ctx, ROLE_PATH), proxy = "",
    headers = { ["X-aws-ec2-metadata-token"] = token } })
  return nil, request
end

function steps.name(given, ctx, asked)
  local name, message, code = answer.body(given, refused("the metadata service"))
  if not name then return nil, message, code end
  name = name:match("^([%w+=,.@_-]+)%s*$")
  if not name then return answer.bad("no AWS credentials: this machine has no role") end
  return nil, step("machine", { method = "GET", url = machine_url(ctx, ROLE_PATH .. name), proxy = "",
    headers = asked.headers })
end

function steps.machine(given) return document(given, "the metadata service") end

--- The answer to a request of `find`: the credentials; nil and the next request; or nil, message, CODE.
function aws.step(given, ctx, asked)
  return steps[asked.keep](given, ctx, asked)
end

return aws
