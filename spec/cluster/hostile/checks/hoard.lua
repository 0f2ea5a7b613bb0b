--- A check that takes all the memory it can get.

local hoard = { name = "hoard", api = 1 }

function hoard.run()
  local kept = {}
  while true do kept[#kept + 1] = ("x"):rep(1 << 16) .. #kept end
end

return hoard
