--- What a custom router may answer: checked before any of it reaches the cluster.

local grants = require("scripts.grants")
local nearest = require("util.nearest")
local object = require("util.object")

local router = {}

local MOST_REFS, MOST_PATCHES = 8, 16
local REF = { apiVersion = true, kind = true, name = true, namespace = true, optional = true }
local PATCH = { key = true, create = true, merge = true, delete = true }
-- Of the metadata a router writes labels and annotations; the rest is the engine's and the API server's.
local METADATA = { labels = true, annotations = true }

local function shown(value)
  if value == nil then return "nothing" end
  if type(value) == "table" then return "a table" end
  return type(value) == "string" and ("%q"):format(value:sub(1, 64)) or tostring(value)
end

local function expected(path, what, found) return ("%s: expected %s, found %s"):format(path, what, shown(found)) end

local function unknown(path, map, known)
  for name in pairs(map) do
    if not known[name] then
      local close = nearest.of(tostring(name), known)
      return expected(path, "a known field", name) .. (close and (" (did you mean %s?)"):format(close) or "")
    end
  end
end

local function ref_problem(path, ref, canary, given)
  if type(ref) ~= "table" then return expected(path, "a reference", ref) end
  local bad = unknown(path, ref, REF)
  if bad then return bad end
  for _, field in ipairs({ "apiVersion", "kind", "name" }) do
    if type(ref[field]) ~= "string" or ref[field] == "" then
      return expected(("%s.%s"):format(path, field), "a text", ref[field])
    end
  end
  if ref.namespace ~= nil and ref.namespace ~= canary.namespace then
    return expected(path .. ".namespace", ("%q, the Canary's"):format(canary.namespace), ref.namespace)
  end
  if ref.optional ~= nil and type(ref.optional) ~= "boolean" then
    return expected(path .. ".optional", "true or false", ref.optional)
  end
  if not grants.allows_route(given, ref.apiVersion, ref.kind) then
    local what = 'a kind that is granted, like "kube:%s/%s" in the header, and that a router may write'
    return expected(path, what:format(ref.apiVersion, ref.kind), ref.kind)
  end
end

--- The references, their namespace filled in; or nil and a message.
function router.reads(value, canary, given)
  if type(value) ~= "table" or #value > 0 then
    return nil, expected("reads", "a table of references by key", value)
  end
  local out, count = {}, 0
  for key, ref in pairs(value) do
    local bad = ref_problem(("reads.%s"):format(tostring(key)), ref, canary, given)
    if bad then return nil, bad end
    out[key] = { apiVersion = ref.apiVersion, kind = ref.kind, name = ref.name, namespace = canary.namespace,
      optional = ref.optional }
    count = count + 1
  end
  if count > MOST_REFS then return nil, expected("reads", ("at most %d references"):format(MOST_REFS), count) end
  return out
end

local function metadata_problem(path, metadata, known)
  if metadata == nil then return nil end
  if type(metadata) ~= "table" then return expected(path, "an object", metadata) end
  return unknown(path, metadata, known)
end

local function create_problem(path, body, ref, have)
  if have ~= nil then return expected(path, "a merge, as it is there already", "create") end
  if type(body) ~= "table" then return expected(path, "an object", body) end
  for _, field in ipairs({ "apiVersion", "kind" }) do
    if body[field] ~= ref[field] then
      return expected(("%s.%s"):format(path, field), ("%q, as read"):format(ref[field]), body[field])
    end
  end
  local metadata = body.metadata
  if type(metadata) ~= "table" then return expected(path .. ".metadata", "an object", metadata) end
  if metadata.name ~= ref.name then
    return expected(path .. ".metadata.name", ("%q, as read"):format(ref.name), metadata.name)
  end
  if metadata.namespace ~= nil and metadata.namespace ~= ref.namespace then
    return expected(path .. ".metadata.namespace", ("%q, as read"):format(ref.namespace), metadata.namespace)
  end
  return metadata_problem(path .. ".metadata", metadata, { labels = true, annotations = true, name = true,
    namespace = true })
end

local function merge_problem(path, patch, have)
  if have == nil then return expected(path, "a create, as it is not there", "merge") end
  if type(patch) ~= "table" or #patch > 0 then return expected(path, "an object", patch) end
  for _, field in ipairs({ "apiVersion", "kind", "status" }) do
    if patch[field] ~= nil then return expected(("%s.%s"):format(path, field), "nothing", patch[field]) end
  end
  return metadata_problem(path .. ".metadata", patch.metadata, METADATA)
end

local function delete_problem(path, have, canary)
  for _, owner in ipairs(have and (have.metadata or {}).ownerReferences or {}) do
    if owner.controller and owner.uid == canary.uid then return nil end
  end
  return expected(path, "an object that this Canary owns", "another one")
end

local function patch_problem(path, patch, refs, seen, canary)
  if type(patch) ~= "table" then return expected(path, "a patch", patch) end
  local bad = unknown(path, patch, PATCH)
  if bad then return bad end
  local ref = refs[patch.key]
  if not ref then
    local close = type(patch.key) == "string" and nearest.of(patch.key, refs)
    return expected(path .. ".key", "a key of reads", patch.key) .. (close and (" (did you mean %s?)"):format(close)
      or "")
  end
  local verbs = (patch.create ~= nil and 1 or 0) + (patch.merge ~= nil and 1 or 0) + (patch.delete and 1 or 0)
  if verbs ~= 1 then return expected(path, "one of create, merge and delete", verbs) end
  local have = seen[patch.key]
  if patch.create ~= nil then return create_problem(path .. ".create", patch.create, ref, have) end
  if patch.merge ~= nil then return merge_problem(path .. ".merge", patch.merge, have) end
  return delete_problem(path .. ".delete", have, canary)
end

--- The patches; or nil and a message.
--- @param name string  of the function that gave them
function router.patches(name, value, refs, seen, canary)
  if type(value) ~= "table" or (#value == 0 and next(value) ~= nil) then
    return nil, expected(name, "a list of patches", value)
  end
  if #value > MOST_PATCHES then return nil, expected(name, ("at most %d patches"):format(MOST_PATCHES), #value) end
  for index, patch in ipairs(value) do
    local bad = patch_problem(("%s[%d]"):format(name, index), patch, refs, seen, canary)
    if bad then return nil, bad end
  end
  return value
end

--- { primary, canary, mirrored } in whole percent that sum to 100; or nil and a message.
function router.routes(value)
  if type(value) ~= "table" then return nil, expected("routes", "{ primary =, canary =, mirrored = }", value) end
  local out = { mirrored = value.mirrored == true }
  for _, arm in ipairs({ "primary", "canary" }) do
    out[arm] = math.tointeger(value[arm])
    if not out[arm] or out[arm] < 0 or out[arm] > 100 then
      return nil, expected("routes." .. arm, "an integer from 0 to 100", value[arm])
    end
  end
  if out.primary + out.canary ~= 100 then
    return nil, expected("routes", "weights that sum to 100", out.primary + out.canary)
  end
  return out
end

--- True; or nil and why the newest route is not in force.
function router.accepted(value, message)
  if value == true then return true end
  if value == false then return nil, message or "the route is not in force yet" end
  return nil, expected("accepted", "true or false", value)
end

--- nil and what the Canary asks for that cannot be.
function router.unfit(value)
  if type(value) ~= "string" or value == "" then return nil, expected("unfit", "nothing, or a text", value) end
  return nil, value
end

--- What is there after the patches; for a look at whether a router reads back what it wrote.
function router.after(seen, patches) return object.apply(seen, patches) end

return router
