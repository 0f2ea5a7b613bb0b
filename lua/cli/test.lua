--- `serin test`: the specs of a folder of scripts, and what must hold of any policy in it.

local args = require("cli.args")

local test = {}

local USAGE = [[
usage: serin test [--output text|json] [--golden] [--filter PATTERN] [--no-suite] DIR

Runs the specs of a folder of scripts (*_spec.lua anywhere below it) with busted and the kit of docs/test.md, and the
suite that every policy has to pass on every DIR/policies/*.lua: no data, NaN, infinities, late, doubled and reordered
samples, counters that fall, states it never left: it never promotes and never raises. The exit code is 0 when all
hold, 1 when one does not, 2 for a wrong command line.
  --golden          write golden files anew instead of holding texts against them
  --filter PATTERN  the specs whose names match it
  --no-suite        the specs alone
  --output json     JSON lines
DIR/policytest.yaml may give parameters for the suite: {name of the policy: {parameter: value}}.
]]

local KNOWN = { output = args.OUTPUT, golden = { kind = "flag" }, filter = { kind = "text" },
  ["no-suite"] = { kind = "flag" } }

local DEEPEST = 8 -- folders in folders

--- True when a file ends in _spec.lua somewhere below.
local function has_specs(list, dir, depth)
  for _, entry in ipairs(depth > 0 and list(dir) or {}) do
    if entry.folder and not entry.name:find("^%.") then
      if has_specs(list, dir .. "/" .. entry.name, depth - 1) then return true end
    elseif entry.name:find("_spec%.lua$") then
      return true
    end
  end
  return false
end

--- Runs busted. The number of specs that did not hold, or nil and a message.
local function run_busted(dir, options)
  local ok, runner = pcall(require, "busted.runner")
  if not ok then
    return nil, "busted for Lua 5.4 is not installed (the package lua-busted, or luarocks install busted)"
  end
  local output = "plainTerminal"
  if options.output == "json" then output = assert(package.searchpath("kit.busted_json", package.path)) end
  local argv = { [0] = "serin test", "--output=" .. output, "--pattern=_spec%.lua$" }
  if options.filter then argv[#argv + 1] = "--filter=" .. options.filter end
  argv[#argv + 1] = dir
  local old, leave, ended = rawget(_G, "arg"), os.exit, {}
  _G.arg = argv
  os.exit = function(code) -- luacheck: ignore
    ended.code = code
    error(ended, 0)
  end
  local fine, message = pcall(runner, { standalone = false })
  _G.arg, os.exit = old, leave -- luacheck: ignore
  if fine then return 0 end
  if message ~= ended then return nil, tostring(message) end
  if type(ended.code) == "number" then return ended.code end
  return ended.code == false and 1 or 0
end

--- The parameters of policytest.yaml, by policy; or nil and a message.
local function parameters(dir)
  local path = dir .. "/policytest.yaml"
  local file = io.open(path, "rb")
  if not file then return {} end
  local documents, message = require("yaml").decode(file:read("a"))
  file:close()
  local found = documents and documents[1]
  if type(found) == "table" then return found end
  return nil, ("%s: expected an object of policies, found %s"):format(path, message or "something else")
end

local function tell(streams, options, name, result)
  if options.output == "json" then
    streams.out:write(require("json").encode({ kind = "suite", policy = name, name = result.name, ok = result.ok,
      message = result.message }), "\n")
  elseif not result.ok then
    streams.out:write(("policies/%s.lua: %s: %s\n"):format(name, result.name, result.message))
  end
end

--- Runs the suite on one policy. The number of promises that do not hold.
local function one_policy(host, files, name, given, streams, options)
  local scripts = require("kit.scripts")
  local script, message = scripts.load(host, files, "policy", name)
  local results = { { name = "it loads", ok = false, message = message } }
  if script then results = require("policytest.suite").run(scripts.module(host, script), given) end
  local bad = 0
  for _, result in ipairs(results) do
    if not result.ok then bad = bad + 1 end
    tell(streams, options, name, result)
  end
  if options.output ~= "json" then
    streams.out:write(("policies/%s.lua: %d of %d promises hold\n"):format(name, #results - bad, #results))
  end
  return bad
end

--- Runs the suite on all policies. The number of promises that do not hold, and of policies; or nil and a message.
local function run_suite(list, dir, streams, options)
  local files, message = require("kit.scripts").look(list, dir)
  if not files then return nil, message end
  local given
  given, message = parameters(dir)
  if not given then return nil, message end
  local names = {}
  for _, file in pairs(files) do
    if file.kind == "policy" then names[#names + 1] = file.name end
  end
  table.sort(names)
  local known, bad = {}, 0
  for _, name in ipairs(names) do known[name] = true end
  for name in pairs(given) do
    if not known[name] then
      local close = require("util.nearest").of(name, known)
      return nil, ("%s/policytest.yaml: expected the name of a policy, found %s%s"):format(dir, name,
        close and (" (did you mean %s?)"):format(close) or "")
    end
  end
  for _, name in ipairs(names) do
    local host = require("kit.fakes").new().host
    bad = bad + one_policy(host, files, name, given[name], streams, options)
  end
  return bad, #names
end

local function fail(streams, message, code)
  streams.err:write("serin test: ", message, "\n")
  return code
end

--- The folders of scripts below a tree of specs are not specs' own; the kit knows which is under test.
local function prepare(dir, options)
  local kit = require("kit")
  kit.dir, kit.write_golden = dir, options.golden or false
  package.path = ("%s/?.lua;%s"):format(dir, package.path)
end

--- Returns the exit code.
--- @param streams table  out, err; busted = in place of the real one, where a spec runs in it already
function test.run(argv, streams)
  local options, code = args.open("test", argv, KNOWN, USAGE, streams)
  if not options then return code end
  if #options.files ~= 1 then return select(2, args.misused("test", "expected one folder", USAGE, streams)) end
  local list, dir = require("script").list, (options.files[1]:gsub("(.)/+$", "%1"))
  local entries, message = list(dir)
  if not entries then return fail(streams, message, 2) end
  prepare(dir, options)
  local bad, specs = 0, has_specs(list, dir, DEEPEST)
  if specs then
    bad, message = (streams.busted or run_busted)(dir, options)
    if not bad then return fail(streams, message, 2) end
  end
  local broken, policies = 0, 0
  if not options["no-suite"] then
    broken, policies = run_suite(list, dir, streams, options)
    if not broken then return fail(streams, policies, 1) end
  end
  if not specs and policies == 0 then return fail(streams, dir .. ": expected specs or policies, found neither", 1) end
  return bad + broken == 0 and 0 or 1
end

return test
