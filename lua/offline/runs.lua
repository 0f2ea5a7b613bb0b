--- Many releases under the same traffic: how they end, and when.

local files = require("util.registry")
local quick = require("offline.quick")
local view = require("canary.view")
local whole = require("offline.whole")

local runs = {}

local FIRST = 4 -- seconds to the first check where no release on the cluster tells

local function new_count()
  return { runs = 0, promoted = 0, rolled_back = 0, undecided = 0, promoted_time = 0.0, rolled_back_time = 0.0,
    failed = 0.0, hours = 0.0 }
end

local function add(count, result)
  count.runs = count.runs + 1
  local word = result.outcome == "promoted" and "promoted" or result.outcome == "rolled back" and "rolled_back"
    or "undecided"
  count[word] = count[word] + 1
  if word ~= "undecided" then count[word .. "_time"] = count[word .. "_time"] + result.time end
  count.failed = count.failed + result.failed
  count.hours = count.hours + result.time / 3600
end

local function mean(sum, n) return n > 0 and sum / n or nil end

local function summed(count)
  return {
    runs = count.runs, promoted = count.promoted / count.runs, rolled_back = count.rolled_back / count.runs,
    undecided = count.undecided / count.runs, seconds_to_promotion = mean(count.promoted_time, count.promoted),
    seconds_to_rollback = mean(count.rolled_back_time, count.rolled_back), failed_requests = count.failed / count.runs,
    hours = count.hours,
  }
end

local function on_cluster(canary, objects, options, progress)
  local count = new_count()
  for index = 1, options.runs do
    local result, message = whole.run(canary, objects, { settings = options.settings, segments = options.segments,
      policy = options.policy, seed = options.seed + index - 1, noise = true, limit = options.limit,
      scripts = options.scripts })
    if not result then return nil, message end
    add(count, result)
    if progress then progress(index) end
  end
  return count
end

local function drawn(plan, options, progress)
  local count, run = new_count(), quick.new(plan)
  for index = 1, options.runs do
    add(count, quick.run(run, options.seed + index - 1))
    if progress and index % 100 == 0 then progress(index) end
  end
  return count
end

--- Makes `options.runs` releases. { runs, promoted, rolled_back, undecided = shares, seconds_to_promotion,
--- seconds_to_rollback, failed_requests = of users in a release, hours, way = "drawn" | "cluster", why? }; or nil and a
--- message.
--- @param options table  { settings, segments, policy = { name, params }, runs, seed, limit, first?, cluster = true to
---   make every run on the cluster, scripts = folders or nil }
function runs.of(canary, objects, options, progress)
  local seen, bad = view.of(canary, options.settings)
  if not seen then return nil, bad.message end
  local custom = options.scripts and not files.find("policies", options.policy.name) -- the stage knows it
  local wrong = not custom and quick.unfit(seen, options.policy, options.settings)
  if wrong then return nil, wrong end
  local plan, why = nil, "asked for"
  if not options.cluster then
    plan, why = quick.plan(seen, { settings = options.settings, segments = options.segments, policy = options.policy,
      first = options.first or FIRST, limit = options.limit })
  end
  local count, message
  if plan then
    count = drawn(plan, options, progress)
  else
    count, message = on_cluster(canary, objects, options, progress)
  end
  if not count then return nil, message end
  local out = summed(count)
  out.way, out.why = plan and "drawn" or "cluster", not plan and why or nil
  out.policy = options.policy.name
  return out
end

return runs
