--- A policy that never decides. Its release is rolled back when its checks have failed often enough.

local stuck = { name = "stuck", api = 1 }

function stuck.decide()
  local function forever() return forever() end
  return forever()
end

return stuck
