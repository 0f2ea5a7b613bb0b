--- A policy of the operator's, or in a ConfigMap beside the Canary: a module as the files of policies/ are, whose
--- decisions are made in a worker. What it decides passes the same checks as theirs (canary/policies.lua).

local finite = require("util.finite")
local json = require("json")
local phase = require("canary.phase")
local pins = require("canary.pins")
local run = require("scripts.run")
local scripted = require("canary.scripted")

local custom = {}

local PATH = "spec.analysis.policy"

--- What spec.analysis.policy says, as a reference to a script; nil when a shipped one is meant.
local function reference(ctx)
  local given, library = ctx.canary.analysis.policy, ctx.host.library
  if given.script_ref then return { scriptRef = given.script_ref, params = given.params } end
  local ref = { name = given.name, params = given.params }
  local known = library and library:knows("policy", given.name) or pins.has(ctx, scripted.label(ctx, "policy", ref))
  return known and ref or nil
end

--- What a function of the script that is no decision says of the parameters. Asked once for the same ones.
local function of_params(ctx, script, entry, ...)
  local order = { entry = entry, arguments = { ... } }
  local key = script.sha256 .. json.encode(order)
  local known = ctx.memory.policy_params or {}
  ctx.memory.policy_params = known
  if known[entry] and known[entry].key == key then return known[entry].value, known[entry].message end
  local value, message, code = run.call(ctx.host, script, order, scripted.scope(ctx, script))
  if code ~= "REFUSED" then known[entry] = { key = key, value = value, message = message } end
  return value, message
end

--- nil, or what the policy has against parameters that are well-formed.
local function problem(ctx, script, given, path)
  local value, message = of_params(ctx, script, "check", given, path)
  if message or value == nil or type(value) == "string" then return message or value end
  return ("%s: check: expected nil or a text, found %s"):format(script.label, type(value))
end

--- The names of its gates; none when it cannot tell.
local function gates(ctx, script, given)
  local out = {}
  local value = of_params(ctx, script, "gates", given)
  for _, name in ipairs(type(value) == "table" and value or {}) do out[#out + 1] = tostring(name) end
  return out
end

local function module_of(ctx, name, script)
  local fields, functions = script.fields, script.functions
  return {
    name = name, api = 1, params = fields.params or {}, samples = fields.samples, own_weights = fields.own_weights,
    strategies = fields.strategies,
    check = functions.check and function(given, path) return problem(ctx, script, given, path) end,
    gates = functions.gates and function(given) return gates(ctx, script, given) end,
    decide = function(context)
      local order = { entry = "decide", arguments = { finite.bounded(context) } }
      local answer, message = run.call(ctx.host, script, order, scripted.scope(ctx, script))
      if answer == nil then error(message or "expected a decision, found nil", 0) end
      return answer
    end,
  }
end

--- In place of one that cannot be had: it decides nothing, so its run holds, and may still be rolled back.
local function absent(name, message)
  return { name = name, api = 1, params = {}, own_weights = true, lost = true,
    decide = function() error(message, 0) end }
end

--- Finds the policy of the spec, for canary/policies.lua. Before a run it stops when there is none.
function custom.load(ctx)
  local canary = ctx.canary
  canary.policy_names = ctx.host.library and ctx.host.library:names("policy") or {}
  local ref = not canary.skip_analysis and reference(ctx)
  if not ref then return nil end
  local name = canary.analysis.policy.name
  local script, message = scripted.prepared(ctx, "policy", ref, PATH)
  if script then
    canary.custom_policy = module_of(ctx, name, script)
  elseif phase.active(ctx.status.phase or "") then
    canary.custom_policy = absent(name, message)
  else
    return { problem = message, reason = "InvalidPolicy" }
  end
end

return custom
