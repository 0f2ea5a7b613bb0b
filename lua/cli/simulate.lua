--- `serin simulate`: releases under stated traffic, in virtual time.

local args = require("cli.args")
local report = require("cli.simulate_report")

local simulate = {}

local USAGE = [[
usage: serin simulate FILE --traffic SPEC [--runs N] [--seed S] [--policy NAME]... [--limit D] [--scripts DIR]...
                      [--output text|json]

Releases the Canary of the file in virtual time, under stated error rates, latencies and outages. One release is made
on the embedded cluster and told as a timeline; with --runs N or --policy, N releases are drawn for the rates. The exit
code is 0, 1 when the Canary cannot be released, 2 for a wrong command line.
  --traffic SPEC          words, or a file with them: rps=50 tests=0 errors=1% canary.errors=2% primary.errors=1%
                          canary.latency=120ms metric.NAME=0.5 prometheus=down:5m..8m hooks=down:5m..8m at=10m
                          canary.errors=20% (docs/simulate.md)
  --runs N                releases that are drawn, 1 to 1000000 (default 1: the timeline alone)
  --seed S                other draws (default 1)
  --policy NAME           in place of the policy of the Canary; several are compared on the same traffic
  --params JSON           of the policy named before it
  --limit D               a release that has no verdict then is undecided (default 24h)
  --scripts DIR           a folder of scripts that the Canary may name, as of serin run; they are not confined here
  --cluster               make every release on the embedded cluster; slow
  --no-timeline           the rates alone
  --mesh-provider NAME    the provider of a Canary that names none (default istio)
  --output json           one JSON object
]]

local KNOWN = {
  traffic = { kind = "text" }, runs = { kind = "number", 1, 1000000, whole = true },
  seed = { kind = "number", 0, 2 ^ 53, whole = true }, policy = { kind = "text", list = true },
  params = { kind = "text", list = true }, scripts = { kind = "text", list = true },
  limit = { kind = "text" }, cluster = { kind = "flag" },
  ["no-timeline"] = { kind = "flag" }, ["mesh-provider"] = { kind = "text" }, output = args.OUTPUT,
}

--- The words of --traffic, or of the file that it names.
local function traffic_of(text)
  local source = text
  if not text:find("=", 1, true) then
    local file, message = io.open(text, "rb")
    if not file then return nil, "--traffic: expected words like rps=50 or a file, found " .. message end
    source = file:read(1 << 16)
    file:close()
  end
  local segments, message = require("offline.stated_traffic").parse(source or "")
  return segments, message and "--traffic: " .. message
end

--- The policies to compare: { { name, params? } ... }; the n-th --params belongs to the n-th --policy.
local function policies_of(options, own)
  local json, out = require("json"), {}
  local texts = options.params or {}
  for index, name in ipairs(options.policy or {}) do
    local given, message
    if texts[index] and texts[index] ~= "" then
      given, message = json.decode(texts[index])
      if type(given) ~= "table" then
        return nil, "--params: expected a JSON object, found " .. (message or texts[index])
      end
    end
    out[index] = { name = name, params = given }
  end
  if #texts > #out then return nil, "--params: expected a --policy before it" end
  if #out == 0 then out[1] = own end
  return out
end

local function seconds_of(text)
  local seconds = require("util.duration").parse(text)
  if seconds and seconds >= 60 and seconds <= 31 * 86400 then return seconds end
  return nil, ("--limit: expected a duration from 1m to 744h, found %q"):format(text)
end

--- Progress, on a terminal only.
local function progress_of(streams, policy, runs)
  if not streams.live then return nil end
  return function(done) streams.err:write(("\r%s: %d of %d releases"):format(policy, done, runs)) end
end

local function own_policy(canary)
  local analysis = canary.spec.analysis or canary.spec.canaryAnalysis or {}
  local given = type(analysis.policy) == "table" and analysis.policy or {}
  return { name = given.name or "flagger", params = given.params, mode = given.mode }
end

--- All that a command line asks for, read and checked; or nil, message, exit code.
local function prepare(options)
  local out, message, code = {}
  if #options.files ~= 1 then return nil, "expected one file", 2 end
  if not options.traffic then return nil, "--traffic: expected a value", 2 end
  out.segments, message = traffic_of(options.traffic)
  if not out.segments then return nil, message, 2 end
  out.limit, message = seconds_of(options.limit or "24h")
  if not out.limit then return nil, message, 2 end
  out.given, message, code = require("cli.render").open(options)
  if not out.given then return nil, message, code end
  if #out.given.canaries > 1 then return nil, "expected one Canary in the file, found several", 1 end
  out.canary = out.given.canaries[1]
  out.policies, message = policies_of(options, own_policy(out.canary))
  if not out.policies then return nil, message, 2 end
  out.scripts = options.scripts
  out.runs, out.seed = options.runs or 1, options.seed or 1
  return out
end

local function timeline(work)
  return require("offline.whole").run(work.canary, work.given.others, { settings = work.given.settings,
    segments = work.segments, policy = work.policies[1], seed = work.seed, noise = true, limit = work.limit,
    scripts = work.scripts })
end

local function compare(work, options, first, streams)
  local out = {}
  for index, policy in ipairs(work.policies) do
    local progress = progress_of(streams, policy.name, work.runs)
    local result, message = require("offline.runs").of(work.canary, work.given.others, { settings = work.given.settings,
      segments = work.segments, policy = policy, runs = work.runs, seed = work.seed, limit = work.limit, first = first,
      cluster = options.cluster, scripts = work.scripts }, progress)
    if progress then streams.err:write("\r\27[K") end
    if not result then return nil, ("policy %s: %s"):format(policy.name, message) end
    out[index] = result
  end
  return out
end

local function fail(streams, message, code)
  streams.err:write("serin simulate: ", message, "\n")
  return code
end

--- Returns the exit code.
--- @param streams table  out, err; live = whether progress is shown, a terminal's absence means no
function simulate.run(argv, streams)
  local options, code = args.open("simulate", argv, KNOWN, USAGE, streams)
  if not options then return code end
  local work, message
  work, message, code = prepare(options)
  if not work then return fail(streams, message, code) end
  if streams.live == nil then streams.live = streams.err == io.stderr and os.execute("test -t 2") == true end
  local result = { seed = work.seed, fair = require("offline.stated_traffic").is_fair(work.segments) }
  local many = work.runs > 1 or #(options.policy or {}) > 1
  if not options["no-timeline"] then
    result.release, message = timeline(work)
    if not result.release then return fail(streams, message, 1) end
    for _, note in ipairs(result.release.notes) do streams.err:write("serin simulate: note: ", note, "\n") end
  end
  if many or options["no-timeline"] then
    result.policies, message = compare(work, options, result.release and result.release.first, streams)
    if not result.policies then return fail(streams, message, 1) end
  end
  report.write(result, options.output, streams.out)
  return 0
end

return simulate
