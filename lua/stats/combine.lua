--- Several tests as one.

local check = require("stats.check")

local combine = {}

local MOST = 10000

--- ln of the mean of several E: again an e-value, whatever the dependence (Vovk & Wang, Ann. Stat. 49:1736, 2021). Or
--- nil, message.
--- @param ln_e table  a list of ln E
function combine.mean(ln_e)
  local bad = check.values("ln_e", ln_e, MOST)
  if bad then return nil, bad end
  local most, sum = math.max(table.unpack(ln_e)), 0
  for _, value in ipairs(ln_e) do sum = sum + math.exp(value - most) end
  return most + math.log(sum / #ln_e)
end

local function order(values, before)
  local out = {}
  for index = 1, #values do out[index] = index end
  table.sort(out, function(a, b)
    if values[a] ~= values[b] then return before(values[a], values[b]) end
    return a < b
  end)
  return out
end

--- p adjusted so that the chance of any false alarm stays alpha (Holm 1979), in the order given; or nil, message.
function combine.holm(p)
  local bad = check.values("p", p, MOST)
  for index = 1, bad and 0 or #p do
    if p[index] < 0 or p[index] > 1 then
      bad = ("p[%d]: expected a number from 0 to 1, found %g"):format(index, p[index])
    end
  end
  if bad then return nil, bad end
  local out, least = {}, 0
  for rank, index in ipairs(order(p, function(a, b) return a < b end)) do
    least = math.max(least, math.min(1, (#p - rank + 1) * p[index]))
    out[index] = least
  end
  return out
end

--- Which of several E are discoveries with a false discovery rate of alpha (e-BH: Wang & Ramdas, JRSS-B 84:822, 2022):
--- a list of true and false in the order given; or nil, message.
function combine.e_bh(ln_e, alpha)
  local bad = check.values("ln_e", ln_e, MOST) or check.open("alpha", alpha)
  if bad then return nil, bad end
  local sorted = order(ln_e, function(a, b) return a > b end)
  local last = 0
  for rank, index in ipairs(sorted) do
    if ln_e[index] >= math.log(#ln_e / (alpha * rank)) then last = rank end
  end
  local out = {}
  for rank, index in ipairs(sorted) do out[index] = rank <= last end
  return out
end

return combine
