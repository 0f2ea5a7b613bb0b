--- The scripts of a folder under test, called as the engine calls them, with fakes in place of the world.

local binding = require("canary.decision")
local bundle = require("scripts.bundle")
local finite = require("util.finite")
local folder = require("scripts.folder")
local grants = require("scripts.grants")
local guard = require("canary.guard")
local header = require("scripts.header")
local merge = require("util.merge")
local nearest = require("util.nearest")
local params = require("util.params")
local run = require("scripts.run")
local verdict = require("scripts.verdict")

local scripts = {}

local SERVER = "http://prometheus:9090"
local CANARY = { name = "app", namespace = "test", provider = "istio", strategy = "canary", phase = "Progressing",
  target = { kind = "Deployment", name = "app" },
  services = { apex = "app", primary = "app-primary", canary = "app-canary" },
  weight = 0, iterations = 0, failed_checks = 0, run_id = "run", run_started_at = "2030-01-01T00:00:00Z" }
local ANALYSIS = { interval = 60, threshold = 5, max_weight = 50, step_weight = 10, iterations = 0, mirror = false }

--- The files of a folder, or nil and a message. `list` is script.list.
function scripts.look(list, dir)
  local found, message = folder.look(list, { dir })
  if not found then return nil, message end
  local _, wrong = next(found.wrong)
  if wrong then return nil, wrong end
  return found.files
end

local function sources_of(files)
  local out = {}
  for module, file in pairs(files) do
    local source, message = folder.read(file)
    if not source then return nil, message end
    out[module] = { source = source, label = file.label }
  end
  return out
end

local function missing(files, kind, name)
  local known = {}
  for _, file in pairs(files) do
    if file.kind == kind then known[file.name] = true end
  end
  local close = nearest.of(name, known)
  return ("%s/%s.lua: expected a file of that name, found none%s"):format(header.KINDS[kind].folder, name,
    close and (" (did you mean %s?)"):format(close) or "")
end

--- A script after the tests of `serin run`; or nil and a message.
function scripts.load(host, files, kind, name)
  local module = ("%s.%s"):format(header.KINDS[kind].folder, name)
  local file = files[module]
  if not file then return nil, missing(files, kind, name) end
  local sources, message = sources_of(files)
  if not sources then return nil, message end
  local made
  made, message = bundle.make(module, sources)
  if not made then return nil, message end
  local script = { kind = kind, name = name, label = file.label, text = made.text, sha256 = made.sha256 }
  local found
  found, message = run.header(host, script)
  if not found then return nil, message end
  message = header.problem(found, kind, name)
  if message then return nil, header.message(file.label, sources[module].source, message) end
  script.fields, script.functions = found.fields, header.functions(found)
  script.grants = grants.read(found.fields.grants)
  return script
end

--- Calls a function of a script. Its value; or nil and a message.
function scripts.call(host, script, entry, arguments)
  local scope = { label = script.label, canary = "app.test", namespace = "test", grants = script.grants,
    server = SERVER }
  return run.call(host, script, { entry = entry, arguments = arguments }, scope)
end

--- The parameters as the header's rules read them.
function scripts.params(script, given) return params.read(script.fields.params or {}, given, "params") end

--- The context of a check. What `more` says of `canary` and `metric` is laid over what they are.
function scripts.check_context(now, given, more)
  local out = { api = header.API, now = now, params = given, canary = merge.copy(CANARY),
    metric = { name = "test", interval = 60, variables = {} } }
  for key, value in pairs(more or {}) do
    if (key == "canary" or key == "metric") and type(value) == "table" then
      for name, item in pairs(value) do out[key][name] = item end
    else
      out[key] = value
    end
  end
  return out
end

--- A verdict as the engine would take it; or nil and what is wrong with it.
function scripts.verdict(script, answer)
  local checked, message = verdict.check(answer)
  if not checked then return nil, ("%s: %s"):format(script.label, message) end
  return checked
end

--- What a policy has against parameters that are well-formed, or nil.
function scripts.policy_problem(host, script, given)
  if not script.functions.check then return nil end
  local value, message = scripts.call(host, script, "check", { given, "params" })
  return message or value
end

--- The context of a policy from what a spec states of it: fields of `now` and of the context side by side.
function scripts.policy_context(now, given, more)
  local out = { strategy = "canary", analysis = merge.copy(ANALYSIS), params = given, checks = {},
    canary = { namespace = "test", name = "app", target = "app", provider = "istio", revision = "next" },
    now = { t = now, weight = 0, mirrored = false, iterations = 0, failed_checks = 0, passed = true, approvals = {} } }
  for key, value in pairs(more or {}) do
    if key == "analysis" then
      for name, item in pairs(value) do out.analysis[name] = item end
    elseif out.now[key] ~= nil or key == "since" then
      out.now[key] = value
    else
      out[key] = value
    end
  end
  return out
end

--- A decision as the engine would take it: well-formed and let through by the guard; or nil and why not.
function scripts.decision(answer, context)
  local message
  answer, message = binding.check(answer)
  message = message or guard.decision(answer, context.now, context.strategy)
  if message then return nil, message end
  if answer.action ~= "rollback" and context.now.failed_checks >= context.analysis.threshold then
    return { action = "rollback", reason = ("failed checks threshold reached %d"):format(context.now.failed_checks),
      state = answer.state }
  end
  return answer
end

--- A policy as the files of policies/ are, for the suite of lua/policytest.
function scripts.module(host, script)
  local fields = script.fields
  return { name = script.name, api = 1, params = fields.params or {}, samples = fields.samples,
    own_weights = fields.own_weights, strategies = fields.strategies, absolute = fields.absolute,
    decide = function(context)
      local value, message = scripts.call(host, script, "decide", { finite.bounded(context) })
      if value == nil then error(message or "expected a decision, found nil", 0) end
      return value
    end }
end

return scripts
