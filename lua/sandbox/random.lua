--- A seeded generator of its own: the same numbers wherever and whenever.

local random = {}

--- function() -> [0, 1), by xorshift64* (Vigna).
function random.new(seed)
  local state = (seed * 0x9E3779B97F4A7C15) | 1
  return function()
    state = state ~ (state >> 12)
    state = state ~ (state << 25)
    state = state ~ (state >> 27)
    return ((state * 0x2545F4914F6CDD1D) >> 11) * 2.0 ^ -53
  end
end

return random
