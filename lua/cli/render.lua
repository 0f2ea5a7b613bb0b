--- `serin render`: every object that a Canary leads to, and what each step of a release writes.

local args = require("cli.args")

local render = {}

local USAGE = [[
usage: serin render [--output yaml|json] [--status] [--scripts DIR]... [--mesh-provider NAME] [--selector-labels LIST]
                    FILE...

Runs the lifecycle of each Canary in the files on the embedded cluster, with checks that pass and webhooks that agree,
and prints every object it creates and every patch it sends, in order. What a Canary refers to is taken from the files,
or made up in its plainest form, which is said on the standard error. The exit code is 0 when every release came to its
end, 1 when one did not, 2 for a wrong command line.
  --output json           one JSON object for each Canary
  --status                what is written to the Canary itself, too
  --scripts DIR           a folder of scripts that the Canary may name, as of serin run; they are not confined here
  --mesh-provider NAME    the provider of a Canary that names none (default istio)
  --selector-labels LIST  as of serin run
]]

local KNOWN = { output = { kind = "word", "yaml", "json" }, status = { kind = "flag" },
  scripts = { kind = "text", list = true },
  ["mesh-provider"] = { kind = "text" }, ["selector-labels"] = { kind = "text" } }

--- Two digits of minutes and seconds, hours before them where there are any.
function render.clock(seconds)
  local whole = math.floor(seconds)
  local text = ("%02d:%02d"):format(whole // 60 % 60, whole % 60)
  return whole >= 3600 and ("%d:%s"):format(whole // 3600, text) or text
end

local function step_of(write)
  local text = ("%s, weight %g"):format(write.phase, write.weight)
  if write.iterations > 0 then text = text .. (", iteration %d"):format(write.iterations) end
  return text
end

local function write_yaml(result, options, out)
  local text, last = require("offline.yaml_text"), nil
  for _, write in ipairs(result.writes) do
    if options.status or not write.own then
      local step = step_of(write)
      if step ~= last then out:write(("# %s  %s\n"):format(render.clock(write.at), step)) end
      last = step
      out:write("---\n")
      if write.verb == "create" then
        out:write(("# create %s %s/%s\n"):format(write.kind, write.namespace or "", write.name), text.of(write.body))
      else
        out:write(("# %s %s %s/%s (%s)\n"):format(write.verb, write.kind, write.namespace or "", write.name,
          write.apiVersion))
        if write.body then out:write(text.of(write.body)) end
      end
    end
  end
end

local function write_json(canary, result, options, out)
  local json = require("json")
  local writes = json.array()
  for _, write in ipairs(result.writes) do
    if options.status or not write.own then
      writes[#writes + 1] = { at = write.at, phase = write.phase, weight = write.weight, iterations = write.iterations,
        verb = write.verb, apiVersion = write.apiVersion, kind = write.kind, namespace = write.namespace,
        name = write.name, body = write.body }
    end
  end
  local notes = json.array()
  for index, note in ipairs(result.notes) do notes[index] = note end
  out:write(json.encode({ canary = canary.metadata.namespace .. "/" .. canary.metadata.name, outcome = result.outcome,
    message = result.message, changed = result.changed, notes = notes, writes = writes }), "\n")
end

--- Walks one Canary. True when it was promoted.
local function one(canary, objects, options, streams)
  local label = ("%s/%s"):format(canary.metadata.namespace, canary.metadata.name)
  local result, message = require("offline.walk").run(canary, objects, { settings = options.settings,
    scripts = options.scripts })
  if not result then
    streams.err:write(("serin render: Canary %s: %s\n"):format(label, message))
    return false
  end
  for _, note in ipairs(result.notes) do streams.err:write(("serin render: %s: note: %s\n"):format(label, note)) end
  if options.output == "json" then
    write_json(canary, result, options, streams.out)
  else
    write_yaml(result, options, streams.out)
  end
  if result.outcome == "Succeeded" then return true end
  streams.err:write(("serin render: Canary %s: the release did not come to its end: %s\n"):format(label,
    result.message or "phase " .. tostring(result.outcome)))
  return false
end

--- Settings, Canaries and the other objects of a command line; or nil, message, exit code.
function render.open(options)
  local flags = { "-mesh-provider=" .. (options["mesh-provider"] or "istio") }
  if options["selector-labels"] then flags[#flags + 1] = "-selector-labels=" .. options["selector-labels"] end
  local settings, message = require("cli.flags").settings(flags, function() end, function() end)
  if not settings then return nil, message, 2 end
  if options.scripts then
    local ok, unreadable = require("offline.scripts").readable(options.scripts)
    if not ok then return nil, unreadable, 2 end
  end
  local objects, why, code = require("offline.objects").read(options.files)
  if not objects then return nil, why, code end
  objects.settings = settings
  return objects
end

--- Returns the exit code.
function render.run(argv, streams)
  local options, code = args.open("render", argv, KNOWN, USAGE, streams)
  if not options then return code end
  if #options.files == 0 then return select(2, args.misused("render", "expected a file", USAGE, streams)) end
  local given, message
  given, message, code = render.open(options)
  if not given then
    streams.err:write("serin render: ", message, "\n")
    return code
  end
  options.settings = given.settings
  local good = true
  for _, canary in ipairs(given.canaries) do good = one(canary, given.others, options, streams) and good end
  return good and 0 or 1
end

return render
