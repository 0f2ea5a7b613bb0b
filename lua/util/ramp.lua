--- The weights that spec.analysis names, one after the other.

local ramp = {}

--- The weight after `weight`: one stepWeight more, or the first of stepWeights above it.
--- @param analysis table  { step_weight, step_weights?, max_weight }
function ramp.next(analysis, weight)
  if analysis.step_weights then
    for _, step in ipairs(analysis.step_weights) do
      if step > weight then return math.min(step, 100) end
    end
    return analysis.max_weight
  end
  return math.min(100, weight + analysis.step_weight)
end

return ramp
