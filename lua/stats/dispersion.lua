--- Do the failures of blocks scatter as independent requests would? Requests of one client or one bad host do not.

local check = require("stats.check")

local dispersion = {}

--- Pearson's chi-square over the blocks divided by its degrees of freedom: about 1 for independent requests; above 2
--- the tests here promise too much. Blocks without requests are left out.
--- @param list table  { { y = failures, n = requests }, ... }
--- @return number  ratio, degrees of freedom (ratio 1 when nothing can be said); or nil, message
function dispersion.pearson(list)
  local bad = check.tables("blocks", list, 100000)
  for index = 1, bad and 0 or #list do
    bad = bad or check.part(("blocks[%d].y"):format(index), list[index].y, "n", list[index].n)
  end
  if bad then return nil, bad end
  local y, n, used = 0, 0, 0
  for _, block in ipairs(list) do
    y, n, used = y + block.y, n + block.n, used + (block.n > 0 and 1 or 0)
  end
  local p = n > 0 and y / n or 0
  if used < 2 or p <= 0 or p >= 1 then return 1.0, math.max(0, used - 1) end
  local sum = 0
  for _, block in ipairs(list) do
    if block.n > 0 then sum = sum + (block.y - block.n * p) ^ 2 / (block.n * p * (1 - p)) end
  end
  return sum / (used - 1), used - 1
end

return dispersion
