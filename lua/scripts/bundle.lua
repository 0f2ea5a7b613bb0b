--- A script with all that it requires as one chunk for a worker.

local digest = require("digest")
local nearest = require("util.nearest")
local scan = require("scripts.scan")

local bundle = {}

local MOST_BYTES = 64 << 10 -- of a chunk; engine/pool.h

-- What of the program itself a script may require.
local SHIPPED = { ["util.object"] = true, ["util.list"] = true, ["util.duration"] = true, ["util.text"] = true,
  ["util.nearest"] = true, ["util.merge"] = true, ["util.cron"] = true,
  ["util.rfc3339"] = true }

function bundle.is_shipped(name)
  return SHIPPED[name] == true or name:find("^stats%.[%w_]+$") ~= nil
end

local texts = {} -- of shipped files, which do not change while the process runs

local function shipped_text(name)
  if texts[name] then return texts[name] end
  local path = package.searchpath(name, package.path)
  local file = path and io.open(path, "rb")
  if not file then return nil end
  texts[name] = file:read("a")
  file:close()
  return texts[name]
end

local function unknown(from, source, name, sources)
  local names = {}
  for known in pairs(sources) do names[known] = true end
  for known in pairs(SHIPPED) do names[known] = true end
  local close = nearest.of(name, names)
  local message = ("require: expected a script or a shipped module like util.object, found %s%s"):format(name,
    close and (" (did you mean %s?)"):format(close) or "")
  local line = scan.line(source, message)
  return line and ("%s:%d: %s"):format(from, line, message) or ("%s: %s"):format(from, message)
end

--- Adds `name` and what it requires to `out`. Returns nil, or what is wrong.
--- @param above table  the modules on the way here, for a cycle
local function add(out, order, sources, name, above)
  if out[name] or name == "json" then return nil end
  local source, label
  if sources[name] then
    source, label = sources[name].source, sources[name].label
  else
    source, label = shipped_text(name), name .. ".lua"
  end
  above = { above = above, name = name, label = label }
  for _, other in ipairs(scan.requires(source)) do
    local chain, at = { other }, above
    while at do
      table.insert(chain, 1, at.name)
      if at.name == other then
        return ("%s: requires itself: %s"):format(label, table.concat(chain, " -> "))
      end
      at = at.above
    end
    local own = sources[name] ~= nil
    local may = other == "json" or sources[other] or bundle.is_shipped(other) or not own and other:find("^util%.")
    if not may or not sources[other] and other ~= "json" and not shipped_text(other) then
      return unknown(label, source, other, sources)
    end
    local bad = add(out, order, sources, other, above)
    if bad then return bad end
  end
  out[name] = { name = label, source = source, shipped = sources[name] == nil }
  order[#order + 1] = name
end

local function quoted(text) return ("%q"):format(text) end

local function table_text(modules, order)
  local out = {}
  for index, name in ipairs(order) do
    local module = modules[name]
    out[index] = ("[%s]={name=%s,shipped=%s,source=%s}"):format(quoted(name), quoted(module.name),
      tostring(module.shipped), quoted(module.source))
  end
  return "{" .. table.concat(out, ",\n") .. "}"
end

--- One custom source alone is known by its own hash, as sha256sum prints it; several by a hash over theirs.
local function identity(modules, order, main)
  local own = {}
  for _, name in ipairs(order) do
    if not modules[name].shipped then own[#own + 1] = ("%s  %s\n"):format(digest.sha256(modules[name].source), name) end
  end
  if #own == 1 then return digest.sha256(modules[main].source) end
  table.sort(own)
  return digest.sha256(table.concat(own))
end

--- { text = the chunk, sha256 = of the script and the scripts that it requires, requires = names }; or nil and what is
--- wrong.
--- @param sources table  module name -> { source =, label = name of the chunk }
function bundle.make(main, sources)
  local modules, order = {}, {}
  local bad = add(modules, order, sources, "util.nearest", nil) or add(modules, order, sources, main, nil)
  if bad then return nil, bad end
  local glue = shipped_text("scripts.glue")
  local sha256 = identity(modules, order, main)
  local text = ("return load(%s,'=(serin)','t')(%s,%s)"):format(quoted(glue), quoted(main), table_text(modules, order))
  if #text > MOST_BYTES then
    return nil, ("%s: expected at most %d bytes with what it requires, found %d"):format(sources[main].label,
      MOST_BYTES, #text)
  end
  return { text = text, sha256 = sha256, requires = order }
end

return bundle
