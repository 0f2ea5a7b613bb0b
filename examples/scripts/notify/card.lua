--- A Slack card of blocks: a headline, the facts in two columns, and a button to a dashboard.
--
--   kind: AlertProvider
--   spec: {type: lua, channel: releases, secretRef: {name: on-call}, script: {name: card, params: {dashboard: https://...}}}

local SIGNS = { info = ":white_check_mark:", warn = ":warning:", error = ":rotating_light:" }
local MOST_FIELDS = 10 -- of one section, says Slack

local card = {
  name = "card", api = 1,
  params = { dashboard = { type = "string", doc = "where the button leads; the name of the Canary is added" } },
}

local function headline(event)
  return { type = "section", text = { type = "mrkdwn",
    text = ("%s *%s*\n%s"):format(SIGNS[event.severity] or "", event.canary, event.message) } }
end

local function facts(event)
  local fields = json.array()
  for index, field in ipairs(event.fields) do
    if index > MOST_FIELDS then break end
    fields[index] = { type = "mrkdwn", text = ("*%s*\n%s"):format(field.name, field.value) }
  end
  return { type = "section", fields = fields }
end

local function button(event)
  return { type = "actions", elements = json.array({ { type = "button", url = event.params.dashboard .. event.canary,
    text = { type = "plain_text", text = "Dashboard" } } }) }
end

function card.render(event)
  local blocks = json.array({ headline(event) })
  if #event.fields > 0 then blocks[#blocks + 1] = facts(event) end
  if event.params.dashboard then blocks[#blocks + 1] = button(event) end
  return { body = { channel = event.channel, username = event.username, text = event.message, blocks = blocks } }
end

return card
