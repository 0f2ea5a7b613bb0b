--- Rocket.Chat, which takes Slack's messages; colours are names of its own.

local slack = require("alerts.slack")

local rocket = { name = "rocket" }

--- The request that tells an alert.
function rocket.request(alert, to)
  return { url = to.address, body = slack.message(alert, to, "#0076D7", "#FF0000") }
end

return rocket
