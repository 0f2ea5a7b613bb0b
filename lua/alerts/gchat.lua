--- Google Chat: a card of its first version, as Flagger sends it.

local json = require("json")

local gchat = { name = "gchat" }

local GREY = "<font color=#848484><strong>%s</strong></font>"

--- What people wrote is text, not markup.
local function plain(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

local function section(text)
  return { widgets = json.array({ { textParagraph = { text = text } } }) }
end

--- The request that tells an alert.
function gchat.request(alert, to)
  local sections = json.array({ section(GREY:format(plain(alert.message))) })
  for _, field in ipairs(alert.fields) do
    sections[#sections + 1] = section(plain(field.name) .. "<br>" .. GREY:format(plain(field.value)))
  end
  local header = { title = "Flagger", subtitle = alert.canary, imageUrl = "https://flagger.app/favicon.png" }
  return { url = to.address, body = { cards = json.array({ { header = header, sections = sections } }) } }
end

return gchat
