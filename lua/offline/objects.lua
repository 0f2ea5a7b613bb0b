--- The objects of files for a stage: Canaries that can be run, and the others.

local files = require("offline.files")
local merge = require("util.merge")
local view = require("canary.view")

local objects = {}

-- They are in no namespace; the stage has no use for them but to know their kinds.
local CLUSTER = { Namespace = true, CustomResourceDefinition = true, ClusterRole = true, ClusterRoleBinding = true }

local function usable(path, object)
  if type(object) ~= "table" or type(object.kind) ~= "string" or type(object.apiVersion) ~= "string" then
    return nil, ("%s: expected objects with apiVersion, kind and metadata"):format(path)
  end
  if type(object.metadata) ~= "table" or type(object.metadata.name) ~= "string" then
    return nil, ("%s: %s: metadata.name: expected a text, found nothing"):format(path, object.kind)
  end
  return true
end

local function add(out, path, document)
  local ok, message = usable(path, document.object)
  if not ok then return message end
  local object = merge.copy(document.object)
  if CLUSTER[object.kind] then return nil end
  if type(object.metadata.namespace) ~= "string" then object.metadata.namespace = "default" end
  if object.kind ~= "Canary" or not object.apiVersion:find("^flagger%.app/") then
    out.others[#out.others + 1] = object
    return nil
  end
  local canary, bad = view.of(object, {})
  if not canary then return ("%s: %s: %s (serin check says more)"):format(path, files.label(object), bad.message) end
  out.canaries[#out.canaries + 1] = object
end

--- { canaries = { ... }, others = { ... } }; or nil, message, exit code.
function objects.read(paths)
  local out = { canaries = {}, others = {} }
  for _, path in ipairs(paths) do
    local text, message = files.read(path)
    if not text then return nil, message, 2 end
    local documents
    documents, message = files.documents(path, text)
    if not documents then return nil, ("%s: %s"):format(path, message), 1 end
    for _, document in ipairs(documents) do
      local bad = add(out, path, document)
      if bad then return nil, bad, 1 end
    end
  end
  if #out.canaries == 0 then return nil, ("no Canary in %s"):format(table.concat(paths, ", ")), 1 end
  return out
end

return objects
