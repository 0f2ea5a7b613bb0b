--- Shares in percent: whole numbers, and hundredths where a route can carry them.
--
-- Whole ones are integers, so that they are written as ever; the others are the nearest doubles of n / 100, so that two
-- ways to the same share give the same number.

local percent = {}

--- The share of `count` hundredths of a percent.
function percent.of_hundredths(count)
  if count % 100 == 0 then return count // 100 end
  return count / 100
end

--- Hundredths of a percent, as an integer.
function percent.hundredths(share)
  return math.floor(share * 100 + 0.5)
end

--- The share when it is one from 0 to 100 (with `fine` to the hundredth, else whole), or nil.
function percent.exact(value, fine)
  if type(value) ~= "number" or not (value >= 0 and value <= 100) then return nil end
  if not fine then return math.tointeger(value) end
  local count = percent.hundredths(value)
  if math.abs(value * 100 - count) > 1e-6 then return nil end
  return percent.of_hundredths(count)
end

--- `share` less `part`.
function percent.less(share, part)
  return percent.of_hundredths(percent.hundredths(share) - percent.hundredths(part))
end

return percent
