--- The real program with -scripts, against the embedded cluster over HTTP: a release by a custom router and a custom
-- check that asks Prometheus.

local T = require("T")
local clock, server = require("clock"), require("server")
local kubeconfig = require("cli.kubeconfig")
local library = require("spec.support.library")
local manifests = require("spec.support.manifests")

local RATE = 20      -- virtual seconds in one of ours
local PATIENCE = 120 -- real seconds
local PROGRAM = (io.open("/proc/self/cmdline"):read("a"):match("^[^%z]+"):gsub("serin_test$", "serin"))

local CHECK = [[
return {
  name = "asks", api = 1, grants = { "prom" },
  run = function(ctx)
    local value, message = prom.query(nil, "vector(3)")
    if not value then return verdict.error{ rule = "an answer", message = message } end
    if value > %d then return verdict.fail{ value = value, rule = "less" } end
    return verdict.pass{ value = value, rule = "less", query = "vector(3)" }
  end,
}
]]

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function await(run, what, done)
  local deadline = os.time() + PATIENCE
  while not done() do
    assert(os.time() < deadline, what .. " did not happen:\n" .. read(run.log))
    T.spin(0.01)
  end
end

local function start(run)
  local command = "exec env SERIN_CLOCK_RATE=%d %s run -kubeconfig %s -metrics-server %s -port 0 -scripts %s >>%s 2>&1"
  local pipe = assert(io.popen(("sh -c '%s' & echo $!"):format(
    command:format(RATE, PROGRAM, run.config, run.url, run.dir, run.log))))
  run.pid = math.tointeger(tonumber(pipe:read("l")))
  pipe:close()
end

local function with_program(tell)
  clock.rate(RATE)
  local world = require("sandbox.world").new({ start = clock.now(), rate = 20 })
  local run = { world = world, log = os.tmpname(), dir = library.folder() }
  library.write(run.dir, "routers/weightfile.lua", read("examples/scripts/routers/weightfile.lua"))
  library.write(run.dir, "checks/asks.lua", CHECK:format(5))
  local listening = assert(server.listen({ port = 0, handler = require("sandbox.http").handler(world) }))
  run.url = "http://127.0.0.1:" .. listening:port()
  run.config = assert(kubeconfig.write(listening:port()))
  local unfollow = world:follow(clock)
  world:apply(manifests.deployment("app") .. manifests.canary("app", { provider = "weightfile",
    analysis = "interval: 10s, threshold: 2, maxWeight: 50, stepWeight: 25, metrics: "
      .. "[{name: m, script: {name: asks}}]" }))
  start(run)
  function run.status() return (world:get("Canary", "demo", "app") or {}).status or {} end
  tell(run)
  os.execute(("kill -9 %d 2>/dev/null"):format(run.pid))
  if unfollow then unfollow() end
  listening:close()
  clock.rate(1)
  os.remove(run.log)
  os.remove(run.config)
  library.clean()
  T.spin(0.02)
end

describe("serin run -scripts", function()
  it("promotes by the scripts of the folder, and takes a new version of one for the next release", function()
    with_program(function(run)
      await(run, "the initialisation", function() return run.status().phase == "Initialized" end)
      run.world:set_image("demo", "app", "podinfo:2")
      await(run, "the promotion", function() return run.status().phase == "Succeeded" end)
      assert.same({ "checks/asks.lua", "routers/weightfile.lua" },
        { run.status().scripts[1].name, run.status().scripts[2].name })
      library.write(run.dir, "checks/asks.lua", CHECK:format(2))
      local loaded = 0
      await(run, "the new version", function()
        loaded = select(2, read(run.log):gsub("script loaded: checks/asks.lua", ""))
        return loaded == 2
      end)
      run.world:set_image("demo", "app", "podinfo:3")
      await(run, "the rollback", function() return run.status().phase == "Failed" end)
    end)
  end)
end)
