--- Fields of a URL's query or of a posted form.

local form = {}

local function unescape(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- { key = value } of "a=1&b=x%20y"; of a repeated key the last one counts.
function form.decode(text)
  local out = {}
  for part in text:gmatch("[^&]+") do
    local key, value = part:match("^([^=]*)=?(.*)$")
    out[unescape(key)] = unescape(value)
  end
  return out
end

return form
