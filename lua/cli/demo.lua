--- `serin demo`: a good revision is promoted and a bad one rolled back, on the embedded cluster.
--
-- Everything but the cluster is the engine itself: it speaks HTTP to the embedded API server, on loopback, at an
-- accelerated clock.

local kubeconfig = require("cli.kubeconfig")
local story = require("cli.story")
local teller = require("cli.teller")

local demo = {}

local SPEED = 12   -- seconds of the demo's time in one of ours
local LIMIT = 600  -- seconds of the demo's time after which it has failed
local LOOK = 0.1   -- seconds of ours between looks

local USAGE = [[
usage: serin demo [--output text|json] [--speed N]

A good revision is promoted and a bad one rolled back, on the embedded cluster. The exit code is 0 if that came about.
  --output json   one JSON object per line, the last one is the verdict
  --speed N       how many times faster than the wall's its time passes, 1 to 50 (default 12)
]]

--- { output = "text"|"json", speed =, help = } of a command line, or nil and what is wrong with it.
function demo.parse(args)
  local options, index = { output = "text", speed = SPEED }, 1
  while args[index] do
    local name, equals, value = args[index]:match("^%-%-?([%a]+)(=?)(.*)$")
    if name == "h" or name == "help" then return { help = true } end
    if name == "o" then name = "output" end
    if name ~= "output" and name ~= "speed" then return nil, ("unknown argument %q"):format(args[index]) end
    if equals == "" then index, value = index + 1, args[index + 1] end
    options[name], index = value, index + 1
    if value == nil then return nil, ("--%s: expected a value"):format(name) end
  end
  if options.output ~= "text" and options.output ~= "json" then
    return nil, ("--output: expected text or json, found %q"):format(options.output)
  end
  local speed = tonumber(options.speed)
  if not speed or not (speed >= 1 and speed <= 50) then
    return nil, ("--speed: expected a number from 1 to 50, found %q"):format(options.speed)
  end
  options.speed = speed
  return options
end

--- How many columns the terminal behind `out` has; nil when there is none.
local function columns_of(out)
  if out ~= io.stdout or os.getenv("TERM") == "dumb" or not os.execute("test -t 1") then return nil end
  local pipe = io.popen("stty size 2>/dev/null </dev/tty")
  local size = pipe and pipe:read("l")
  if pipe then pipe:close() end
  local columns = math.tointeger(tonumber((size or ""):match("^%d+ (%d+)$"))) or 0
  return columns > 0 and columns or 80
end

local function teller_of(options, out)
  if options.output == "json" then return teller.json(out) end
  local columns = columns_of(out)
  return columns and teller.live(out, columns) or teller.plain(out)
end

--- Walks the story until it has ended: finish(code, text) is called once.
function demo.play(world, tell, finish)
  local state = { step = 0 }
  local function next_chapter()
    state.step, state.left = state.step + 1, false
    local chapter = story.chapters[state.step]
    if not chapter then
      local lost = math.ceil(world.traffic.lost)
      if lost > 0 then return finish(1, ("failed: %d requests were lost"):format(lost)) end
      return finish(0, story.good)
    end
    tell.chapter(chapter.said)
    chapter.act(world)
  end
  next_chapter()
  --- To be called again and again.
  return function()
    local chapter = story.chapters[state.step]
    if not chapter or state.over then return end
    tell.see(story.look(world))
    local good = story.judge(world, chapter, state)
    if good then return next_chapter() end
    if good == nil and world.now - world.start <= LIMIT then return end
    state.over = true
    local events = story.look(world).events
    finish(1, ("failed while %s; the last event: %s"):format(chapter.said, events[#events] or "none"))
  end
end

local function start_engine(world, streams)
  local listening, message = require("server").listen({ handler = require("sandbox.http").handler(world) })
  if not listening then return nil, message end
  local path
  path, message = kubeconfig.write(listening:port())
  if not path then return nil, message end
  local settings = require("cli.flags").settings({ "-metrics-server=http://127.0.0.1:" .. listening:port(),
    "-mesh-provider=traefik" }, function() end, function() end)
  local ok
  ok, message = (streams.main or require("main")).start(settings, { kubeconfig = path, qps = 1000, burst = 1000,
    log_level = "error" })
  if ok then return path end
  os.remove(path)
  return nil, message
end

--- Starts the demo. Returns an exit code, or nil when the loop shall run until it has ended.
--- @param streams table  out, err; also main where a spec puts its own
function demo.run(args, streams)
  local options, wrong = demo.parse(args)
  if not options then
    streams.err:write("serin demo: ", wrong, "\n", USAGE)
    return 2
  end
  if options.help then
    streams.out:write(USAGE)
    return 0
  end
  local clock, engine = require("clock"), require("engine")
  clock.rate(options.speed)
  local world = require("sandbox.world").new({ start = clock.now() })
  local path, message = start_engine(world, streams)
  if not path then
    streams.err:write("serin demo: ", message, "\n")
    return 1
  end
  world:follow(clock)
  local tell, ended = teller_of(options, streams.out), false
  local function finish(code, text)
    if ended then return end
    ended = true
    tell.verdict(code == 0, text, story.look(world))
    os.remove(path)
    engine.stop()
    engine.exit(code)
  end
  engine.on_signal(function() finish(130, "interrupted") end)
  clock.every(LOOK * options.speed, demo.play(world, tell, finish))
end

return demo
