--- Decides as soon as the data allows it, and not before: early rollback, early promotion, hold while undecided.
--
-- What it compares are new requests and failures of both arms, so it may look as often as it likes and the weight may
-- change on the way. Formulas: lua/stats/comparison.lua. All metrics together speak by the mean of their E (Vovk & Wang
-- 2021): a canary that is no worse is rolled back with a chance of at most `alpha` over the whole run, however long.
-- For a promotion every metric has to speak for itself, and the totals have to pass a non-inferiority test (Farrington
-- & Manning 1990). Pure: the same context always gives the same decision.

local combine = require("stats.combine")
local comparison = require("stats.comparison")
local counters = require("stats.counters")
local power = require("stats.power")
local proportions = require("stats.proportions")
local ramp = require("util.ramp")
local samples = require("stats.samples")

local MOST_METRICS = 8
local NO_LIMIT = math.huge

local sequential = {
  name = "sequential", api = 1, strategies = { "canary" }, samples = true,
  params = {
    alpha = { type = "number", default = 0.01, min = 1e-6, max = 0.2, doc = "chance of a false rollback in a run" },
    promote_alpha = { type = "number", default = 0.05, min = 1e-6, max = 0.2, doc = "chance of a false promotion" },
    margin = { type = "number", default = 1.1, min = 1, max = 10, unit = "times", doc = "failures accepted" },
    tolerance = { type = "number", default = 0.5, min = 0.001, max = 50, unit = "%",
      doc = "a promotion rules out so many more failures, in percent of requests" },
    events_tolerance = { type = "number", default = 1.5, min = 1.01, max = 10, unit = "times",
      doc = "a promotion rules out so many times the events" },
    slow = { type = "number", min = 0, unit = "ms",
      doc = "bound of the histogram above which a request is slow; none: latency is not compared" },
    slow_margin = { type = "number", default = 1, min = 0, max = 50, unit = "%", doc = "more slow requests accepted" },
    slow_tolerance = { type = "number", default = 2, min = 0.001, max = 50, unit = "%",
      doc = "a promotion rules out so many more slow requests" },
    slo = { type = "number", min = 50, max = 99.9999, unit = "%", doc = "objective of the canary itself, if any" },
    slo_ratio = { type = "number", default = 2, min = 1.1, max = 100, unit = "times",
      doc = "failures beyond the objective that count as missing it" },
    min_requests = { type = "integer", default = 100, min = 1, unit = "requests",
      doc = "of the canary at each weight" },
    suspect = { type = "number", default = 3, min = 1, max = 1000, doc = "E at which the weight stays where it is" },
    promote_from = { type = "number", default = 10, min = 0, max = 100, unit = "%",
      doc = "least weight to promote at" },
    settle = { type = "duration", default = "0s", max = "1h", doc = "left out after a weight changed" },
    max_resets = { type = "integer", default = 0, min = 0,
      doc = "times the canary's counters fell and the primary's did not; above, no promotion" },
    patience = { type = "duration", default = "1h", min = "1s",
      doc = "undecided so long at one weight: a person is asked" },
  },
}

local function limits_of(p)
  return comparison.options({
    margin = p.margin, tolerance = p.tolerance / 100, events_tolerance = p.events_tolerance,
    slow_margin = p.slow_margin / 100, slow_tolerance = p.slow_tolerance / 100,
    slo = p.slo and 1 - p.slo / 100, slo_ratio = p.slo_ratio,
  })
end

--- When the weight became what it is; without word from the engine, now.
local function began(now)
  local since = now.since
  return type(since) == "number" and since >= 0 and since <= now.t and since or now.t
end

--- What the last call left, as far as it makes sense; times are of this weight.
local function remembered(ctx)
  local state, now = type(ctx.state) == "table" and ctx.state or {}, ctx.now
  local same = state.weight == now.weight and type(state.since) == "number" and state.since <= now.t
  local out = { weight = now.weight, since = same and state.since or began(now), counters = state.counters,
    resets = math.tointeger(state.resets) or 0, metrics = {}, here = {} }
  for name, memory in pairs(type(state.metrics) == "table" and state.metrics or {}) do
    if comparison.is_memory(memory) then out.metrics[name] = memory end
  end
  local here = same and type(state.here) == "table" and state.here or {}
  for name, count in pairs(here) do out.here[name] = math.tointeger(count) end
  return out
