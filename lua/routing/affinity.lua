--- Session affinity: the texts that the rules of any provider are made of.

local json = require("json")

local affinity = {}

--- The rules have something to set or to look for: affinity is wanted and no match takes its place.
function affinity.on(canary)
  return canary.analysis.session_affinity ~= nil and #canary.analysis.match == 0
end

--- What to send in Set-Cookie for `name=value`. COMPAT: order and spelling.
function affinity.cookie(settings, pair, max_age)
  local out = { pair, ("Max-Age=%d"):format(max_age) }
  local function add(text) out[#out + 1] = text end
  if (settings.domain or "") ~= "" then add("Domain=" .. settings.domain) end
  if settings.httpOnly then add("HttpOnly") end
  if settings.partitioned then add("Partitioned") end
  if (settings.path or "") ~= "" then add("Path=" .. settings.path) end
  if (settings.sameSite or "") ~= "" then add("SameSite=" .. settings.sameSite) end
  if settings.secure then add("Secure") end
  return table.concat(out, "; ")
end

--- Set-Cookie for the arm "canary" or "primary", or nil when that arm has no cookie.
function affinity.set_cookie(canary, arm)
  local settings, pair = canary.analysis.session_affinity, canary.cookies[arm]
  if not pair then return nil end
  if arm == "canary" then
    local max_age = settings.maxAge
    return affinity.cookie(settings, pair, math.tointeger(max_age) ~= 0 and math.tointeger(max_age) or 86400)
  end
  if (settings.primaryCookieName or "") == "" then return nil end
  return affinity.cookie(settings, pair, math.tointeger(canary.analysis.interval) or 60)
end

--- What tells the browser to forget the cookie of a finished run.
function affinity.forget(pair)
  return pair .. "; Max-Age=-1"
end

local function literal(text)
  return (text:gsub("[^%w_%-]", "\\%0"))
end

--- The regular expression for a request with the cookie `name=value`. The value has no `=`.
function affinity.regex(pair)
  local name, value = pair:match("^(.*)=([^=]*)$")
  return (".*%s.*%s.*"):format(literal(name), literal(value))
end

--- The rules around the weighted one, in order, as { arm | forget, regex }.
function affinity.rules(canary, weight)
  local out, cookies = json.array(), canary.cookies
  if weight == 0 then
    local old = cookies.previous
    if old then out[1] = { forget = affinity.forget(old), regex = affinity.regex(old) } end
    return out
  end
  for _, arm in ipairs({ "canary", "primary" }) do
    if affinity.set_cookie(canary, arm) then out[#out + 1] = { arm = arm, regex = affinity.regex(cookies[arm]) } end
  end
  return out
end

return affinity
