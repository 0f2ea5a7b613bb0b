--- The innocent neighbour of the others: it asks one thing and passes.

local innocent = { name = "innocent", api = 1, grants = { "prom" } }

function innocent.run()
  local value, message = prom.query(nil, "vector(1)")
  if not value then return verdict.error{ rule = "an answer", message = message } end
  return verdict.pass{ value = value, rule = "an answer", query = "vector(1)" }
end

return innocent
