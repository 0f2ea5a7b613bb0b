--- Turns a misspelt global into an error where it is used.

local strict = {}

--- From now on reading or writing a global that `env` does not have raises.
function strict.on(env)
  return setmetatable(env, {
    __index = function(_, name) error("no such global: " .. tostring(name), 2) end,
    __newindex = function(_, name) error("new global: " .. tostring(name), 2) end,
  })
end

return strict
