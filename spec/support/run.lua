--- The engine in this process against spec.support.api: started, awaited, stopped, with nothing left behind.

local T = require("T")
local api = require("spec.support.api")
local clock, engine, kube = require("clock"), require("engine"), require("kube")

local run = {}

local PATIENCE = tonumber(os.getenv("SERIN_PATIENCE") or 20) -- seconds after which something that must happen has not

run.CANARY = { apiVersion = "flagger.app/v1beta1", kind = "Canary" }

function run.canary(name, spec)
  return { apiVersion = "flagger.app/v1beta1", kind = "Canary", metadata = { namespace = "d", name = name },
    spec = spec or { n = 1 } }
end

function run.service(name, spec)
  return { apiVersion = "v1", kind = "Service", metadata = { namespace = "d", name = name }, spec = spec or { n = 1 } }
end

function run.secret(name, data)
  return { apiVersion = "v1", kind = "Secret", metadata = { namespace = "d", name = name }, data = data }
end

function run.ref(kind, name, namespace)
  return { apiVersion = kind == "Canary" and "flagger.app/v1beta1" or "v1", kind = kind, name = name,
    namespace = namespace or "d" }
end

--- Lets the loop run until `condition` is true.
function run.await(condition, what)
  local deadline = os.time() + PATIENCE
  while not condition() do
    if os.time() > deadline then error("did not happen: " .. (what or "?"), 2) end
    T.spin(0.002)
  end
end

--- Lets everything that is on its way arrive.
function run.settle()
  for _ = 1, 10 do T.spin(0.005) end
end

--- A started engine: { api =, ticks = { {namespace, name, cause}... }, forgotten = { ... } }.
--- options: tick, and whatever engine.start takes; objects = { {plural, object}... }, plurals.
function run.start(options)
  options = options or {}
  local self = { api = options.api or api.new(options.plurals or { "canaries", "services", "secrets", "events" }),
    ticks = {}, forgotten = {} }
  for _, pair in ipairs(options.objects or {}) do self.api:put(pair[1], pair[2]) end
  kube.kinds({
    { apiVersion = "flagger.app/v1beta1", kind = "Canary", plural = "canaries", always = true },
    { apiVersion = "v1", kind = "Service", plural = "services" },
    { apiVersion = "v1", kind = "Secret", plural = "secrets", metadata = true },
  })
  local tick = options.tick or function() end
  assert(engine.start({
    kubeconfig = self.api.path, qps = 1000, burst = 1000, canary = run.CANARY, port = options.port,
    max_running = options.max_running, namespace = options.namespace, metrics = options.metrics,
    routes_kubeconfig = options.routes_kubeconfig,
    tick = function(namespace, name, cause)
      self.ticks[#self.ticks + 1] = { namespace = namespace, name = name, cause = cause }
      return tick(namespace, name, cause, #self.ticks)
    end,
    forget = function(namespace, name) self.forgotten[#self.forgotten + 1] = namespace .. "/" .. name end,
  }))
  run.current = self
  return self
end

--- The causes of the ticks of one Canary, in order.
function run.causes(self, name)
  local out = {}
  for _, tick in ipairs(self.ticks) do
    if tick.name == name then out[#out + 1] = tick.cause end
  end
  return out
end

--- For after_each: stops, and forgets the clock's rate.
function run.stop()
  engine.stop()
  clock.rate(1)
  if run.current then
    run.current.api:close()
    os.remove(run.current.api.path)
  end
  run.current = nil
  T.spin(0.01)
end

return run
