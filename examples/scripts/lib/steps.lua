--- The steps that the spec describes, for policies that only say when they are made.

local steps = {}

--- The next weight; nil when the last one is live.
function steps.next(analysis, weight)
  if weight >= analysis.max_weight then return nil end
  for _, step in ipairs(analysis.step_weights or {}) do
    if step > weight then return step end
  end
  if #(analysis.step_weights or {}) > 0 then return nil end
  return math.min(analysis.max_weight, weight + analysis.step_weight)
end

--- What the fields of the spec mean: hold or roll back for failed checks, else the next step or the promotion.
function steps.decide(ctx)
  local now = ctx.now
  if now.failed_checks >= ctx.analysis.threshold then
    return { action = "rollback", reason = ("failed checks threshold reached %d"):format(now.failed_checks) }
  end
  if not now.passed then return { action = "hold", reason = "a check did not pass" } end
  local weight = steps.next(ctx.analysis, now.weight)
  if not weight then return { action = "promote", reason = "the last step passed" } end
  return { action = "shift", weight = weight, reason = "checks passed" }
end

return steps
