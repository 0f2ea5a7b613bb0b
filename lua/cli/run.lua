--- `serin run`: the engine on a cluster, until a signal ends it.

local flags = require("cli.flags")
local version = require("cli.version")

local run = {}

local function text(value)
  if value ~= "" then return value end
end

--- What engine.start takes, from the settings.
function run.options(settings)
  return {
    kubeconfig = text(settings.kubeconfig),
    master = text(settings.master),
    routes_kubeconfig = text(settings.kubeconfig_service_mesh),
    qps = settings.kubeconfig_qps,
    burst = settings.kubeconfig_burst,
    namespace = settings.namespace,
    port = settings.port,
    max_running = settings.max_ticks,
    log_level = settings.log_level,
    log_encoding = settings.zap_encoding,
  }
end

--- One line that says what was started.
function run.banner(settings)
  local build = require("build")
  return ("serin %s (%s) started: namespace %s, mesh provider %s, metrics server %s, port %d"):format(build.version,
    build.revision, text(settings.namespace) or "all", settings.mesh_provider, settings.metrics_server, settings.port)
end

local function start(settings, warnings, streams)
  local main, log = streams.main or require("main"), streams.log or require("log")
  local ok, message = main.start(settings, run.options(settings))
  for _, sentence in ipairs(warnings) do log.warn(sentence) end
  if not ok then
    streams.err:write("serin: cannot start: ", message, "\n")
    return 1
  end
  log.info(run.banner(settings))
  return nil
end

--- Returns an exit code, or nil when the loop shall run.
--- @param args table     a list of flags
--- @param streams table  out, err; also main and log where a spec puts its own
function run.run(args, streams)
  local warnings = {}
  local settings, message = flags.settings(args, function(sentence) warnings[#warnings + 1] = sentence end)
  if not settings then
    streams.err:write("serin: ", message, "\nserin run -help lists the flags\n")
    return 2
  end
  if settings.help then
    streams.out:write(flags.usage())
    return 0
  end
  if settings.version then
    streams.out:write(version.line())
    return 0
  end
  return start(settings, warnings, streams)
end

return run
