--- Steps of one's own: each with its weight, its dwell, and a gate somebody has to open.
--
-- A step is over when the checks pass, its dwell is over and its gate is approved (`serin.dev/intent: approve=<gate>`).
-- After the last one the canary is promoted. Failing checks hold, and roll back at analysis.threshold, as in Flagger.
-- Pure: the same context always gives the same decision.

local percent = require("util.percent")

local steps = {
  name = "steps", api = 1, strategies = { "canary" }, samples = false, own_weights = true,
  params = {
    steps = { type = "list", min = 1, max = 50,
      default = { { weight = 5, dwell = "5m" }, { weight = 25, dwell = "10m" }, { weight = 50, dwell = "10m" } },
      of = { type = "object", fields = {
        weight = { type = "number", required = true, min = 0, max = 100, unit = "%",
          doc = "share of the canary, of two decimals at most" },
        dwell = { type = "duration", default = "0s", max = "720h", doc = "least time at this weight" },
        approve = { type = "string", doc = "gate to be approved before the step is left" },
        replicas = { type = "integer", min = 1, doc = "pods of the canary; none: as many as it has by itself" },
      } } },
  },
}

--- nil, or what cannot be done. No pods go while the canary has traffic, so that their number can only grow.
function steps.check(params, path)
  local before
  for index, step in ipairs(params.steps) do
    local replicas = step.replicas or math.huge
    if before and replicas < before then
      return ("%s.steps[%d].replicas: expected %s as at the step before, found %d"):format(path, index - 1,
        before < math.huge and ("at least %d"):format(before) or "none", replicas)
    end
    before = replicas
    if not percent.exact(step.weight, true) then
      return ("%s.steps[%d].weight: expected at most two decimals, found %.14g"):format(path, index - 1, step.weight)
    end
  end
end

--- The weights that the route has to carry, each with its path.
function steps.weights(params, path)
  local out = {}
  for index, step in ipairs(params.steps) do
    out[index] = { weight = step.weight, path = ("%s.steps[%d].weight"):format(path, index - 1) }
  end
  return out
end

--- The numbers of pods that steps ask for, each with its step and path.
function steps.pods(params, path)
  local out = {}
  for index, step in ipairs(params.steps) do
    if step.replicas then
      out[#out + 1] = { replicas = step.replicas, step = index,
        path = ("%s.steps[%d].replicas"):format(path, index - 1) }
    end
  end
  return out
end

--- The names of all gates.
function steps.gates(params)
  local out = {}
  for _, step in ipairs(params.steps) do out[#out + 1] = step.approve end
  return out
end

--- The step the canary is at, and since when: of the state where it still fits the weight, else of the weight alone.
local function position(ctx)
  local list, now = ctx.params.steps, ctx.now
  local state = type(ctx.state) == "table" and ctx.state or {}
  local step = math.tointeger(state.step)
  if step and list[step] and list[step].weight == now.weight then
    local since = state.since
    local known = type(since) == "number" and since >= 0 and since <= now.t
    return step, known and since or now.t
  end
  for index = #list, 1, -1 do
    if list[index].weight == now.weight then return index, now.t end
  end
  -- traffic was taken back, or moved by hand: from the last step below it goes on
  local last = 0
  for index, one in ipairs(list) do
    if one.weight < now.weight then last = index end
  end
  return last, now.t
end

local function approved(now, gate)
  return gate == nil or type(now.approvals) == "table" and now.approvals[gate] == true
end

local function item(verdict, rule, value)
  return { { name = "steps", verdict = verdict, rule = rule, value = value } }
end

local function to_step(list, index, now)
  local step = list[index]
  local reason = ("step %d of %d: weight %g"):format(index, #list, step.weight)
  return { action = "shift", weight = step.weight, replicas = step.replicas, reason = reason,
    state = { step = index, since = now.t }, evidence = item("pass", "the step before is over", reason) }
end

--- What still keeps the canary at its step, or nil.
local function waiting(ctx, step, since, state)
  local now = ctx.now
  local left = since + step.dwell - now.t
  if left > 0 then
    local value = ("%.0fs of %.0fs are over"):format(now.t - since, step.dwell)
    return { action = "hold", after = left, reason = "the step's dwell is not over: " .. value, state = state,
      evidence = item("inconclusive", ("dwell %.0fs"):format(step.dwell), value) }
  end
  if not approved(now, step.approve) then
    return { action = "pause", approval = step.approve, reason = "waiting for approve=" .. step.approve, state = state,
      evidence = item("inconclusive", "approve=" .. step.approve, "not approved yet") }
  end
end

local function failing(ctx)
  local now = ctx.now
  if now.failed_checks >= ctx.analysis.threshold then
    return "rollback", ("failed checks threshold reached %d"):format(now.failed_checks)
  end
  if not now.passed then return "hold", "a check did not pass" end
end

--- What to do after a check; see policies/README.md for the context and the decision.
function steps.decide(ctx)
  local list, now = ctx.params.steps, ctx.now
  local index, since = position(ctx)
  local state = { step = index, since = since }
  local action, reason = failing(ctx)
  if action then
    return { action = action, reason = reason, state = state, evidence = item("fail", "all checks pass", reason) }
  end
  if index > 0 then
    local held = waiting(ctx, list[index], since, state)
    if held then return held end
  end
  if index < #list then return to_step(list, index + 1, now) end
  return { action = "promote", reason = "all steps are over", state = state,
    evidence = item("pass", "all steps are over", ("%d steps"):format(#list)) }
end

return steps
