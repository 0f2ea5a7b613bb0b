--- Where a provider is: the address of its template in parts, and URLs below it.

local text = require("util.text")

local address = {}

local SCHEMES = { http = "http", https = "https" }

--- { scheme, host (with its port), path, userinfo? } of an http or https address, or nil. What follows its path is
--- dropped.
--- @param schemes table?  what else is accepted: { name as written = name to use }
function address.split(value, schemes)
  if type(value) ~= "string" or value:find("[%c ]") then return nil end
  local scheme, authority, path = value:match("^(%a+)://([^/?#]+)([^?#]*)")
  scheme = scheme and (schemes or SCHEMES)[scheme:lower()]
  if not scheme then return nil end
  local userinfo, host = authority:match("^(.*)@(.*)$")
  host = host or authority
  if not (host:find("^[%w%-._~]+$") or host:find("^[%w%-._~]+:%d+$") or host:find("^%[[%x:.]+%]:?%d*$")) then
    return nil
  end
  return { scheme = scheme, host = host, path = path, userinfo = userinfo }
end

--- `prefix/path` without empty and dotted parts.
local function join(prefix, path)
  local parts = {}
  for part in (prefix .. "/" .. path):gmatch("[^/]+") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return "/" .. table.concat(parts, "/")
end

--- "name=value&..." of a list of { name, value }, in its order.
function address.query(list)
  local out = {}
  for index, pair in ipairs(list) do out[index] = text.percent(pair[1]) .. "=" .. text.percent(tostring(pair[2])) end
  return table.concat(out, "&")
end

--- The URL of `path` below an address.
--- @param parts table      what `split` gave
--- @param path string      already escaped
--- @param query table?     a list of { name, value }
function address.url(parts, path, query)
  local url = ("%s://%s%s"):format(parts.scheme, parts.host, join(parts.path, path))
  return query and url .. "?" .. address.query(query) or url
end

--- What percent signs stand for.
function address.unescape(value)
  return (value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- User and password of an address, or nil.
function address.login(parts)
  if not parts.userinfo then return nil end
  local user, password = parts.userinfo:match("^([^:]*):?(.*)$")
  return address.unescape(user), address.unescape(password)
end

--- An address for people: a password in it is not shown.
function address.shown(value)
  return text.cut((tostring(value or ""):gsub("//[^/@]*@", "//***@")), 256)
end

return address
