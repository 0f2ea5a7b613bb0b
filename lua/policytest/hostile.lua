--- Values at random that nobody would write and that may come all the same.

local hostile = {}

local INF, NAN = math.huge, 0 / 0
local SCALARS = { 0, -1, 1, 0.5, 1e300, -1e300, 2 ^ 53, 2 ^ 63, INF, -INF, NAN, "", "x", "canary", ("y"):rep(300),
  true, false, math.maxinteger, math.mininteger }
local KEYS = { "step", "since", "weight", "counters", "metrics", "here", "resets", "readings", "last", "slots",
  "failed", "total", "canary", "primary", "errors", "kind", "worse", "fine", "c", "b", "chi", "blocks", "name", "arm",
  "t", "counts", "buckets", "value", "series", "iterations", "passed", "approvals", 1, 2, 3 }

--- One value; tables at most `depth` deep.
function hostile.value(draw, depth)
  if depth == 0 or draw() < 0.4 then return SCALARS[math.floor(draw() * #SCALARS) + 1] end
  local out = {}
  for _ = 1, math.floor(draw() * 6) do
    out[KEYS[math.floor(draw() * #KEYS) + 1]] = hostile.value(draw, depth - 1)
  end
  return out
end

--- A copy of a state in which some values are others.
function hostile.spoilt(draw, value, depth)
  if type(value) ~= "table" then return draw() < 0.15 and hostile.value(draw, 2) or value end
  local out = {}
  for key, item in pairs(value) do
    if draw() > 0.05 then out[key] = hostile.spoilt(draw, item, (depth or 0) + 1) end
  end
  return out
end

return hostile
