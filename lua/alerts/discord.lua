--- Discord, which takes Slack's messages at an address that ends with /slack.

local slack = require("alerts.slack")

local discord = { name = "discord" }

--- The address with /slack behind its path, before a query.
local function address_of(address)
  local path, query = address:match("^([^?]*)(.*)$")
  path = path:gsub("/+$", "")
  if not path:find("/slack$") then path = path .. "/slack" end
  return path .. query
end

--- The request that tells an alert.
function discord.request(alert, to)
  return { url = address_of(to.address), body = slack.message(alert, to, "good", "danger") }
end

return discord
