--- The known name that a misspelt one most likely means.

local nearest = {}

local LONGEST = 64 -- bytes of a name that are compared

--- Edit distance, row by row; two letters that changed places are one edit (optimal string alignment).
local function distance(a, b)
  local above, row = nil, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local now = { [0] = i }
    for j = 1, #b do
      local change = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, now[j - 1] + 1, row[j - 1] + change)
      if above and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        best = math.min(best, above[j - 2] + 1)
      end
      now[j] = best
    end
    above, row = row, now
  end
  return row[#b]
end

local function names(candidates)
  local out = {}
  if #candidates > 0 then
    for index, name in ipairs(candidates) do out[index] = name end
  else
    for name in pairs(candidates) do out[#out + 1] = name end
  end
  table.sort(out)
  return out
end

--- The candidate closest to `word`, or nil when none is close (a third of its letters may differ).
--- @param candidates table  a list of names, or a map whose keys are the names
function nearest.of(word, candidates)
  local short = word:sub(1, LONGEST):lower()
  local best, fewest = nil, math.max(1, #short // 3) + 1
  for _, name in ipairs(names(candidates)) do
    local edits = distance(short, name:sub(1, LONGEST):lower())
    if edits < fewest then best, fewest = name, edits end
  end
  return best
end

return nearest
