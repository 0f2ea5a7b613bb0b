--- A policy that never decides: its release stays where it is, without traffic, and says so.

local stuck = { name = "stuck", api = 1 }

function stuck.decide()
  local function forever() return forever() end
  return forever()
end

return stuck
