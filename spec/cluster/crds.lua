--- CustomResourceDefinitions of the sets that spec/cluster/install has put into the cache, as their projects publish
--- them; and what has to be changed in two of them before a cluster can have them.

local json = require("json")
local support = require("spec.cluster.support")

local crds = {}

local CACHE = os.getenv("CLUSTER_CACHE") or (os.getenv("HOME") or "") .. "/.cache/canary-cluster"

local ANY = "x-kubernetes-preserve-unknown-fields"

--- Says the type where the fields say it, and takes out the one alternative of a list's items: App Mesh v1beta1 was
--- published before API servers asked for either. Nothing else of a schema is touched.
--- @param any boolean  fields that the schema does not know are kept, as they were before definitions could say
local function structural(schema, any)
  if type(schema) ~= "table" then return end
  local items = type(schema.items) == "table" and schema.items
  if items and not items.type and type(items.oneOf) == "table" and #items.oneOf == 1 then
    schema.items = items.oneOf[1]
  end
  if type(schema.properties) == "table" then
    schema.type, schema[ANY] = schema.type or "object", any or schema[ANY]
    for _, property in pairs(schema.properties) do structural(property, any) end
  end
  structural(schema.items, any)
end

--- A definition of a set, every version with a schema being served.
--- @param set string   of spec/cluster/crds.txt
--- @param name string  plural.group
function crds.of(set, name)
  local path = ("%s/crds/%s/%s.json"):format(CACHE, set, name)
  local definition = assert(json.decode(support.read(path)), path .. " cannot be read: run spec/cluster/install")
  definition.status = nil
  for _, version in ipairs(definition.spec.versions) do
    version.served = true
    structural(version.schema.openAPIV3Schema, version.schema.openAPIV3Schema[ANY])
  end
  return definition
end

return crds
