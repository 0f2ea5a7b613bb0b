--- A check that never ends, beside the scripts of spec/cluster/scripts: it stops nobody.

local spin = { name = "spin", api = 1 }

function spin.run()
  while true do pcall(error) end
end

return spin
