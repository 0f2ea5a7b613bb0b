--- Prints how long the engine's first write takes after a new revision was received.

local common = require("spec.bench.common")
local support = require("spec.cluster.support")

local TRIALS = math.tointeger(tonumber(os.getenv("TRIALS") or "12"))

local function names()
  local out = {}
  for index = 1, TRIALS do out[index] = ("t%03d"):format(index) end
  return out
end

local json = require("json")

--- When kubectl's patch of each target arrived.
local function patches()
  local out = {}
  for line in io.lines(os.getenv("CLUSTER_DIR") .. "/audit.log") do
    local entry = line:find('"resource":"deployments"', 1, true) and json.decode(line)
    if entry and entry.user.username == "admin" and entry.verb == "patch" and entry.stage == "ResponseComplete" then
      out[entry.objectRef.name] = common.at(entry)
    end
  end
  return out
end

--- The engine's first write after `at` that is about the canary of that name.
local function first_write(writes, name, at)
  local first
  for _, entry in ipairs(writes) do
    local when, ref = common.at(entry), entry.objectRef or {}
    if when > at and (ref.name or ""):find(name, 1, true) == 1 and (not first or when < first.at) then
      first = { at = when, what = ("%s %s/%s"):format(entry.verb, ref.resource, ref.name) }
    end
  end
  return first
end

local function measure()
  local writes, out = support.audit(common.is_write), {}
  for name, at in pairs(patches()) do
    local first = assert(first_write(writes, name, at), "no write about " .. name)
    out[#out + 1] = (first.at - at) * 1000
    common.tell("%s %8.1f ms  %s", name, out[#out], first.what)
  end
  table.sort(out)
  return out
end

support.install()
local engine = support.engine()
common.canaries(names())
support.sleep(5)
for _, name in ipairs(names()) do
  common.release(name, "podinfo:6.0.1")
  support.sleep(1.3) -- apart, and not in step with any interval
end
support.sleep(2 * common.INTERVAL)
engine.stop()
local times = measure()
assert(#times >= TRIALS, "a trial is missing")
print(("reaction median %.0f ms, min %.0f, p90 %.0f, max %.0f, %d trials"):format(times[(#times + 1) // 2], times[1],
  times[math.ceil(0.9 * #times)], times[#times], #times))
