--- `serin replay`: a recorded tape judged again, or a time range of a Prometheus.

local args = require("cli.args")

local replay = {}

local USAGE = [==[
usage: serin replay TAPE [--output text|json] [--quiet]
       serin replay FILE --prometheus URL --from TIME --to TIME [--policy NAME [--params JSON]] [--output text|json]

The first form makes every verdict and decision of a tape (serin run -tape=TAPE) anew from the answers on it, and holds
each against what was made of it then, byte for byte. The exit code is 0 when all are the same, 1 when one is not.
The second form asks a Prometheus for the metrics of the Canary in the file at each moment of a time range at which a
check would have been made, and tells what the policy would have decided. 2 is the exit code of a wrong command line.
  --quiet                only what differs, and the summary
  --from, --to           2026-01-31T09:00:00Z, or seconds since 1970
  --policy NAME          in place of the policy of the Canary
  --mesh-provider NAME   the provider of a Canary that names none (default istio)
  --output json          one JSON object per line, the last one is the summary
]==]

local KNOWN = { output = args.OUTPUT, quiet = { kind = "flag" }, prometheus = { kind = "text" },
  from = { kind = "text" }, to = { kind = "text" }, policy = { kind = "text" }, params = { kind = "text" },
  ["mesh-provider"] = { kind = "text" } }

local LONGEST = 31 * 86400 -- seconds of a range

local function stamp(t) return require("util.rfc3339").format(t) end

