--- Watches: the changes of a kind from a resourceVersion on, with bookmarks.

local listing = require("sandbox.listing")
local merge = require("util.merge")

local watches = {}

local function relevant(event, entry, ref, wanted)
  if event.entry ~= entry then return nil end
  if ref.namespace and ref.namespace ~= "" and event.object.metadata.namespace ~= ref.namespace then return nil end
  local now = wanted(event.object)
  local before = event.old ~= nil and wanted(event.old)
  if event.type == "DELETED" then return before and "DELETED" or nil end
  if now and not before then return "ADDED" end
  if before and not now then return "DELETED" end
  return now and "MODIFIED" or nil
end

--- Calls on_event(type, object) for every change of `ref`'s kind after options.resourceVersion (the empty
--- text or "0": the present objects as ADDED first), from now on until the returned watch is stopped.
--- options: { resourceVersion =, labels =, fields = }. nil, message, CODE when that cannot be.
function watches.open(api, ref, options, on_event)
  local entry, message, code = api:entry(ref)
  if not entry then return nil, message, code end
  local wanted
  wanted, message = listing.filter(options)
  if not wanted then return nil, message, "INVALID" end
  local function deliver(event)
    local kind = relevant(event, entry, ref, wanted)
    if not kind then return end
    local object = merge.copy(event.object)
    object.apiVersion = ref.apiVersion
    on_event(kind, object)
  end
  local version = math.tointeger(tonumber(options.resourceVersion or "0") or -1)
  local missed = version ~= 0 and api.store:since(version or -1)
  if version ~= 0 and not missed then
    return nil, ("too old resource version: %s (%d)"):format(options.resourceVersion, api.store.version), "GONE"
  end
  for _, event in ipairs(missed or {}) do deliver(event) end
  if not missed then
    for _, object in ipairs(api.store:all(entry, ref.namespace)) do
      deliver({ type = "ADDED", entry = entry, object = object })
    end
  end
  return api.store:subscribe(deliver)
end

--- A bookmark: what a watch of `ref`'s kind has seen up to now.
function watches.bookmark(api, ref)
  return {
    apiVersion = ref.apiVersion, kind = ref.kind,
    metadata = { resourceVersion = tostring(api.store.version), creationTimestamp = require("json").null },
  }
end

return watches
