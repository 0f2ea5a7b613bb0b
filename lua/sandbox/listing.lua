--- Lists: selectors, pages.

local json = require("json")
local selector = require("sandbox.selector")

local listing = {}

--- A predicate on objects for { labels =, fields = } (selector texts), or nil and a message.
function listing.filter(options)
  local by_label, message = selector.parse(options.labels or "")
  if not by_label then return nil, message end
  local by_field
  by_field, message = selector.fields(options.fields or "")
  if not by_field then return nil, message end
  return function(object) return by_label(object.metadata.labels) and by_field(object) end
end

--- The key after which a page starts ("" for the first one) and the version of the first page; or nil, message, code.
local function start_of(text, store)
  if not text or text == "" then return "", store.version end
  local version, key = text:match("^(%d+) (.*)$")
  if not version then return nil, "continue key is not valid", "INVALID" end
  version = math.tointeger(tonumber(version)) or -1
  if version < store.floor or version > store.version then
    return nil, "The provided continue parameter is too old to display a consistent list result", "GONE"
  end
  return key, version
end

local function key_of(object)
  return (object.metadata.namespace or "") .. "/" .. object.metadata.name
end

--- { items = stored objects, resourceVersion =, continue = } of a store, or nil, message, code. Later pages carry
--- the version of the first, so that a watch from there misses nothing.
function listing.page(store, entry, namespace, options)
  local wanted, message = listing.filter(options)
  if not wanted then return nil, message, "INVALID" end
  local after, version, code = start_of(options.continue, store)
  if not after then return nil, version, code end
  local out, last = { items = json.array(), resourceVersion = tostring(version) }, nil
  for _, object in ipairs(store:all(entry, namespace)) do
    if wanted(object) and key_of(object) > after then
      if last and options.limit and options.limit > 0 and #out.items == options.limit then
        out.continue = ("%d %s"):format(version, key_of(last))
        break
      end
      last = object
      out.items[#out.items + 1] = object
    end
  end
  return out
end

return listing
