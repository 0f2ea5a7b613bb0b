--- `serin demo`: a good revision is promoted and a bad one rolled back, on the embedded cluster.
--
-- Everything but the cluster is the engine itself: it speaks HTTP to the embedded API server, on loopback,
-- at an accelerated clock.

local screen = require("cli.screen")

local demo = {}

local RATE = 20         -- virtual seconds in one of ours
local LIMIT = 1200      -- virtual seconds after which the demo has failed
local GOOD, BAD = "podinfo:6.0.1", "podinfo:6.0.2-err10"

local MANIFESTS = [[
apiVersion: v1
kind: Namespace
metadata: {name: demo}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: podinfo, namespace: demo, labels: {app: podinfo}}
spec:
  replicas: 2
  selector: {matchLabels: {app: podinfo}}
  template:
    metadata: {labels: {app: podinfo}, annotations: {sim/start-delay: 3s}}
    spec:
      containers: [{name: podinfo, image: "podinfo:6.0.0", ports: [{name: http, containerPort: 9898}]}]
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: podinfo, namespace: demo}
spec:
  provider: traefik
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  progressDeadlineSeconds: 60
  service: {port: 80, targetPort: http}
  analysis:
    interval: 10s
    threshold: 3
    maxWeight: 50
    stepWeight: 10
    metrics:
    - {name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}
    - {name: request-duration, thresholdRange: {max: 500}, interval: 30s}
]]

local function kubeconfig(port)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(([[
apiVersion: v1
kind: Config
clusters: [{name: demo, cluster: {server: "http://127.0.0.1:%d"}}]
users: [{name: demo, user: {token: demo}}]
contexts: [{name: demo, context: {cluster: demo, user: demo}}]
current-context: demo
]]):format(port))
  file:close()
  return path
end

local function settings(port)
  return require("cli.flags").settings({ "-metrics-server=http://127.0.0.1:" .. port, "-log-level=error",
    "-mesh-provider=traefik" }, function() end)
end

local function image_of(world, name)
  local object = world:get("Deployment", "demo", name)
  return object and object.spec.template.spec.containers[1].image
end

-- What has to be true before the next thing happens: { text, phase, image of the primary, action }
local function story(world)
  return {
    { said = "taking over podinfo 6.0.0", phase = "Initialized", primary = "podinfo:6.0.0",
      act = function() world:set_image("demo", "podinfo", GOOD) end },
    { said = "releasing 6.0.1, which is well", phase = "Succeeded", primary = GOOD,
      act = function() world:set_image("demo", "podinfo", BAD) end },
    { said = "releasing 6.0.2, which fails 10 % of its requests", phase = "Failed", primary = GOOD },
  }
end

--- Walks the story. `now` is { step =, entered = was the phase left since the step began }.
local function judge(world, chapter, state)
  local canary = world:get("Canary", "demo", "podinfo")
  local phase = canary and canary.status and canary.status.phase
  if phase == "Progressing" then state.ran = true end
  if phase == "Initialized" and state.step == 1 then state.ran = true end
  if not state.ran then return nil end
  if phase == chapter.phase then return image_of(world, "podinfo-primary") == chapter.primary end
  if phase == "Failed" or phase == "Succeeded" then return false end
end

local function say(live, text)
  io.stdout:write(live and ("\27[1m%s\27[0m\n"):format(text) or text .. "\n")
  io.stdout:flush()
end

local function recent_events(world)
  local out = {}
  for _, event in ipairs(world:events("demo")) do out[#out + 1] = event.message end
  return { table.unpack(out, math.max(1, #out - 3)) }
end

--- One drawing function for terminals, one for files.
local function drawer(world, live)
  local height, last, start = 0, nil, world.now
  return function(fresh)
    local canary = world:get("Canary", "demo", "podinfo")
    if not canary then return end
    if fresh then height = 0 end
    local traffic = { served = world.traffic.served, failed = world.traffic.lost }
    if live then
      height = screen.redraw(io.stdout, screen.lines(true, canary, world.now - start, traffic, recent_events(world)), height)
      return
    end
    local status = canary.status or {}
    local line = ("%s %s %s"):format(status.phase, status.canaryWeight, status.failedChecks)
    if line == last then return end
    last = line
    io.stdout:write(table.concat(screen.lines(false, canary, world.now - start, traffic, {}), "\n"), "\n")
    io.stdout:flush()
  end
end

local function finish(path, code, text)
  os.remove(path)
  io.stdout:write(text, "\n")
  require("engine").stop()
  require("engine").exit(code)
end

local function play(world, path, live)
  local chapters, state, start = story(world), { step = 1, ran = false }, world.now
  local draw, stop = drawer(world, live), nil
  say(live, chapters[1].said)
  stop = require("clock").every(RATE / 10, function()
    draw()
    local chapter = chapters[state.step]
    local good = judge(world, chapter, state)
    if good == false or world.now - start > LIMIT then
      stop()
      return finish(path, 1, ("serin demo: failed while %s"):format(chapter.said))
    end
    if not good then return end
    state.step, state.ran = state.step + 1, false
    if not chapters[state.step] then
      stop()
      return finish(path, 0, "serin demo: the good revision was promoted, the bad one was rolled back")
    end
    say(live, chapters[state.step].said)
    draw(true)
    chapter.act()
  end)
end

--- Starts the demo; the loop runs until it has ended. Exit code 0 when both revisions met their fate.
function demo.run()
  local clock, server = require("clock"), require("server")
  clock.rate(RATE)
  local world = require("sandbox.world").new({ start = clock.now() })
  local listening = assert(server.listen({ port = 0, handler = require("sandbox.http").handler(world) }))
  world:follow(clock)
  world:apply(MANIFESTS)
  local path = kubeconfig(listening:port())
  local ok, message = require("main").start(settings(listening:port()), { kubeconfig = path, qps = 1000, burst = 1000 })
  if not ok then
    os.remove(path)
    io.stderr:write("serin demo: ", message, "\n")
    return 1
  end
  play(world, path, os.execute("test -t 1") == true and os.getenv("TERM") ~= "dumb")
end

return demo
