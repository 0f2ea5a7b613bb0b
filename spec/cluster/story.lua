--- One canary on the real control plane: taken over, then released twice, recorded all the way.

local manifests = require("spec.cluster.manifests")
local object = require("util.object")
local support = require("spec.cluster.support")
local traffic = require("spec.cluster.traffic")

local story = {}

local methods = {}
local mt = { __index = methods }

local STATUS = "{.status.phase} {.status.canaryWeight} {.status.failedChecks} {.status.iterations}"

-- kind and name of the route, and its backends as "names weights", the weights of the last ones absent where they
-- are zero. No {range}: kubectl fills it once in a watch.
local function backends(kind, path, name, own)
  return { kind = kind, name = own or "app", path = ("{%s.%s} {%s.weight}"):format(path, name, path) }
end

local HTTPROUTE = backends("httproutes.gateway.networking.k8s.io", ".spec.rules[0].backendRefs[*]", "name")

local routes = {
  traefik = backends("traefikservices.traefik.io", ".spec.weighted.services[*]", "name"),
  gateway = HTTPROUTE, envoygateway = HTTPROUTE,
  istio = backends("virtualservices.networking.istio.io", ".spec.http[0].route[*]", "destination.host"),
  contour = backends("httpproxies.projectcontour.io", ".spec.routes[0].services[*]", "name"),
  replicas = { kind = "services", name = "app",
    path = [[app-canary {.metadata.annotations.serin\.dev/canary-weight}]] },
  ramp = backends("traefikservices.traefik.io", ".spec.weighted.services[*]", "name"),
  split = backends("ingressroutes.traefik.io", ".spec.routes[0].services[*]", "name"),
  nginx = { kind = "ingresses.networking.k8s.io", name = "app-canary",
    path = [[app-canary {.metadata.annotations.nginx\.ingress\.kubernetes\.io/canary-weight}]] },
}

-- What a story's name says of it: its provider, and the proxy it is carried by where that is not the Ingress.
local kinds = {
  traefik = { "traefik" }, gateway = { "gatewayapi:v1" }, nginx = { "nginx" }, contour = { "contour", "contour" },
  istio = { "istio", "istio" }, meshgateway = { "gatewayapi:v1 istio", "istio" },
  envoygateway = { "gatewayapi:v1 envoygateway", "envoygateway" },
  replicas = { "replicas" }, bluegreen = { "kubernetes" },
  ramp = { "traefik" }, split = { "ingressroute" }, hostile = { "traefik" }, stuck = { "traefik" },
  tenant = { "traefik" },
}
local proxies = { istio = os.getenv("ISTIO") or "http://127.0.0.1:8190",
  contour = os.getenv("CONTOUR") or "http://127.0.0.1:8180",
  envoygateway = os.getenv("ENVOYGATEWAY") or "http://127.0.0.1:8170" }

-- Which Prometheus reads the metrics of each Envoy; and how much is mirrored, in percent.
local values = { istioMetrics = os.getenv("ISTIO_PROMETHEUS") or "http://127.0.0.1:9092", mirrorWeight = 100,
  contourMetrics = os.getenv("CONTOUR_PROMETHEUS") or "http://127.0.0.1:9091" }

function methods:status()
  local live, message = support.get("canary", self.namespace, "app")
  return live and live.status or { phase = "unreadable: " .. tostring(message) }
end

function methods:wait_for(phase, seconds)
  support.wait_until(("%s is %s"):format(self.namespace, phase), seconds,
    function() return self:status().phase == phase end,
    function()
      return require("json").encode(self:status()) .. "\n" .. self:events()
    end)
end

function methods:events()
  return (support.run("kubectl", "-n", self.namespace, "get", "events", "--sort-by=.lastTimestamp",
    "--field-selector=involvedObject.kind=Canary", "-o", "jsonpath={range .items[*]}{.message}{\"\\n\"}{end}"))
end

local function address(namespace, service)
  return "http://" .. support.get("service", namespace, service).spec.clusterIP .. ":80/"
end

--- Waits until the proxy answers for this canary's host.
function methods:wait_for_proxy()
  support.wait_until(("%s serves %s"):format(self.url, self.host), 60, function()
    return select(2, support.run("curl", "-sf", "-m", "5", "-o", "/dev/null", "-H", "Host: " .. self.host, self.url))
  end)
end

