--- A check that asks as much as it may, says as much as it may, and answers with more than is taken.

local flood = { name = "flood", api = 1, grants = { "prom" } }

function flood.run()
  for _ = 1, 20 do
    log.error(("x"):rep(4096))
    prom.query(nil, "vector(1)")
  end
  local out = {}
  for index = 1, 20000 do out[index] = "x" end
  return out
end

return flood
