--- The real program, `serin run`, against the embedded cluster over HTTP, killed with signal 9 at each of its writes
--- and started again: what is left in the end is what an undisturbed one leaves.

local T = require("T")
local clock, server = require("clock"), require("server")
local kubeconfig = require("cli.kubeconfig")
local recorded = require("spec.support.recorded")
local stories = require("spec.support.stories")

local RATE = 40      -- virtual seconds in one of ours
local PATIENCE = 120 -- real seconds that one release may take
local PROGRAM = (io.open("/proc/self/cmdline"):read("a"):match("^[^%z]+"):gsub("serin_test$", "serin"))

local function start(run)
  local command = "exec env SERIN_CLOCK_RATE=%d %s run -kubeconfig %s -metrics-server %s -port 0 >>%s 2>&1"
  local pipe = assert(io.popen(("sh -c '%s' & echo $!"):format(
    command:format(RATE, PROGRAM, run.config, run.url, run.log))))
  run.pid = math.tointeger(tonumber(pipe:read("l")))
  pipe:close()
end

local function kill(run)
  os.execute(("kill -9 %d"):format(run.pid))
  run.deaths = run.deaths + 1
end

--- Lets the release happen; the engine dies at write `n` (none for 0), before or after it took effect.
local function play(story, n, moment)
  clock.rate(RATE)
  local world = require("sandbox.world").new({ start = clock.now(), rate = 20 })
  local run = { world = world, log = os.tmpname(), deaths = 0, writes = 0 }
  local listening = assert(server.listen({ port = 0, handler = require("sandbox.http").handler(world) }))
  run.url = "http://127.0.0.1:" .. listening:port()
  run.config = assert(kubeconfig.write(listening:port()))
  world.api.fault = function(call)
    if not call.write then return nil end
    run.writes = run.writes + 1
    if run.writes ~= n then return nil end
    kill(run)
    run.again = true
    return { [moment] = "reset" }
  end
  local unfollow = world:follow(clock)
  world:apply(story.input)
  start(run)

  local function await(what, done)
    local deadline = os.time() + PATIENCE
    while not done() do
      assert(os.time() < deadline, what .. " did not happen; see " .. run.log)
      T.spin(0.01)
      if run.again then
        run.again = false
        start(run)
      end
    end
  end

  local function phase()
    local canary = world:get("Canary", "demo", "app")
    return canary and canary.status and canary.status.phase
  end
  local function settled()
    local canary = world:get("Canary", "demo", "app")
    return phase() == story.ends and canary.status.waiting == nil
      and world:get("Deployment", "demo", "app").spec.replicas == 0
  end
  await("the initialisation", function() return phase() == "Initialized" end)
  story.change(run)
  await("the end", settled)
  T.spin(0.3)
  os.execute(("kill -9 %d 2>/dev/null"):format(run.pid))
  if unfollow then unfollow() end
  listening:close()
  clock.rate(1)
  os.remove(run.log)
  os.remove(run.config)
  T.spin(0.02)
  return run
end

for _, story in ipairs({ stories.list[1], stories.list[2] }) do
  describe("kill -9 in the release " .. story.name, function()
    local calm, writes

    lazy_setup(function()
      local run = play(story, 0)
      calm, writes = stories.remains(run), run.writes
    end)

    for _, moment in ipairs({ "before", "after" }) do
      it(("%s each write ends as if nothing had happened"):format(moment), function()
        local runs, deaths = 0, 0
        for n = moment == "before" and 1 or 2, writes, 2 do
          local run = play(story, n, moment)
          local when = ("killed %s write %d of %d"):format(moment, n, writes)
          assert.same({}, recorded.compare(calm, stories.remains(run)), when)
          runs, deaths = runs + 1, deaths + run.deaths
        end
        -- Real time decides how many steps of a roll-out are reported, so a run may have some writes fewer than the
        -- calm one had; it then ends before write n.
        assert.is_true(deaths >= 0.8 * runs and deaths <= runs, ("%d deaths in %d runs"):format(deaths, runs))
      end)
    end
  end)
end
