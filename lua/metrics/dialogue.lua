--- What is said between the engine and a provider's server: one request, or several of which each answer leads to the
--- next. See README.md.

local dialogue = {}

local MOST_REQUESTS = 16

--- A function that takes what was answered to `request` (and then to each further one) and returns what `conclude`
--- makes of the result; or nil and the next request.
--- @param conclude function  (number) | (nil, message, CODE) -> any
function dialogue.new(provider, ctx, request, conclude)
  local asked, count = request, 1
  return function(answer, message, code)
    local given = answer
    if asked.kube then
      given = { object = answer, message = message, code = code }
    elseif not answer then
      return conclude(nil, "request failed: " .. tostring(message), code)
    end
    local value, why, status = provider[asked.read or "parse"](given, ctx, asked)
    if type(value) ~= "table" then return conclude(value, why, status) end
    asked, count = value, count + 1
    if count > MOST_REQUESTS then
      return conclude(nil, ("no result after %d requests"):format(MOST_REQUESTS), "BAD_ANSWER")
    end
    return nil, value
  end
end

return dialogue
