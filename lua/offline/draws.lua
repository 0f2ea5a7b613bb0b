--- Counts of independent requests: Poisson draws.

local draws = {}

local LARGE = 30 -- mean from which the normal approximation is used

--- A draw of the Poisson distribution, by products of uniform numbers (Knuth) or, for large means, the normal
--- distribution of the same mean and variance (Box & Muller).
--- @param random function  -> [0, 1)
function draws.poisson(random, mean)
  if mean <= 0 then return 0 end
  if mean < LARGE then
    local limit, count, product = math.exp(-mean), 0, random()
    while product > limit do
      count, product = count + 1, product * random()
    end
    return count
  end
  local gauss = math.sqrt(-2 * math.log(1 - random())) * math.cos(2 * math.pi * random())
  local value = mean + math.sqrt(mean) * gauss
  return value > 0 and math.floor(value + 0.5) or 0
end

return draws