end

local function names_of(map)
  local out = {}
  for name in pairs(map) do out[#out + 1] = name end
  table.sort(out)
  return out
end

local function count_in(state, name, found, weight, limits)
  local memory = state.metrics[name]
  if not memory or memory.kind ~= found.kind then memory = comparison.start(found.kind) end
  local c, b = found.canary, found.primary
  -- events are weighed by the router's weight, which proxies take a moment to follow
  if found.kind == "events" and (c.from or b.from or state.since) <= state.since then return end
  state.metrics[name] = comparison.step(memory, { y_c = c.y, n_c = c.n, y_b = b.y, n_b = b.n }, weight / 100, limits)
  local new = c.n
  if found.kind == "events" then new = c.from and 1 or 0 end -- no event is an observation too
  state.here[name] = (state.here[name] or 0) + new
end

--- Adds what is new to the state. Returns the problems with the samples.
local function learn(ctx, p, state, limits)
  local items, problems = samples.read(ctx.samples, ctx.now.t, p.slow)
  local found
  state.counters, found = counters.step(state.counters, items, ctx.now.t, state.since + p.settle)
  state.resets = state.resets + counters.restarts(found)
  for _, name in ipairs(names_of(found)) do
    if state.metrics[name] or #names_of(state.metrics) < MOST_METRICS then
      count_in(state, name, found[name], ctx.now.weight, limits)
    else
      problems[#problems + 1] = ("samples: expected at most %d metrics, found another: %s"):format(MOST_METRICS, name)
    end
  end
  return problems
end

local function share_text(y, n) return n > 0 and ("%.2f%% of %d"):format(100 * y / n, n) or "no requests" end

local function value_text(kind, it)
  local e = ("E worse %.3g, not worse %.3g"):format(math.exp(math.min(it.worse, 700)), math.exp(math.min(it.fine, 700)))
  if kind == "events" then return ("canary %d, primary %d; %s"):format(it.y_c, it.y_b, e) end
  local bursts = it.dispersion > 2 and (", in bursts (dispersion %.1f)"):format(it.dispersion) or ""
  return ("canary %s, primary %s; %s%s"):format(share_text(it.y_c, it.n_c), share_text(it.y_b, it.n_b), e, bursts)
end

local function rule_of(kind, p)
  if kind == "events" then return ("at most %g times the primary's events"):format(p.events_tolerance) end
  if kind == "slow" then return ("at most %g%% more requests above %gms"):format(p.slow_tolerance, p.slow) end
  return ("at most %g times the failures, %g%% more ruled out"):format(p.margin, p.tolerance)
end

--- The last gate: the totals of both arms, as one test.
local function passes_gate(kind, it, p)
  if kind == "events" then return true end
  local margin = (kind == "slow" and p.slow_tolerance or p.tolerance) / 100
  local test = proportions.noninferior(it.y_c, it.n_c, it.y_b, it.n_b, margin)
  return test ~= nil and test.p <= p.promote_alpha
end

local function judge(name, memory, state, p, limits)
  local it = comparison.result(memory, limits)
  local kind = memory.kind
  local here, least = state.here[name] or 0, kind == "events" and 1 or p.min_requests
  local out = { name = name, rule = rule_of(kind, p), value = value_text(kind, it), verdict = "inconclusive",
    ln_e = math.max(it.worse, it.slo or it.worse), all = { it.worse, it.slo }, it = it, kind = kind,
    short = here < least }
  if it.slo then out.rule = ("%s, objective %g%%"):format(out.rule, p.slo) end
  if it.n_c == 0 and (kind ~= "events" or here == 0) then
    out.verdict = "nodata"
  elseif out.ln_e < -math.log(p.alpha) and it.fine >= -math.log(p.promote_alpha) and passes_gate(kind, it, p) then
    out.verdict = "pass"
  end
  return out
end

--- All metrics: their evidence, ln of the mean of their E, the worst, and what is missing.
local function judge_all(state, p, limits)
  local out = { list = {}, all_pass = true, enough = true }
  local ln_e = {}
  for _, name in ipairs(names_of(state.metrics)) do
    local one = judge(name, state.metrics[name], state, p, limits)
    out.list[#out.list + 1] = one
    for _, value in ipairs(one.all) do ln_e[#ln_e + 1] = value end
    out.all_pass = out.all_pass and one.verdict == "pass"
    out.enough = out.enough and not one.short and one.verdict ~= "nodata"
    if not out.worst or one.ln_e > out.worst.ln_e then out.worst = one end
  end
  out.enough, out.all_pass = out.enough and #out.list > 0, out.all_pass and #out.list > 0
  out.ln_e = #ln_e > 0 and combine.mean(ln_e) or 0
  for _, one in ipairs(out.list) do
    if out.ln_e >= -math.log(p.alpha) and one.ln_e >= -math.log(p.alpha) then one.verdict = "fail" end
  end
  return out
end

local function evidence_of(judged, problems)
  local out = {}
  for _, one in ipairs(judged.list) do
    out[#out + 1] = { name = one.name, verdict = one.verdict, rule = one.rule, value = one.value }
  end
  for _, problem in ipairs(problems) do
    out[#out + 1] = { name = "samples", verdict = "error", rule = "usable samples", value = problem:sub(1, 256) }
  end
  return out
end

--- How many more canary requests the slowest metric is likely to need.
local function missing(judged, p)
  local most = 0
  for _, one in ipairs(judged.list) do
    local it = one.it
    if one.verdict ~= "pass" and one.kind ~= "events" and it.n_c > 0 and it.n_b > 0 then
      local base = math.max((it.y_b + 0.5) / (it.n_b + 1), 1e-6)
      local tolerance = (one.kind == "slow" and p.slow_tolerance or p.tolerance) / 100
      local needed = power.requests(math.min(0.999999, base + tolerance), base, it.n_b / it.n_c, p.promote_alpha, 0.8)
      most = math.max(most, needed and needed - it.n_c or 0)
    end
  end
  return most > 0 and most < NO_LIMIT and (", needs about %.0f more canary requests"):format(most) or ""
end

local function forward(ctx, p, state, judged)
  local weight, highest = ctx.now.weight, ctx.analysis.max_weight
  local calm = judged.ln_e < math.log(p.suspect)
  if judged.all_pass and judged.enough and calm and weight >= math.min(p.promote_from, highest) and weight > 0 then
    if state.resets <= p.max_resets then return "promote", "every metric is shown to be not worse" end
    return "hold", ("the canary's counters fell %d times, at most %d"):format(state.resets, p.max_resets)
  end
  if not judged.enough then return "hold", "not enough data at this weight" end
  if not calm then
    return "hold", ("%s looks worse: E %.3g"):format(judged.worst.name, math.exp(math.min(700, judged.ln_e)))
  end
  if weight < highest then return "shift", "nothing speaks against more traffic" end
  return "hold", "undecided at the last weight" .. missing(judged, p)
end

local function choose(ctx, p, state, judged)
  local now = ctx.now
  if judged.ln_e >= -math.log(p.alpha) then
    return "rollback", ("%s is worse: %s"):format(judged.worst.name, judged.worst.value)
  end
  if now.failed_checks >= ctx.analysis.threshold then
    return "rollback", ("failed checks threshold reached %d"):format(now.failed_checks)
  end
  if not now.passed then return "hold", "a check did not pass" end
  if now.weight == 0 then return "shift", "the first step" end
  return forward(ctx, p, state, judged)
end

--- What to do after a check; see policies/README.md for the context and the decision.
function sequential.decide(ctx)
  local p, limits = ctx.params, limits_of(ctx.params)
  local state = remembered(ctx)
  local problems = learn(ctx, p, state, limits)
  local judged = judge_all(state, p, limits)
  local action, reason = choose(ctx, p, state, judged)
  if action == "hold" and ctx.now.passed and ctx.now.t - state.since >= p.patience then action = "pause" end
  local weight = action == "shift" and ramp.next(ctx.analysis, ctx.now.weight) or nil
  return { action = action, reason = reason, weight = weight, evidence = evidence_of(judged, problems), state = state }
end

return sequential
