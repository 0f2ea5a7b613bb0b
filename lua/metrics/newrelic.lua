--- New Relic: an NRQL query, of which exactly one result names its number `result`.
--
-- Keys of the Secret beside those of ask.lua: newrelic_account_id, newrelic_query_key.

local answer = require("metrics.answer")
local ask = require("metrics.ask")
local text = require("util.text")

local newrelic = { name = "newrelic" }

local SERVER = "https://insights-api.newrelic.com"

local function request(ctx, query, read)
  local place, account, key, message
  place, message = ask.place(ctx, SERVER)
  if not place then return nil, message end
  account, message = ask.key(ctx, "newrelic_account_id")
  if not account then return nil, message end
  key, message = ask.key(ctx, "newrelic_query_key")
  if not key then return nil, message end
  local nrql = ("%s SINCE %d seconds ago"):format(query, math.floor(ctx.interval))
  return ask.request(ctx, place, { path = ("v1/accounts/%s/query"):format(text.percent(account)),
    query = { { "nrql", nrql } }, headers = { ["X-Query-Key"] = key }, read = read })
end

--- What to ask. See README.md for `ctx`.
function newrelic.request(ctx) return request(ctx, ctx.query) end

--- The number that an answer holds; nil and "no values found"; or nil, message, CODE.
function newrelic.parse(given)
  local object, results, message, code
  object, message, code = answer.object(given)
  if not object then return nil, message, code end
  results, message, code = answer.list(object, "results")
  if not results then return nil, message, code end
  if #results ~= 1 then return answer.none() end
  if not answer.is_object(results[1]) then return answer.bad("results of the answer holds no object") end
  return answer.number(results[1].result, "result of the answer")
end

--- Whether the account answers at all.
function newrelic.online(ctx) return request(ctx, "SELECT * FROM Metric", "heard") end

function newrelic.heard(given)
  local body, message, code = answer.body(given)
  if body then return 1 end
  return nil, message, code
end

return newrelic
