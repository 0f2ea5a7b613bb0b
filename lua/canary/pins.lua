--- Which version of a script a Canary works with: the newest while nothing runs, and one and the same for the length of
--- a run. The versions of a run are in `status.scripts`; their text is in the memory of the process.

local json = require("json")
local notify = require("canary.notify")
local phase = require("canary.phase")
local status = require("canary.status")

local pins = {}

local function running(ctx) return phase.active(ctx.status.phase or "") end

--- The pins of this run: { [label] = script }.
local function of_run(ctx)
  local memory = ctx.memory
  if not memory.pins or memory.pins.run ~= ctx.status.runId then
    memory.pins = { run = ctx.status.runId, scripts = {} }
  end
  return memory.pins.scripts
end

local function written(ctx, label)
  for _, item in ipairs(ctx.status.scripts or {}) do
    if item.name == label then return item.sha256 end
  end
end

--- After a restart of the engine the text of an older version is gone.
local function tell_lost(ctx, script)
  local before = written(ctx, script.label)
  if not before or before == script.sha256 then return end
  local said = "Script %s of %s: the version %s that its run began with is lost, as the engine was started again;"
    .. " it goes on with %s"
  notify.once(ctx, "Warning", said:format(script.label, ctx.label, before:sub(1, 12), script.sha256:sub(1, 12)))
end

--- The script under a label. `newest` gives it when none is pinned: script, or nil and a message.
function pins.get(ctx, label, newest)
  if not running(ctx) then return newest() end
  local scripts = of_run(ctx)
  if scripts[label] then return scripts[label] end
  local script, message = newest()
  if not script then return nil, message end
  tell_lost(ctx, script)
  scripts[label] = script
  return script
end

--- True when this run works with a script of that label, be its text still there or not.
function pins.has(ctx, label)
  return running(ctx) and (of_run(ctx)[label] ~= nil or written(ctx, label) ~= nil)
end

local function list_of(ctx)
  local out = json.array()
  for label, script in pairs(of_run(ctx)) do out[#out + 1] = { name = label, sha256 = script.sha256 } end
  table.sort(out, function(a, b) return a.name < b.name end)
  return out
end

--- Shows in the status what is pinned, when that is not there yet. Returns nil, or a stop.
function pins.show(ctx)
  if not running(ctx) then return nil end
  local list = list_of(ctx)
  local same = #list == #(ctx.status.scripts or {})
  for _, item in ipairs(list) do same = same and written(ctx, item.name) == item.sha256 end
  if same then return nil end
  return status.write(ctx, { scripts = #list > 0 and list or json.null })
end

return pins
