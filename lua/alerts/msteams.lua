--- Microsoft Teams: the message card of its retired connectors, and the adaptive card of Workflows, which took their
--- place. Which of them is told by the address: Workflows live on Logic Apps and Power Platform.

local json = require("json")

local msteams = { name = "msteams" }

local WORKFLOWS = { "%.logic%.azure%.com$", "%.logic%.azure%.us$", "%.powerplatform%.com$", "%.powerautomate%.com$" }

local function is_workflow(address)
  local host = address:match("^%a+://([^/?#:]+)") or ""
  for _, pattern in ipairs(WORKFLOWS) do
    if host:lower():find(pattern) then return true end
  end
  return false
end

local function facts_of(alert, name)
  local out = json.array()
  for index, field in ipairs(alert.fields) do out[index] = { [name] = field.name, value = field.value } end
  return out
end

local function message_card(alert)
  return {
    ["@type"] = "MessageCard",
    ["@context"] = "http://schema.org/extensions",
    themeColor = alert.severity == "error" and "FF0000" or "0076D7",
    summary = alert.canary,
    sections = json.array({ {
      activityTitle = alert.message, activitySubtitle = alert.canary, facts = facts_of(alert, "name"),
    } }),
  }
end

-- https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
local function adaptive_card(alert)
  local body = json.array({
    { type = "TextBlock", text = alert.message, wrap = true, weight = "Bolder", size = "Medium",
      color = alert.severity == "error" and "Attention" or alert.severity == "warn" and "Warning" or "Good" },
    { type = "TextBlock", text = alert.canary, wrap = true, isSubtle = true, spacing = "None" },
  })
  if #alert.fields > 0 then body[3] = { type = "FactSet", facts = facts_of(alert, "title") } end
  return {
    type = "message",
    attachments = json.array({ {
      contentType = "application/vnd.microsoft.card.adaptive",
      contentUrl = json.null,
      content = {
        ["$schema"] = "http://adaptivecards.io/schemas/adaptive-card.json", type = "AdaptiveCard", version = "1.4",
        body = body,
      },
    } }),
  }
end

--- The request that tells an alert.
function msteams.request(alert, to)
  return { url = to.address, body = is_workflow(to.address) and adaptive_card(alert) or message_card(alert) }
end

--- What is wrong although the status is good: a connector whose message did not arrive says so; nil when nothing is.
function msteams.complaint(answer)
  if answer.body:find("Webhook message delivery failed", 1, true) then return "the connector could not deliver it" end
end

return msteams
