--- How much data a decision needs.

local check = require("stats.check")
local normal = require("stats.normal")

local power = {}

--- Canary requests until a one-sided z test tells rate `p1` of the canary from `p2` of the primary (Fleiss, Levin &
--- Paik 2003, ch. 4), as a number with fraction; or nil, message.
--- @param ratio number  primary requests for each of the canary
--- @param alpha number  chance of a false alarm
--- @param strength number  chance of finding the difference
function power.requests(p1, p2, ratio, alpha, strength)
  local bad = check.open("p1", p1) or check.open("p2", p2) or check.positive("ratio", ratio)
    or check.open("alpha", alpha) or check.open("strength", strength)
  if not bad and p1 == p2 then bad = ("p1, p2: expected two different rates, found %g twice"):format(p1) end
  if bad then return nil, bad end
  local both = (p1 + ratio * p2) / (1 + ratio)
  local spread = -normal.quantile(alpha) * math.sqrt(both * (1 - both) * (1 + 1 / ratio))
    + normal.quantile(strength) * math.sqrt(p1 * (1 - p1) + p2 * (1 - p2) / ratio)
  return spread * spread / ((p1 - p2) * (p1 - p2))
end

return power
