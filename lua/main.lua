--- What the host may call, and how the lifecycle is wired to it.

local main = {}

local VERBS = { run = true, demo = true, version = true, sandbox = true }

local function usage()
  io.stderr:write("usage: serin run [flags] | demo | sandbox | version   (serin run -help lists the flags)\n")
  return 2
end

--- The command line. Returns an exit code, or nil when the loop shall run until engine.exit.
--- Arguments that begin with a flag mean `run`, so that Flagger's manifests start Serin unchanged.
function main.cli(argv)
  local verb = argv[1]
  if verb == nil then return usage() end
  local rest = { table.unpack(argv, 2) }
  if verb:sub(1, 1) == "-" then verb, rest = "run", argv end
  if not VERBS[verb] then
    io.stderr:write(("serin: unknown command %s\n"):format(verb))
    return usage()
  end
  return require("cli." .. verb).run(rest)
end

--- A counter in base 36 behind the time in microseconds: event names that never repeat.
local function unique_names(clock)
  local count = 0
  return function()
    count = (count + 1) % 46656
    return ("%x%04x"):format(math.floor(clock.now() * 1e6), count)
  end
end

--- The doors of the lifecycle to the world.
--- @param settings table  the parsed flags (cli.flags)
function main.host(settings)
  local clock, digest, engine = require("clock"), require("digest"), require("engine")
  local memories = {}
  return {
    kube = require("kube"),
    http = require("http"),
    clock = clock,
    log = require("log"),
    metrics = require("canary.gauges").new(require("exported")),
    settings = settings,
    random = digest.random,
    unique = unique_names(clock),
    spawn = engine.spawn,
    memory = function(namespace, name)
      local key = namespace .. "/" .. name
      memories[key] = memories[key] or {}
      return memories[key]
    end,
    forget = function(namespace, name) memories[namespace .. "/" .. name] = nil end,
  }
end

--- Starts the engine on a cluster. Returns true, or nil, message, CODE.
--- @param settings table  the parsed flags
--- @param options table   what engine.start takes beside the callbacks
function main.start(settings, options)
  local tick = require("canary.tick")
  local host = main.host(settings)
  require("kube").kinds(require("kube.kinds"))
  options.canary = { apiVersion = "flagger.app/v1beta1", kind = "Canary" }
  options.tick = function(namespace, name) return tick.run(host, namespace, name) end
  options.forget = function(namespace, name)
    host.metrics.forget(namespace, name)
    host.forget(namespace, name)
  end
  options.metrics = function() return require("exported").render() end
  return require("engine").start(options)
end

return main
