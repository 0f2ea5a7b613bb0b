--- `serin check`: manifests and scripts looked at without a cluster.

local args = require("cli.args")

local check = {}

local USAGE = [[
usage: serin check [--output text|json] [--scripts DIR]... [--mesh-provider NAME] [--allow-missing] FILE...

Looks at Canaries, MetricTemplates, AlertProviders (YAML, several documents) and scripts (*.lua in a folder of their
kind) without a cluster. "-" is the standard input. The exit code is 0 without findings, 1 with, 2 for a wrong
command line.
  --output json         one JSON object with all findings
  --scripts DIR         a folder of scripts that manifests may name, as of serin run
  --mesh-provider NAME  the provider of a Canary that names none (default istio)
  --allow-missing       what is referred to need not be among the files
]]

local KNOWN = { output = args.OUTPUT, scripts = { kind = "text", list = true }, ["mesh-provider"] = { kind = "text" },
  ["allow-missing"] = { kind = "flag" } }

local function sorted(map)
  local out = {}
  for key in pairs(map) do out[#out + 1] = key end
  table.sort(out)
  return out
end

local function counted(count, one, many)
  return ("%d %s"):format(count, count == 1 and one or many or one .. "s")
end

local function summary(result)
  local errors, notes, skipped = 0, 0, {}
  for _, finding in ipairs(result.findings) do
    if finding.severity == "error" then errors = errors + 1 else notes = notes + 1 end
  end
  for _, kind in ipairs(sorted(result.skipped)) do
    skipped[#skipped + 1] = ("%d %s"):format(result.skipped[kind], kind)
  end
  local line = ("%s checked, %s"):format(counted(result.checked, "object"), counted(errors, "finding"))
  if result.scripts > 0 then line = counted(result.scripts, "script") .. " and " .. line end
  if notes > 0 then line = line .. ", " .. counted(notes, "note") end
  if #skipped > 0 then line = line .. "; not looked at: " .. table.concat(skipped, ", ") end
  return line, errors
end

local function line_of(finding)
  local place = finding.line and ("%s:%d"):format(finding.file, finding.line) or finding.file
  local parts = { place }
  if finding.severity == "note" then parts[#parts + 1] = "note" end
  if finding.object ~= "" then parts[#parts + 1] = finding.object end
  if finding.field ~= "" then parts[#parts + 1] = finding.field end
  parts[#parts + 1] = finding.message
  return table.concat(parts, ": ") .. "\n"
end

local function write(result, options, out)
  local line, errors = summary(result)
  if options.output == "json" then
    local json = require("json")
    local findings = json.array()
    for index, finding in ipairs(result.findings) do findings[index] = finding end
    out:write(json.encode({ findings = findings, checked = result.checked, scripts = result.scripts,
      skipped = result.skipped, errors = errors, summary = line }), "\n")
  else
    for _, finding in ipairs(result.findings) do out:write(line_of(finding)) end
    out:write(line, "\n")
  end
  return errors > 0 and 1 or 0
end

local function read_all(paths)
  local reader = require("offline.files")
  local manifests, sources = {}, {}
  for _, path in ipairs(paths) do
    local text, message = reader.read(path)
    if not text then return nil, nil, message end
    local list = path:find("%.lua$") and sources or manifests
    list[#list + 1] = { path = path, text = text }
  end
  return manifests, sources
end

local function settings_of(options)
  return require("cli.flags").settings({ "-mesh-provider=" .. (options["mesh-provider"] or "istio") }, function() end,
    function() end)
end

--- What is looked at is looked at in this: the flags, and the scripts of --scripts. Waits where there are some.
local function world_of(options, script)
  local world = { settings = settings_of(options), allow_missing = options["allow-missing"] }
  if not options.scripts then return world end
  local message
  world.library, message = require("offline.scripts").library(script, options.scripts)
  if not world.library then return nil, message end
  return world
end

--- Waits where there are scripts, whose headers are asked of in workers.
local function look(manifests, sources, world, script)
  local result = require("offline.manifests").check(manifests, world)
  result.scripts = #sources
  for _, item in ipairs(sources) do
    for _, finding in ipairs(require("offline.scripts").check({ script = script }, item.path, item.text)) do
      result.findings[#result.findings + 1] = finding
    end
  end
  return result
end

--- Returns an exit code, or nil when the loop shall run until the scripts were looked at.
--- @param streams table  out, err; also `script` (the module) and `job` = function(fn) that runs fn where it may wait,
---   where a spec puts its own
function check.run(argv, streams)
  local options, code = args.open("check", argv, KNOWN, USAGE, streams)
  if not options then return code end
  if #options.files == 0 then return select(2, args.misused("check", "expected a file", USAGE, streams)) end
  local script = streams.script or require("script")
  local manifests, sources, message = read_all(options.files)
  if not manifests then return select(2, args.misused("check", message, USAGE, streams)) end
  local function work()
    local world, wrong = world_of(options, script)
    if not world then return select(2, args.misused("check", wrong, USAGE, streams)) end
    return write(look(manifests, sources, world, script), options, streams.out)
  end
  if #sources == 0 and not options.scripts then return work() end
  return (streams.job or require("cli.job").start)(work, streams.err)
end

return check
