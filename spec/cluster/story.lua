--- One canary on the real control plane: taken over, then released twice, recorded all the way.

local manifests = require("spec.cluster.manifests")
local support = require("spec.cluster.support")
local traffic = require("spec.cluster.traffic")

local story = {}

local methods = {}
local mt = { __index = methods }

local STATUS = "{.status.phase} {.status.canaryWeight} {.status.failedChecks} {.status.iterations}"

-- kind of the route, and its backends as "names weights". No {range}: kubectl fills it once in a watch.
local routes = {
  traefik = { "traefikservices.traefik.io", ".spec.weighted.services[*]", "name" },
  gateway = { "httproutes.gateway.networking.k8s.io", ".spec.rules[0].backendRefs[*]", "name" },
  istio = { "virtualservices.networking.istio.io", ".spec.http[0].route[*]", "destination.host" },
}

local function weights_path(route)
  return ("{%s.%s} {%s.weight}"):format(route[2], route[3], route[2])
end

function methods:status()
  local object, message = support.get("canary", self.namespace, "app")
  return object and object.status or { phase = "unreadable: " .. tostring(message) }
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

--- The streams of requests that this canary lives with: of its users, and for blue/green of its testers as well.
function methods:open()
  local name = self.name
  if name == "bluegreen" then
    self.testers = traffic.start(name .. "-testers", address(self.namespace, "app-canary"), "", 40)
    self.users = traffic.start(name, address(self.namespace, "app"), "", 40)
  elseif name ~= "istio" then
    local url = os.getenv("INGRESS") .. "/"
    support.wait_until("the ingress serves " .. self.host, 60, function()
      return select(2, support.run("curl", "-sf", "-m", "5", "-o", "/dev/null", "-H", "Host: " .. self.host, url))
    end)
    self.users = traffic.start(name, url, self.host, 200)
  end
end

function methods:close(least)
  if self.testers then self.testers.finish() end
  return self.users and self.users.finish(least)
end

function methods:image(deployment)
  return support.get("deployment", self.namespace, deployment).spec.template.spec.containers[1].image
end

--- Patches the target's image and starts to record. The end is waited for with `settle`.
function methods:release(image)
  self:open()
  self.primary_before = support.get("deployment", self.namespace, "app-primary")
  self.statuses = support.record("canary", self.namespace, "app", STATUS)
  local route = routes[self.name]
  if route then self.weights = support.record(route[1], self.namespace, "app", weights_path(route)) end
  support.sleep(1)
  support.kubectl("-n", self.namespace, "set", "image", "deployment/app", "app=" .. image)
end

-- "app-primary app-canary 80 20" -> 20, 100
local function canary_weight(line)
  local sum, weight, all = 0, 0, {}
  for word in line:gmatch("%S+") do all[#all + 1] = word end
  local half = #all // 2
  for index = 1, half do
    local value = math.tointeger(tonumber(all[index + half])) or 0
    sum = sum + value
    if all[index]:find("-canary", 1, true) then weight = value end
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

--- Waits for the end of a release. Gives what happened: phases, weights, sums, failed, traffic, primary.
function methods:settle(phase, seconds, least)
  self:wait_for(phase, seconds)
  support.sleep(2)
  local run = { traffic = self:close(least), statuses = self.statuses.lines() }
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

--- Applies the target and its Canary.
--- @param name string  traefik, gateway, bluegreen or istio
--- @param run string   makes the namespace's name unique
function story.new(name, run)
  local self = setmetatable({ name = name, namespace = ("live-%s-%s"):format(name, run) }, mt)
  self.host = self.namespace .. ".test"
  support.apply(manifests.fill(manifests.target .. manifests[name], { namespace = self.namespace, host = self.host }))
  return self
end

return story
