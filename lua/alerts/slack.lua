--- Slack's incoming webhooks, and what takes the same message.

local json = require("json")

local slack = { name = "slack" }

--- The message; colours are the caller's.
function slack.message(alert, to, good, danger)
  local fields = json.array()
  for index, field in ipairs(alert.fields) do
    fields[index] = { title = field.name, value = field.value, short = false }
  end
  return {
    channel = to.channel,
    username = to.username,
    icon_url = "",
    icon_emoji = ":rocket:",
    attachments = json.array({ {
      color = alert.severity == "error" and danger or good,
      author_name = alert.canary,
      text = alert.message,
      mrkdwn_in = json.array({ "text" }),
      fields = fields,
    } }),
  }
end

--- The request that tells an alert; a bot's token is sent as a header.
function slack.request(alert, to)
  return {
    url = to.address,
    headers = { Authorization = to.token and "Bearer " .. to.token or nil },
    body = slack.message(alert, to, "good", "danger"),
  }
end

--- What is wrong although the status is good, as its API says that; nil when nothing is.
function slack.complaint(answer)
  local body = json.decode(answer.body)
  if type(body) ~= "table" or body.ok ~= false then return nil end
  local code = type(body.error) == "string" and body.error:match("^[%w_]+$") or "no reason given"
  return "the chat answered " .. code:sub(1, 64)
end

return slack
