--- What the host may call, and how the lifecycle is wired to it.

local main = {}

-- A verb is a file in lua/cli/.
local VERBS = {
  { "run", "work on the Canaries of a cluster; serin run -help lists its flags" },
  { "demo", "a release and a rollback on the embedded cluster" },
  { "sandbox", "the embedded cluster by itself, for kubectl and serin run; serin sandbox -help lists its flags" },
  { "check", "manifests and scripts looked at without a cluster" },
  { "render", "every object a Canary leads to, and what each step of a release writes" },
  { "simulate", "releases under stated traffic, in virtual time" },
  { "replay", "a recorded tape judged again, or a time range of a Prometheus" },
  { "test", "specs of your own scripts, and what must hold of any policy" },
  { "version", "which program this is; --output json for scripts" },
  { "help", "this text" },
}

--- What `serin help` prints.
function main.usage()
  local out = { "usage: serin COMMAND, or serin -FLAG... for serin run -FLAG...", "" }
  for _, verb in ipairs(VERBS) do out[#out + 1] = ("  %-9s %s"):format(verb[1], verb[2]) end
  return table.concat(out, "\n") .. "\n"
end

local function is_verb(word)
  for _, verb in ipairs(VERBS) do
    if verb[1] == word then return true end
  end
  return false
end

local function verbs()
  local out = {}
  for index, verb in ipairs(VERBS) do out[index] = verb[1] end
  return out
end

local function misused(err, text)
  err:write(text, main.usage())
  return 2
end

--- The command line. Returns an exit code, or nil when the loop shall run until engine.exit.
--- Arguments that begin with a flag mean `run`, so that Flagger's manifests start Serin unchanged.
--- @param streams table?  out, err: where to write; the process' own when the host calls
function main.cli(argv, streams)
  local verb, rest = argv[1], { table.unpack(argv, 2) }
  if not streams then
    if verb ~= "test" then require("util.strict").on(_G) end -- busted makes globals
    streams = { out = io.stdout, err = io.stderr }
  end
  if verb == nil then return misused(streams.err, "") end
  if verb == "help" or verb == "--help" then
    streams.out:write(main.usage())
    return 0
  end
  if verb:sub(1, 1) == "-" then verb, rest = "run", { table.unpack(argv) } end
  if not is_verb(verb) then
    local close = require("util.nearest").of(verb, verbs())
    local hint = close and (" (did you mean %s?)"):format(close) or ""
    return misused(streams.err, ("serin: unknown command %q%s\n"):format(verb, hint))
  end
  return require("cli." .. verb).run(rest, streams)
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
--- @param exported table  the registry of series (exported.new)
function main.host(settings, exported)
  local clock, digest, engine = require("clock"), require("digest"), require("engine")
  local memories = {}
  return {
    kube = require("kube"),
    http = require("http"),
    clock = clock,
    log = require("log"),
    script = require("script"),
    metrics = require("canary.gauges").new(exported),
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

--- The part in an election; a process that loses it ends, and is started anew.
function main.leader(settings)
  local digest, engine = require("digest"), require("engine")
  local name = os.getenv("HOSTNAME") or "serin"
  return require("kube.leader").new({
    kube = require("kube"), clock = require("clock"), log = require("log"),
    namespace = settings.namespace ~= "" and settings.namespace or settings.leader_election_namespace,
    identity = ("%s_%s"):format(name, digest.hex(digest.random(16))),
    lost = function() engine.exit(1) end,
  })
end

--- Takes part in the election once the engine has started, and gives the Lease up when a signal ends it.
local function elect(lead)
  local engine = require("engine")
  engine.spawn(function() lead:run() end)
  local ending = false
  engine.on_signal(function()
    if ending then return engine.exit(1) end
    ending = true
    engine.spawn(function()
      lead:release()
      engine.exit(0)
    end)
  end)
end

local LOOK = 2       -- seconds between two looks at the folders of scripts
local LONGEST = 120  -- seconds after which a look that has not ended is given up

--- The operator's scripts; nil without -scripts.
local function library_of(settings, host)
  if #settings.scripts == 0 then return nil end
  local names = {}
  for _, name in ipairs(settings.allow_shadow) do names[#names + 1] = name end
  return require("scripts.library").new({ host = host, folders = settings.scripts, allow_shadow = names,
    told = host.metrics.script })
end

--- Loads the scripts, and again when they change. A look that takes long is not overtaken by the next one.
local function follow(library)
  local engine, clock = require("engine"), require("clock")
  local since
  local function look()
    if since and clock.monotonic() < since + LONGEST then return end
    since = clock.monotonic()
    engine.spawn(function()
      library:load()
      since = nil
    end)
  end
  look()
  clock.every(LOOK, look)
end

--- Starts the engine on a cluster. Returns true, or nil, message, CODE.
--- @param settings table  the parsed flags
--- @param options table   what engine.start takes beside the callbacks
function main.start(settings, options)
  local tick = require("canary.tick")
  local exported = require("exported").new()
  local host = main.host(settings, exported)
  local _, muted = require("canary.receiver").of_flags(settings)
  if muted then host.log.error(muted) end
  host.metrics.info(require("build").version, settings.mesh_provider)
  require("kube").kinds(require("kube.kinds"))
  options.canary = { apiVersion = "flagger.app/v1beta1", kind = "Canary" }
  local lead = settings.enable_leader_election and main.leader(settings)
  host.library = library_of(settings, host)
  if settings.tape ~= "" then
    local bad
    host.tape, bad = require("cli.tape").open(settings.tape, settings.tape_megabytes << 20, host.log)
    if not host.tape then return nil, "flag -tape: " .. bad end
  end
  options.tick = function(namespace, name)
    if host.library and not host.library.loaded then return LOOK end
    if lead and not lead:held() then return require("kube.leader").retry end
    host.metrics.seen(namespace, name)
    return tick.run(host, namespace, name)
  end
  options.forget = function(namespace, name)
    host.metrics.forget(namespace, name)
    host.forget(namespace, name)
  end
  options.metrics = function()
    host.metrics.process(require("engine").stats())
    return exported:render()
  end
  local ok, message, code = require("engine").start(options)
  if ok and lead then elect(lead) end
  if ok and host.library then follow(host.library) end
  return ok, message, code
end

return main
