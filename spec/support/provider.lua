--- Metric providers in specs: their requests as text, and whole checks against a real HTTP server on loopback.
--
-- A fixture, spec/fixtures/metrics/<type>.lua, is a table:
--   provider  fields of spec.provider (the address is the server's when a check is made)
--   secret    the decoded Secret, or nil, or a function of the address that gives it;  query
--   ambient   what the engine's surroundings hold; env (address) -> the same as environment variables of a check
--   reply     (path, request) -> answer: of the steps before the one that `parse` reads; nil for that one
--   value     what `good` means
--   good, nodata, bad   names -> bodies ({ body, what the message must hold } for bad)
--   required  keys of the Secret without which there is no request -> what the message must hold
--   online    path -> answer: what a server says that is there; default `good`

local T = require("T")
local digest = require("digest")
local http, server = require("http"), require("server")

local provider = {}

provider.NOW = 1893456000.75 -- 2030-01-01T00:00:00Z

--- A fixture by its type.
function provider.fixture(kind) return dofile("spec/fixtures/metrics/" .. kind .. ".lua") end

--- `base` with the fields of `change`; false takes one away.
function provider.with(base, change)
  local out = {}
  for key, value in pairs(base or {}) do out[key] = value end
  for key, value in pairs(change or {}) do
    if value == false then out[key] = nil else out[key] = value end
  end
  return out
end

--- A MetricTemplate.
function provider.template(kind, fields, query)
  local spec = provider.with(fields, { type = kind })
  if spec.secretRef == nil then spec.secretRef = { name = "login" } end
  if spec.secretRef == "none" then spec.secretRef = nil end
  return { apiVersion = "flagger.app/v1beta1", kind = "MetricTemplate", metadata = { name = "t", namespace = "demo" },
    spec = { provider = spec, query = query } }
end

--- The `ctx` of a provider for a fixture. change: fields of ctx.
function provider.ctx(kind, fixture, change)
  local secret = fixture.secret
  if type(secret) == "function" then secret = secret() end
  local ctx = { template = provider.template(kind, fixture.provider, fixture.query), secret = secret,
    query = fixture.query, interval = 60, variables = {}, now = provider.NOW, ambient = fixture.ambient or {},
    metric = "m", canary = { namespace = "demo", name = "app" } }
  return provider.with(ctx, change)
end

local function sorted(map)
  local out = {}
  for key in pairs(map or {}) do out[#out + 1] = key end
  table.sort(out)
  return out
end

--- A request as it goes over the wire, as text.
function provider.text(request)
  local lines = { request.method .. " " .. request.url }
  for _, name in ipairs(sorted(request.headers)) do
    local value = request.headers[name]
    for _, one in ipairs(type(value) == "table" and value or { value }) do lines[#lines + 1] = name .. ": " .. one end
  end
  for _, name in ipairs(sorted(request.tls)) do
    lines[#lines + 1] = ("(tls %s %s)"):format(name, (tostring(request.tls[name]):gsub("\n.*", "")))
  end
  lines[#lines + 1] = ("(timeout %d, %s)"):format(request.timeout, request.follow and "follows redirects" or "stays")
  return table.concat(lines, "\n") .. "\n\n" .. (request.body and request.body .. "\n\n" or "")
end

--- Compares with a golden file, or writes it when UPDATE_GOLDEN is set. nil, or what differs.
function provider.golden(name, text)
  local path = "spec/fixtures/metrics/" .. name
  if os.getenv("UPDATE_GOLDEN") then
    local out <close> = assert(io.open(path, "wb"))
    out:write(text)
  end
  local file <close> = io.open(path, "rb")
  local wanted = file and file:read("a")
  if wanted == text then return nil end
  if not wanted then return "no " .. path end
  return ("%s holds\n%s\nand the request is\n%s"):format(path, wanted, text)
end

--- A server on loopback that answers by `handler(request)`. Gives its address, what it was asked, and how to close it.
function provider.serve(handler)
  local self = { seen = {} }
  self.listening = assert(server.listen({ handler = function(request)
    self.seen[#self.seen + 1] = { method = request.method, path = request.path, query = request.query,
      body = request.body, header = {} }
    for _, name in ipairs({ "Authorization", "DD-API-KEY", "X-Query-Key", "X-SF-Token", "Content-Type", "X-A" }) do
      self.seen[#self.seen].header[name] = request.headers(name)
    end
    return handler(request)
  end }))
  self.address = "http://127.0.0.1:" .. self.listening:port()
  function self.close() self.listening:close() end
  return self
end

--- The handler of a fixture that gives `answer` where `parse` reads.
function provider.handler(fixture, answer)
  return function(request)
    return fixture.reply and fixture.reply(request.path, request) or answer
  end
end

local function base64(secret)
  local out = {}
  for key, value in pairs(secret or {}) do out[key] = digest.base64(value) end
  return out
end

--- A Canary as the view has it, with one metric of a template.
function provider.canary(metric)
  return { name = "app", namespace = "demo", provider = "istio", target = { name = "app", kind = "Deployment" },
    names = { apex = "app" }, analysis = { webhooks = {}, metrics = { provider.with({ name = "m", interval = "1m",
      templateRef = { name = "t" }, thresholdRange = { min = 0, max = 1000 } }, metric) } } }
end

--- The context of a tick whose cluster holds a template and its Secret. options: { kube = functions, metric = fields }.
function provider.tick(template, secret, options)
  options = options or {}
  local kube = provider.with({
    get = function(ref)
      if ref.kind == "MetricTemplate" then return template end
      if ref.kind == "Secret" and secret then return { data = base64(secret) } end
      return nil, "not found", "NOT_FOUND"
    end,
  }, options.kube)
  local gauges, sleeps = {}, {}
  return {
    canary = provider.canary(options.metric), name = "app", namespace = "demo", label = "app.demo",
    status = { phase = "Progressing" }, events = {}, now = provider.NOW, gauges = gauges, sleeps = sleeps,
    host = { kube = kube, http = http, settings = {}, getenv = options.getenv or function() return nil end,
      clock = { now = function() return provider.NOW end,
        sleep = function(seconds) sleeps[#sleeps + 1] = seconds end },
      metrics = { check = function(_, name, value) gauges[name] = value end, verdict = function() end } },
  }
end

local function tick_of(kind, fixture, address, change)
  fixture = provider.with(fixture, change)
  local secret, env = fixture.secret, fixture.env and fixture.env(address) or {}
  if type(secret) == "function" then secret = secret(address) end
  local fields = provider.with(fixture.provider, { secretRef = secret and { name = "login" } or "none" })
  if fixture.address ~= false then fields.address = address end
  fixture = provider.with(fixture, { getenv = function(name) return env[name] end })
  return provider.tick(provider.template(kind, fields, fixture.query), secret, fixture)
end

--- The verdict of a check on a fixture's template, asked over real HTTP of the server at `address`.
--- change: fields of the fixture; address = false leaves the template's out.
function provider.check(kind, fixture, address, change)
  local ctx = tick_of(kind, fixture, address, change)
  local passed, verdicts = T.run(function() return require("canary.analyse").run(ctx) end)
  return verdicts[1], passed, ctx
end

--- What is wrong with the provider, or nil, asked as `check` does.
function provider.offline(kind, fixture, address, change)
  local ctx = tick_of(kind, fixture, address, change)
  return T.run(function() return require("canary.analyse").offline(ctx) end)
end

return provider
