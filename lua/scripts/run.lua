--- One run of a script in its worker.

local calls = require("scripts.calls")

local run = {}

local DEADLINE = 30 -- seconds, waiting included; CPU is bounded by script.run

local function start(host, script, order, options)
  options.name, options.tenant = script.label, script.tenant or nil
  if not host.script then return nil, "custom scripts are run by serin run alone", "REFUSED" end
  return host.script.run(script.text, "call", order, options)
end

--- What a function of the script returns. Waits. value, or nil, message, CODE; value may be nil without a message.
--- @param host table   script = the module `script`; http, kube, clock, log
--- @param script table { text = the bundle, label, tenant? }
--- @param order table  { entry = name, arguments = list } or { inline = { name = value } }; see lua/scripts/glue.lua
--- @param scope table  see lua/scripts/calls.lua
function run.call(host, script, order, scope)
  local result, message, code = start(host, script, order, { calls = calls.of(host, scope), max_calls = calls.MOST,
    deadline = DEADLINE })
  if not result then return nil, message, code end
  return result.value, result.message, nil
end

--- The header: see scripts/header.lua; or nil, message, CODE.
function run.header(host, script)
  return start(host, script, { header = true }, { deadline = DEADLINE })
end

--- Runs the script's own self-test. True, or nil and a message.
function run.selftest(host, script)
  local result, message = start(host, script, { entry = "selftest", arguments = {} }, { deadline = DEADLINE })
  if not result then return nil, message end
  if result.value == false or result.message then
    return nil, ("%s: selftest: %s"):format(script.label, result.message or "returned false")
  end
  return true
end

return run
