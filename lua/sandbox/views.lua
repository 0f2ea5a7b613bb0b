--- The forms in which a client may ask for objects: whole, their metadata only, or as rows of a table.
--
-- A view is "whole", "partial" or "table".

local columns = require("sandbox.columns")
local json = require("json")
local kinds = require("sandbox.kinds")

local views = {}

local META = "meta.k8s.io/v1"
local FORMS = { PartialObjectMetadata = "partial", PartialObjectMetadataList = "partial", Table = "table" }

local function form_of(range)
  local media = range:match("^%s*([^;%s]*)")
  if media ~= "application/json" and media ~= "*/*" and media ~= "application/*" then return nil end
  local as = range:match(";%s*as=([%w]+)")
  if not as then return "whole" end
  local version, group = range:match(";%s*v=([%w]+)"), range:match(";%s*g=([%w.]+)")
  return version == "v1" and group == "meta.k8s.io" and FORMS[as] or nil
end

--- The view that an Accept header asks for; nil when it accepts nothing that is served.
function views.of(accept)
  if not accept or accept == "" then return "whole" end
  for range in accept:gmatch("[^,]+") do
    local form = form_of(range)
    if form then return form end
  end
end

local function partial(object)
  return { apiVersion = META, kind = "PartialObjectMetadata", metadata = object.metadata }
end

local function row(entry, object, options)
  local shown = partial(object)
  if options.include == "Object" then shown = object end
  if options.include == "None" then shown = nil end
  return { cells = columns.cells(entry, object, options.now), object = shown }
end

local function table_of(entry, objects, metadata, options)
  local rows = json.array()
  for index, object in ipairs(objects) do rows[index] = row(entry, object, options) end
  return { apiVersion = META, kind = "Table", metadata = metadata, rows = rows,
    columnDefinitions = columns.definitions(entry) }
end

--- One object. options: { view =, now = seconds, include = "None" | "Metadata" | "Object" of a table's rows }.
function views.object(entry, object, options)
  if options.view == "partial" then return partial(object) end
  if options.view == "whole" then return object end
  return table_of(entry, { object }, { resourceVersion = object.metadata.resourceVersion }, options)
end

--- What tells a watch how far it is.
function views.bookmark(_, bookmark, options)
  if options.view == "table" then
    return { apiVersion = META, kind = "Table", metadata = bookmark.metadata, rows = json.array(),
      columnDefinitions = json.array() }
  end
  if options.view == "partial" then return partial(bookmark) end
  return bookmark
end

-- Items of kinds that are compiled into an API server carry no apiVersion and kind, others do.
local function item_of(entry, object, options)
  if options.view == "partial" then return partial(object) end
  if kinds.is_compiled(entry) then object.apiVersion, object.kind = nil, nil end
  return object
end

--- A list: page = { items = copies, resourceVersion =, continue = }.
function views.list(entry, api_version, page, options)
  local metadata = { resourceVersion = page.resourceVersion, continue = page.continue }
  if options.view == "table" then return table_of(entry, page.items, metadata, options) end
  local items = json.array()
  for index, object in ipairs(page.items) do items[index] = item_of(entry, object, options) end
  if options.view == "partial" then
    return { apiVersion = META, kind = "PartialObjectMetadataList", metadata = metadata, items = items }
  end
  return { apiVersion = api_version, kind = entry.kind .. "List", metadata = metadata, items = items }
end

return views