--- The streams of requests that this canary lives with: of its users, and for blue/green of its testers as well.
function methods:open()
  local name = self.name
  if name == "bluegreen" then
    self.testers = traffic.start(name .. "-testers", address(self.namespace, "app-canary"), "", 40)
    self.users = traffic.start(name, address(self.namespace, "app"), "", 40)
  elseif name == "replicas" then -- what pods split are connections
    self.users = traffic.start(name, address(self.namespace, "app"), "", 200, true)
  else
    self:wait_for_proxy()
    self.users = traffic.start(name, self.url, self.host, 200)
  end
end

--- Ends the streams, that of the users once it has had `least` requests.
function methods:close(least)
  if self.testers then self.testers.stop() end
  self.users.stop(least)
end

function methods:image(deployment)
  return support.get("deployment", self.namespace, deployment).spec.template.spec.containers[1].image
end

--- Patches the target's image.
function methods:upgrade(image)
  support.kubectl("-n", self.namespace, "set", "image", "deployment/app", "app=" .. image)
end

--- The same, with users, and recorded. `wait_for` its end, `close` the streams; `report` tells.
function methods:release(image)
  self:open()
  self.primary_before = support.get("deployment", self.namespace, "app-primary")
  self.statuses = support.record("canary", self.namespace, "app", STATUS)
  local route = routes[self.name]
  if route then self.weights = support.record(route.kind, self.namespace, route.name, route.path) end
  support.sleep(1)
  self:upgrade(image)
end

-- "app-primary app-canary 80 20" -> 20, 100
local function canary_weight(line)
  local sum, weight, names, weights = 0, 0, {}, {}
  for word in line:gmatch("%S+") do
    local value = math.tointeger(tonumber(word))
    if value then weights[#weights + 1] = value else names[#names + 1] = word end
  end
  for index, name in ipairs(names) do
    local value = weights[index] or 0
    sum = sum + value
    if name:find("-canary", 1, true) then weight = value end
  end
  return weight, sum
end

local function distinct(lines, value_of)
  local out = {}
  for _, line in ipairs(lines) do
    local value = value_of(line)
    if value ~= out[#out] then out[#out + 1] = value end
  end
  return out
end

--- What happened in a release: phases, weights, sums, failed, traffic, primary.
function methods:report()
  if self.testers then self.testers.finish() end
  local run = { traffic = self.users.finish(), statuses = self.statuses.lines() }
  local lines = self.weights and self.weights.lines() or {}
  run.phases = distinct(run.statuses, function(line) return line:match("^(%S+)") end)
  run.weights = distinct(lines, function(line) return (canary_weight(line)) end)
  run.sums = distinct(lines, function(line) return select(2, canary_weight(line)) end)
  run.failed = math.max(0, table.unpack(distinct(run.statuses, function(line)
    return math.tointeger(tonumber(line:match("^%S+ %S+ (%d+)") or 0))
  end)))
  run.iterations = math.max(0, table.unpack(distinct(run.statuses, function(line)
    return math.tointeger(tonumber(line:match("(%-?%d+)$") or 0))
  end)))
  run.before, run.after = self.primary_before, support.get("deployment", self.namespace, "app-primary")
  run.image, run.events = self:image("app-primary"), self:events()
  self:stop()
  return run
end

function methods:stop()
  for _, recorder in ipairs({ self.statuses or false, self.weights or false }) do
    if recorder then recorder.stop() end
  end
  for _, stream in ipairs({ self.users or false, self.testers or false }) do
    if stream then stream.process.stop() end
  end
end

--- Annotates the Canary with what a person asks for.
function methods:ask(intent)
  support.kubectl("-n", self.namespace, "annotate", "--overwrite", "canary/app", "serin.dev/intent=" .. intent)
end

--- Applies the target and its Canary.
--- @param name string  traefik, gateway, nginx, contour, istio, meshgateway, envoygateway, replicas or bluegreen;
---   of the scripts: ramp, split, hostile, stuck or tenant
--- @param run string   makes the namespace's name unique
--- @param analysis string|nil  a key of manifests.analyses: "steps", or for blue/green "iterations"
function story.new(name, run, analysis)
  analysis = analysis or name == "bluegreen" and "iterations" or "steps"
  local self = setmetatable({ name = name, namespace = ("live-%s-%s-%s"):format(name, analysis, run) }, mt)
  self.host, self.url = self.namespace .. ".test", (proxies[kinds[name][2]] or os.getenv("INGRESS")) .. "/"
  local own = object.merged(values, { namespace = self.namespace, host = self.host })
  support.apply(manifests.fill(manifests.of(kinds[name][1], analysis), own))
  return self
end

return story
