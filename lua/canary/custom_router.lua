--- A router of the operator's: the contract of routers/README.md, each function a run of the script in a worker.

local answers = require("scripts.router")
local merge = require("util.merge")
local pins = require("canary.pins")
local run = require("scripts.run")
local scripted = require("canary.scripted")

local custom = {}

-- What the engine keeps beside the view that routers/README.md tells of: functions among it, which no worker gets.
local OWN = { settings = true, custom_policy = true, policy_names = true }
local SETTINGS = { "ingress_annotations_prefix", "ingress_class" }

--- The view of a Canary without what is the engine's own business.
local function plain(canary)
  local out = {}
  for key, value in pairs(canary) do
    if not OWN[key] then out[key] = merge.copy(value) end
  end
  out.settings = {}
  for _, name in ipairs(SETTINGS) do out.settings[name] = canary.settings[name] end
  return out
end

--- What a function of the script gives, and the message beside it; nil with a message when it failed.
local function ask(ctx, script, entry, ...)
  local value, message = run.call(ctx.host, script, { entry = entry, arguments = { plain(ctx.canary), ... } },
    scripted.scope(ctx, script))
  if value ~= nil or message == nil then return value, message end
  local says = message:sub(1, #script.label) == script.label
  return nil, says and message or ("%s: %s: %s"):format(script.label, entry, message)
end

--- The same of a function that has to answer; or nil and a message.
local function call(ctx, script, entry, ...)
  local value, message = ask(ctx, script, entry, ...)
  if value == nil and not message then
    message = ("%s: %s: expected an answer, found nil"):format(script.label, entry)
  end
  return value, message
end

--- `value, message` of a check of an answer, the message with the script in it.
local function told(script, value, message)
  if value then return value end
  return nil, ("%s: %s"):format(script.label, message)
end

--- Asked once in a tick.
local function reads(ctx, script)
  if ctx.route_refs then return ctx.route_refs end
  local value, message = call(ctx, script, "reads")
  if value == nil then return nil, message end
  ctx.route_refs, message = told(script, answers.reads(value, ctx.canary, script.grants))
  return ctx.route_refs, message
end

local function patches(ctx, script, entry, seen, ...)
  local refs, message = reads(ctx, script)
  if not refs then return nil, message end
  local value
  value, message = call(ctx, script, entry, seen, ...)
  if value == nil then return nil, message end
  return told(script, answers.patches(entry, value, refs, seen, ctx.canary))
end

local function routes(ctx, script, seen)
  local value, message = call(ctx, script, "routes", seen)
  if value == nil then return nil, message end
  return told(script, answers.routes(value))
end

--- What was written must be what is read back; a router that cannot tell moves nothing.
local function shift(ctx, script, seen, want)
  local list, message = patches(ctx, script, "shift", seen, want)
  if not list then return nil, message end
  local found
  found, message = routes(ctx, script, answers.after(seen, list))
  if not found then return nil, message end
  if found.canary ~= want.canary or found.mirrored ~= (want.mirrored == true) then
    return nil, ("%s: shift: expected patches after which routes gives %d %% for the canary, found %d %%"):format(
      script.label, want.canary, found.canary)
  end
  return list
end

--- True; or nil and why the route is not in force. A script that fails cannot tell, and nothing goes on.
local function accepted(ctx, script, seen)
  local value, message = call(ctx, script, "accepted", seen)
  if value == nil then return nil, message end
  return told(script, answers.accepted(value, message))
end

--- nil, or what the Canary asks for that cannot be.
local function unfit(ctx, script)
  local value, message = ask(ctx, script, "unfit")
  if value == nil then return message end
  return select(2, told(script, answers.unfit(value)))
end

local function module_of(ctx, script)
  local fields, has = script.fields, script.functions
  return {
    name = fields.name, weighted = fields.weighted, mirrors = fields.mirrors, matches = fields.matches,
    affinity = fields.affinity, resolution = fields.resolution or 1, script = script.label,
    reads = function() return reads(ctx, script) end,
    prepare = function(_, seen) return patches(ctx, script, "prepare", seen) end,
    routes = function(_, seen) return routes(ctx, script, seen) end,
    shift = function(_, seen, want) return shift(ctx, script, seen, want) end,
    restore = function(_, seen) return patches(ctx, script, "restore", seen) end,
    accepted = has.accepted and function(_, seen) return accepted(ctx, script, seen) end,
    unfit = has.unfit and function() return unfit(ctx, script) end,
  }
end

--- The operator's router for spec.provider; nil when none has that name, or nil and a message when it cannot be used.
function custom.of(ctx)
  local library, provider = ctx.host.library, ctx.canary.provider
  local label = scripted.label(ctx, "router", { name = provider })
  if not library or not library:knows("router", provider) and not pins.has(ctx, label) then return nil end
  local script, message = scripted.find(ctx, "router", { name = provider })
  if not script then return nil, message end
  return module_of(ctx, script)
end

--- Names that spec.provider may have besides the shipped ones.
function custom.names(ctx)
  return ctx.host.library and ctx.host.library:names("router") or {}
end

return custom