local function counted(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end

local function summary(result)
  local text = ("%s and %s, %s"):format(counted(result.verdicts, "verdict"), counted(result.decisions, "decision"),
    result.different == 0 and "all the same" or ("%d not the same"):format(result.different))
  if result.skipped > 0 then text = text .. (", %d that cannot be made anew"):format(result.skipped) end
  if result.full then text = text .. "; the tape was full" end
  return text
end

local function write_json(result, options, out)
  local json = require("json")
  for _, line in ipairs(result.lines) do
    if not options.quiet or line.now or line.skipped then out:write(json.encode(line), "\n") end
  end
  out:write(json.encode({ kind = "summary", verdicts = result.verdicts, decisions = result.decisions,
    hooks = result.hooks, different = result.different, skipped = result.skipped, full = result.full or false,
    text = summary(result) }), "\n")
end

local function write_text(result, options, out)
  for _, line in ipairs(result.lines) do
    local head = ("%s  %s  "):format(stamp(line.at or 0), line.canary)
    if line.skipped then
      out:write(head, ("%s cannot be made anew: %s\n"):format(line.kind, line.skipped))
    elseif line.now then
      out:write(head, line.text, "\n", ("  then %s\n  now  %s\n"):format(line.was, line.now))
    elseif not options.quiet then
      out:write(head, line.text, "\n")
    end
  end
  out:write(summary(result), "\n")
end

local function of_tape(path, options, streams)
  local file, message = io.open(path, "rb")
  if not file then
    streams.err:write("serin replay: ", message, "\n")
    return 2
  end
  local result
  result, message = require("offline.tape_replay").run(file:lines())
  file:close()
  if not result then
    streams.err:write(("serin replay: %s: %s\n"):format(path, message))
    return 1
  end
  local write = options.output == "json" and write_json or write_text
  write(result, options, streams.out)
  return result.different == 0 and 0 or 1
end

local function time_of(name, text)
  if not text then return nil, ("--%s: expected a value"):format(name) end
  local seconds = tonumber(text) or require("util.rfc3339").parse(text)
  if seconds and seconds == seconds and seconds >= 0 and seconds < 1e11 then return seconds + 0.0 end
  return nil, ("--%s: expected a time like 2026-01-31T09:00:00Z, found %q"):format(name, text)
end

--- From and to of the command line, or nil and a message.
local function range_of(options)
  local from, message = time_of("from", options.from)
  if not from then return nil, message end
  local to
  to, message = time_of("to", options.to)
  if not to then return nil, message end
  if to <= from or to - from > LONGEST then
    return nil, "--to: expected a time after --from, at most 31 days, found " .. options.to
  end
  return { from, to }
end

local function policy_of(options, canary)
  local own = canary.analysis.policy
  if not options.policy then return { name = own.name, params = own.params } end
  if not options.params then return { name = options.policy } end
  local given, message = require("json").decode(options.params)
  if type(given) == "table" then return { name = options.policy, params = given } end
  return nil, "--params: expected a JSON object, found " .. (message or options.params)
end

local function prepare(options)
  local range, message = range_of(options)
  if not range then return nil, message, 2 end
  if not require("metrics.address").split(options.prometheus) then
    return nil, ("--prometheus: expected a URL like http://prometheus:9090, found %q"):format(options.prometheus), 2
  end
  local given, why, code = require("cli.render").open(options)
  if not given then return nil, why, code end
  if #given.canaries > 1 then return nil, "expected one Canary in the file, found several", 1 end
  local canary = require("canary.view").of(given.canaries[1], given.settings)
  local policy
  policy, message = policy_of(options, canary)
  if not policy then return nil, message, 2 end
  message = require("offline.quick").unfit(canary, policy, given.settings)
  if message then return nil, message, 1 end
  local templates = {}
  for _, object in ipairs(given.others) do
    if object.kind == "MetricTemplate" then
      templates[object.metadata.namespace .. "/" .. object.metadata.name] = object
    end
  end
  return { canary = canary, options = { settings = given.settings, templates = templates, policy = policy,
    base = options.prometheus:gsub("/+$", ""), from = range[1], to = range[2], ask = require("http").request } }
end

local function check_text(item)
  local more = item.value ~= nil and (" (%.6g)"):format(item.value) or ""
  if item.verdict == "error" then more = ": " .. tostring(item.message) end
  return ("%s %s%s"):format(item.name, item.verdict, more)
end

local function write_range(result, options, streams)
  local json = require("json")
  for _, step in ipairs(result.steps) do
    if options.output == "json" then
      local checks = json.array()
      for index, item in ipairs(step.checks) do checks[index] = item end
      step.checks, step.at = checks, stamp(step.t)
      streams.out:write(json.encode(require("util.finite").pack(step)), "\n")
    else
      local parts = { stamp(step.t), ("%3d %%"):format(step.weight), step.action }
      for _, item in ipairs(step.checks) do parts[#parts + 1] = check_text(item) end
      streams.out:write(table.concat(parts, "  "), "\n")
    end
  end
  if options.output == "json" then
    streams.out:write(json.encode({ outcome = result.outcome, at = stamp(result.time) }), "\n")
  else
    streams.out:write(("%s at %s\n"):format(result.outcome, stamp(result.time)))
  end
  return 0
end

local function fail(streams, message, code)
  streams.err:write("serin replay: ", message, "\n")
  return code
end

local function of_range(options, streams)
  local work, message, code = prepare(options)
  if not work then return fail(streams, message, code) end
  local job = streams.job or require("cli.job").start
  return job(function()
    local result, why = require("offline.range_replay").run(work.canary, work.options)
    if not result then return fail(streams, why, 1) end
    return write_range(result, options, streams)
  end)
end

--- Returns an exit code, or nil when the loop shall run until a Prometheus was asked.
function replay.run(argv, streams)
  local options, code = args.open("replay", argv, KNOWN, USAGE, streams)
  if not options then return code end
  if #options.files ~= 1 then return select(2, args.misused("replay", "expected one file", USAGE, streams)) end
  if options.prometheus then return of_range(options, streams) end
  for _, name in ipairs({ "from", "to", "policy", "params" }) do
    if options[name] then return select(2, args.misused("replay", ("--%s: expected --prometheus with it"):format(name),
      USAGE, streams)) end
  end
  return of_tape(options.files[1], options, streams)
end

return replay
