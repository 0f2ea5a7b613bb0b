--- AWS Signature Version 4: what has to be added to a request so that AWS accepts it.
--
-- Source: "Signature Version 4 for API requests" of the AWS documentation (IAM user guide, "Create a signed AWS API
-- request"). The path is taken as it goes over the wire and escaped a second time, as for every service but S3.

local digest = require("digest")
local rfc3339 = require("util.rfc3339")
local text = require("util.text")

local sigv4 = {}

local ALGORITHM = "AWS4-HMAC-SHA256"

local function unescape(value)
  return (value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- The host, path ("/" at least) and query ("" without one) of an http or https URL.
local function split(url)
  local rest = url:gsub("#.*$", "")
  local host, tail = rest:match("^%a+://([^/?]+)(.*)$")
  local path, query = tail:match("^([^?]*)%??(.*)$")
  return host:match("[^@]*$"), path == "" and "/" or path, query
end

--- The path without empty and dotted parts, each part escaped once more.
local function canonical_path(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = text.percent(part)
    end
  end
  local joined = "/" .. table.concat(parts, "/")
  local ends_open = path:find("/%.?%.?$") ~= nil
  return ends_open and joined ~= "/" and joined .. "/" or joined
end

--- Names and values escaped in one way, sorted by bytes; a `+` is itself.
local function canonical_query(query)
  local pairs_of = {}
  for pair in query:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    pairs_of[#pairs_of + 1] = { text.percent(unescape(name)), text.percent(unescape(value)) }
  end
  table.sort(pairs_of, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  local out = {}
  for index, pair in ipairs(pairs_of) do out[index] = pair[1] .. "=" .. pair[2] end
  return table.concat(out, "&")
end

local function trimmed(value)
  return (value:gsub("^%s+", ""):gsub("%s+$", ""):gsub(" +", " "))
end

--- "name:value\n" lines in order, and the names joined by `;`.
local function canonical_headers(headers)
  local names, values = {}, {}
  for name, value in pairs(headers) do
    local list = {}
    for index, one in ipairs(type(value) == "table" and value or { value }) do list[index] = trimmed(one) end
    names[#names + 1] = name:lower()
    values[name:lower()] = table.concat(list, ",")
  end
  table.sort(names)
  local lines = {}
  for index, name in ipairs(names) do lines[index] = name .. ":" .. values[name] .. "\n" end
  return table.concat(lines), table.concat(names, ";")
end

--- The text whose SHA-256 is signed, and the names of the headers in it.
--- @param request table  { method =, url =, headers = (with Host), body = }
function sigv4.canonical(request)
  local _, path, query = split(request.url)
  local lines, names = canonical_headers(request.headers)
  return table.concat({ request.method, canonical_path(path), canonical_query(query), lines, names,
    digest.sha256(request.body or "") }, "\n"), names
end

local function signing_key(secret, date, scope)
  local key = digest.hmac_sha256("AWS4" .. secret, date)
  for _, part in ipairs({ scope.region, scope.service, "aws4_request" }) do key = digest.hmac_sha256(key, part) end
  return key
end

--- The headers of `request` and those that sign it: X-Amz-Date, X-Amz-Security-Token for temporary credentials, and
--- Authorization. Host is signed and left to the HTTP client. The request is not changed.
--- @param request table      { method =, url =, headers = { Name = value | {values} }, body = }
--- @param credentials table  { key =, secret =, token = (of temporary ones) }
--- @param scope table        { region =, service = }
--- @param now number         seconds since the epoch
function sigv4.headers(request, credentials, scope, now)
  local stamp = rfc3339.format(now):gsub("[-:]", "")
  local out, signed = {}, {}
  for name, value in pairs(request.headers or {}) do out[name] = value end
  out["X-Amz-Date"] = stamp
  out["X-Amz-Security-Token"] = credentials.token
  for name, value in pairs(out) do signed[name] = value end
  signed.Host = split(request.url)
  local canonical, names = sigv4.canonical({ method = request.method, url = request.url, headers = signed,
    body = request.body })
  local date = stamp:sub(1, 8)
  local place = ("%s/%s/%s/aws4_request"):format(date, scope.region, scope.service)
  local to_sign = table.concat({ ALGORITHM, stamp, place, digest.sha256(canonical) }, "\n")
  local signature = digest.hex(digest.hmac_sha256(signing_key(credentials.secret, date, scope), to_sign))
  out.Authorization = ("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s"):format(ALGORITHM, credentials.key,
    place, names, signature)
  return out
end

return sigv4
