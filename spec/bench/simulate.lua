--- Prints how many canary-hours `serin simulate` goes through in a second of one core, for each shipped policy.

local quick = require("offline.quick")
local traffic = require("offline.stated_traffic")
local view = require("canary.view")
local whole = require("offline.whole")
local yaml = require("yaml")

local SECONDS = tonumber(os.getenv("SECONDS_EACH") or "3")
local SETTINGS = require("cli.flags").settings({}, function() end, function() end)
local CANARY = assert(yaml.decode([[
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: demo}
spec:
  provider: istio
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  service: {port: 80}
  analysis:
    interval: 1m
    threshold: 5
    maxWeight: 50
    stepWeight: 10
    metrics:
    - {name: request-success-rate, thresholdRange: {min: 99}, interval: 1m}
    - {name: request-duration, thresholdRange: {max: 500}, interval: 1m}
]]))[1]
local TRAFFIC = "rps=50 errors=0.1%"

local function measure(name)
  local plan = assert(quick.plan(assert(view.of(CANARY, SETTINGS)), { settings = SETTINGS, policy = { name = name },
    segments = assert(traffic.parse(TRAFFIC)), first = 3, limit = 86400 }))
  local run, began, hours, ticks, seed = quick.new(plan), os.clock(), 0.0, 0, 0
  repeat
    seed = seed + 1
    local result = quick.run(run, seed)
    hours, ticks = hours + result.time / 3600, ticks + result.ticks
  until seed % 50 == 0 and os.clock() - began > SECONDS
  local spent = os.clock() - began
  print(("%-12s %8.0f canary-hours per second, %6.1f microseconds a check, %d releases"):format(name, hours / spent,
    spent / ticks * 1e6, seed))
end

local function measure_cluster()
  local began, hours, seed = os.clock(), 0.0, 0
  repeat
    seed = seed + 1
    hours = hours + assert(whole.run(CANARY, {}, { settings = SETTINGS, segments = assert(traffic.parse(TRAFFIC)),
      policy = { name = "flagger" }, seed = seed, noise = false, limit = 86400 })).time / 3600
  until os.clock() - began > SECONDS
  print(("%-12s %8.1f canary-hours per second, on the embedded cluster"):format("flagger",
    hours / (os.clock() - began)))
end

print("interval 1m, two checks, " .. TRAFFIC)
for _, name in ipairs({ "flagger", "steps", "sequential", "kayenta", "burn_rate" }) do measure(name) end
measure_cluster()
