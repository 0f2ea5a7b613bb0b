--- Prints `idle N advancing M`: the most API requests that one tick of either kind made.

local common = require("spec.bench.common")
local support = require("spec.cluster.support")

local IDLE_TICKS, SETTLE = 6, 15

--- The most requests in any window of one interval, each around or after one of the times.
local function most(times, before, what)
  local worst = 0
  for index, at in ipairs(times) do
    local count, text = common.requests(at - before, at - before + common.INTERVAL)
    common.tell("%s tick %d: %d requests\n%s", what, index, count, text)
    worst = math.max(worst, count)
  end
  return worst
end

local function idle_ticks(start)
  local out = {}
  for index = 1, IDLE_TICKS do out[index] = start + (index - 1) * common.INTERVAL end
  return out
end

--- When the weight of the route was raised: from the second step on, whose neighbours are steps as well.
local function advances()
  local out = {}
  for _, entry in ipairs(support.audit(common.is_write)) do
    local ref = entry.objectRef or {}
    if ref.resource == "virtualservices" and entry.verb ~= "create" then out[#out + 1] = common.at(entry) end
  end
  table.sort(out)
  return { table.unpack(out, 2, #out - 2) }
end

support.install()
local engine = support.engine()
common.canaries({ "app" })
support.sleep(SETTLE)
local start = os.time()
support.sleep(IDLE_TICKS * common.INTERVAL + 1)
local idle = most(idle_ticks(start), 0, "idle")
common.release("app", "podinfo:6.0.1")
support.wait_until("app is Succeeded", 300, function() return common.phase("app") == "Succeeded" end,
  function() return common.phase("app") end)
engine.stop()
local steps = advances()
assert(#steps >= 3, "the weight was raised too few times to measure anything")
print(("idle %d advancing %d"):format(idle, most(steps, common.INTERVAL / 2, "advancing")))
