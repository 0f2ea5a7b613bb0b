--- Session affinity: the texts that the rules of any provider are made of.

local json = require("json")

local affinity = {}

local DAY = 86400
local ARMS = { "canary", "primary" }

--- Affinity is wanted, and no match takes its place.
function affinity.on(canary)
  return canary.analysis.session_affinity ~= nil and #canary.analysis.match == 0
end

--- The canary's cookie `name=value` of "canary", "primary" or "previous", or nil where there is none.
local function pair_of(canary, which)
  local pair = canary.cookies[which]
  if which == "primary" and (canary.analysis.session_affinity.primaryCookieName or "") == "" then return nil end
  return pair and pair:find("=", 1, true) and pair or nil
end

local function max_age(canary, arm)
  local given = math.tointeger(canary.analysis.session_affinity.maxAge)
  if arm == "primary" then return math.tointeger(canary.analysis.interval) or 60 end
  return given and given ~= 0 and given or DAY
end

--- What to send in Set-Cookie for "canary" or "primary", or nil when that arm has no cookie. COMPAT: the order.
function affinity.set_cookie(canary, arm)
  local settings, pair = canary.analysis.session_affinity, pair_of(canary, arm)
  if not pair then return nil end
  local out = { pair, ("Max-Age=%d"):format(max_age(canary, arm)) }
  local function add(text) out[#out + 1] = text end
  if (settings.domain or "") ~= "" then add("Domain=" .. settings.domain) end
  if settings.httpOnly then add("HttpOnly") end
  if settings.partitioned then add("Partitioned") end
  if (settings.path or "") ~= "" then add("Path=" .. settings.path) end
  if (settings.sameSite or "") ~= "" then add("SameSite=" .. settings.sameSite) end
  if settings.secure then add("Secure") end
  return table.concat(out, "; ")
end

local function literal(text)
  return (text:gsub("[^%w_%-]", "\\%0"))
end

--- The regular expression for a request with the cookie. The value has no `=`, the name may have.
local function regex(pair)
  local name, value = pair:match("^(.*)=([^=]*)$")
  return (".*%s.*%s.*"):format(literal(name), literal(value))
end

--- The rules before the weighted one, in order: { arm, regex } sends a known session to its arm,
--- { forget, regex } has the cookie of the last run forgotten.
function affinity.rules(canary, weight)
  local out = json.array()
  if weight == 0 then
    local old = pair_of(canary, "previous")
    if old then out[1] = { forget = old .. "; Max-Age=-1", regex = regex(old) } end
    return out
  end
  for _, arm in ipairs(ARMS) do
    local pair = pair_of(canary, arm)
    if pair then out[#out + 1] = { arm = arm, regex = regex(pair) } end
  end
  return out
end

return affinity
