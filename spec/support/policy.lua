--- Runs a policy tick by tick, as the engine does: the state goes through JSON, the context is frozen, every decision
--- is checked.

local binding = require("canary.decision")
local frozen = require("spec.support.frozen")
local json = require("json")
local merge = require("util.merge")
local params = require("util.params")

local policy = {}

local ANALYSIS = { threshold = 5, step_weight = 10, max_weight = 50, interval = 30 }

--- A run of `module` with these params. `run.tick(samples, more)` gives the decision of one interval; shifts are
--- obeyed. run.weight, run.t, run.state, run.analysis may be set.
function policy.run(module, given, analysis)
  local run = { weight = 0, t = 1000, analysis = analysis or ANALYSIS }
  run.params = assert(params.read(module.params, given, "params"))

  function run.context(samples, more)
    local now = { t = run.t, weight = run.weight, mirrored = false, iterations = 0, failed_checks = 0, passed = true,
      since = run.since }
    for key, value in pairs(more or {}) do now[key] = value end
    return { strategy = "canary", analysis = run.analysis, params = run.params, now = now, samples = samples,
      state = run.state }
  end

  --- The state is the policy's own copy; the rest it must not write to.
  local function shown(samples, more)
    local context = run.context(samples, more)
    local state = merge.copy(context.state)
    context.state = nil
    local view = frozen(context)
    return setmetatable({ state = state }, { __index = view, __newindex = getmetatable(view).__newindex })
  end

  function run.tick(samples, more)
    run.t = run.t + run.analysis.interval
    if type(samples) == "function" then samples = samples(run) end
    local answer = assert(binding.check(module.decide(shown(samples, more))))
    run.state = answer.state and json.decode(assert(json.encode(answer.state)))
    if answer.action == "shift" then
      run.since = run.t
      run.weight = answer.routes and answer.routes.canary or answer.weight
    end
    return answer
  end

  return run
end

--- Two arms with counters of requests and failures: `feed(weight)` serves an interval and gives the samples of `run.t`.
--- @param requests number  of both arms in an interval
--- @param rate_c number    share of the canary's that fail, rate_b of the primary's; by `draw` when given, else evenly
function policy.traffic(requests, rate_c, rate_b, draw)
  local total = { canary = 0, primary = 0 }
  local failed = { canary = 0, primary = 0 }

  --- Failures of n requests: by the lengths of the gaps between them.
  local function drawn(n, rate)
    if rate <= 0 then return 0 end
    local count, at = 0, 0
    while true do
      at = at + math.floor(math.log(1 - draw()) / math.log(1 - rate)) + 1
      if at > n then return count end
      count = count + 1
    end
  end

  local function serve(arm, n, rate)
    local before = total[arm]
    total[arm] = before + n
    if draw then
      failed[arm] = failed[arm] + drawn(n, rate)
    else
      failed[arm] = failed[arm] + math.floor(total[arm] * rate) - math.floor(before * rate)
    end
  end

  return function(run)
    local share = math.floor(requests * run.weight / 100)
    serve("canary", share, rate_c)
    serve("primary", requests - share, rate_b)
    local function sample(arm)
      return { name = "errors", arm = arm, t = run.t, counts = { total = total[arm], failed = failed[arm] } }
    end
    return { sample("canary"), sample("primary") }
  end
end

--- Ticks until a decision that ends the run, at most `most`. Returns its action, the number of ticks, and the decision.
function policy.play(run, feed, most)
  local answer
  for tick = 1, most do
    answer = run.tick(feed)
    if answer.action == "promote" or answer.action == "rollback" or answer.action == "pause" then
      return answer.action, tick, answer
    end
  end
  return "none", most, answer
end

return policy
