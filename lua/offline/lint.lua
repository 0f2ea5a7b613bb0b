--- What a script would raise at a name, said before it is run: in the words in which its worker says it.

local calls = require("scripts.calls")
local inside = require("kit.inside")
local names = require("offline.names")
local nearest = require("util.nearest")
local text = require("util.text")

local lint = {}

local ALL = { prom = true, prom_at = {}, http = { true }, kube = { all = true } }
local GRANTED = { prom = true, http = true, kube = true }
local ADDED = {
  json = { encode = true, decode = true, null = true, array = true, is_array = true },
  verdict = { pass = true, fail = true, inconclusive = true, nodata = true, error = true },
}
local INLINE = { "address", "canary", "variables", "interval", "metric" } -- of a MetricTemplate's text

local function set(list)
  local out = {}
  for _, name in ipairs(list) do out[name] = true end
  return out
end

--- name -> true, or the names of its fields.
local function known()
  local out = { require = true, _G = true }
  for _, name in ipairs(inside.GLOBALS) do out[name] = true end
  for name, fields in pairs(inside.LIBRARIES) do out[name] = set(fields) end
  for name, fields in pairs(ADDED) do out[name] = fields end
  for name in pairs(calls.of({}, { grants = ALL })) do
    local first, second = name:match("^(%w+)%.(%w+)$")
    out[first] = out[first] or {}
    out[first][second] = true
  end
  return out
end

local function hint(word, list)
  local close = nearest.of(word, list)
  return close and (" (did you mean %s?)"):format(close) or ""
end

local function sorted(map)
  local out = {}
  for name in pairs(map) do out[#out + 1] = name end
  table.sort(out)
  return out
end

local function granted(grants, name)
  if name == "prom" then return grants.prom or next(grants.prom_at) ~= nil end
  if name == "http" then return #grants.http > 0 end
  return next(grants.kube) ~= nil
end

local function problem(use, all, grants)
  local fields = all[use.name]
  if use.set then return ("%s: expected a local, found a global"):format(use.name) end
  if not fields then return ("%s is not defined%s"):format(text.cut(use.name, 64), hint(use.name, all)) end
  if type(fields) == "table" and use.field and not fields[use.field] then
    return ("%s.%s: expected one of %s%s"):format(use.name, text.cut(use.field, 64),
      table.concat(sorted(fields), ", "), hint(use.field, fields))
  end
  if GRANTED[use.name] and grants and not granted(grants, use.name) then
    return ("%s is not granted: expected it in the header's grants"):format(use.name)
  end
end

--- { { line =, message = } ... } by line, each message once.
--- @param options table  { grants = as scripts/grants.lua read them, of a script that has a header; inline = true for
---   the text of a MetricTemplate }
function lint.of(source, options)
  local all, out, seen = known(), {}, {}
  for _, name in ipairs(options.inline and INLINE or {}) do all[name] = true end
  for _, use in ipairs(names.of(source) or {}) do
    local message = use.name and problem(use, all, options.grants)
    if message and not seen[message] then
      seen[message] = true
      out[#out + 1] = { line = use.line, message = message }
    end
  end
  return out
end

return lint
