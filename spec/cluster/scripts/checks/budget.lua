--- How much of its error budget a service has left, says the budget service.
--
--   metrics: [{name: budget, script: {name: budget, params: {service: checkout, least: 25}}}]
--
-- It answers {"left": 87.5, "requests": 120000} at /budgets/<service>: percent, and over how many requests.

local rest = require("lib.rest")

local API = "http://127.0.0.1:9617/api/v1"

local budget = {
  name = "budget", api = 1,
  grants = { "http:" .. API },
  params = {
    service = { type = "string", required = true, doc = "whose budget" },
    least = { type = "number", default = 20, min = 0, max = 100, unit = "%", doc = "of the budget has to be left" },
  },
}

function budget.run(ctx)
  local url = API .. "/budgets/" .. ctx.params.service:gsub("[^%w%-_.]", "")
  local rule = (">= %g %% of the budget left"):format(ctx.params.least)
  local body, word, message = rest.get(url)
  if not body then return verdict[word]{ rule = rule, query = url, message = message } end
  if type(body.left) ~= "number" then
    return verdict.error{ rule = rule, query = url, message = "left: expected a number, found " .. type(body.left) }
  end
  local answer = body.left >= ctx.params.least and verdict.pass or verdict.fail
  return answer{ value = body.left, rule = rule, query = url, n = math.tointeger(body.requests) }
end

return budget
