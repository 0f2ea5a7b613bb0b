--- Creating, repairing and giving back route objects.
--
-- An object that the canary does not own is the user's: before the first change what it was is written
-- into its annotations, once, and `restore` puts that back. COMPAT: the spec is kept under the annotation
-- Flagger uses, and not at all where kubectl has already recorded what the user applied.

local json = require("json")
local list = require("util.list")
local mark = require("util.mark")
local merge = require("util.merge")
local object = require("util.object")

local owned = {}

local ORIGINAL = "flagger.kubernetes.io/original-configuration"
local METADATA = "serin.dev/original-metadata"
local APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

--- The labels and annotations that a route object of this canary has.
function owned.metadata(canary)
  return { labels = object.some(canary.labels), annotations = object.some(canary.annotations) }
end

function owned.create(key, api_version, kind, name, spec, metadata)
  metadata = object.copy(metadata or {})
  metadata.name = name
  return object.create(key, { apiVersion = api_version, kind = kind, metadata = metadata, spec = spec })
end

--- True when `live` goes with the canary.
function owned.is_ours(canary, live)
  if mark.is_on(canary, live) then return true end
  return list.find(live.metadata.ownerReferences or {}, function(owner)
    return owner.kind == "Canary" and owner.name == canary.name
  end) ~= nil
end

--- The merge patch that takes the labels and annotations back to what they are now.
local function metadata_before(live, wanted)
  local out = {}
  for _, part in ipairs({ "labels", "annotations" }) do
    local have, before = live.metadata[part] or {}, {}
    for key, value in pairs(wanted[part] or {}) do
      if have[key] == nil then
        before[key] = json.null
      elseif have[key] ~= value then
        before[key] = have[key]
      end
    end
    out[part] = object.some(before)
  end
  return out
end

local function record(live, wanted)
  local have = live.metadata.annotations or {}
  local out = { [METADATA] = json.encode(metadata_before(live, wanted)) }
  if not have[APPLIED] and not have[ORIGINAL] then
    out[ORIGINAL] = json.encode(object.copy(live.spec or {}))
  end
  return out
end

local function recorded(live)
  return (live.metadata.annotations or {})[METADATA] ~= nil
end

--- The patches that give `live` the fields of `spec` and `metadata`.
--- @param spec table  names only what is ours; json.null for what must be absent
function owned.repair(key, canary, live, spec, metadata)
  local want = { spec = spec, metadata = object.copy(metadata or {}) }
  local patches = object.patches(key, live, want)
  if #patches == 0 or owned.is_ours(canary, live) or recorded(live) then return patches end
  local notes = record(live, want.metadata)
  want.metadata.annotations = object.merged(want.metadata.annotations or {}, notes)
  return object.patches(key, live, want)
end

local function decoded(text)
  local value = text and json.decode(text)
  return type(value) == "table" and value or nil
end

local function spec_before(annotations)
  local applied = decoded(annotations[APPLIED])
  if applied and type(applied.spec) == "table" then return applied.spec end
  return decoded(annotations[ORIGINAL])
end

--- `patch` for one map, or null when nothing would be left in it.
local function collapsed(have, patch)
  local left = object.merged(have, patch)
  if next(left) == nil then return json.null end
  return object.patch(have, patch)
end

--- The patches that give the user's object back; none for an object that goes with the canary by itself.
function owned.restore(key, canary, live)
  if live and mark.is_on(canary, live) then return { { key = key, delete = true } } end
  if not live or owned.is_ours(canary, live) then return {} end
  local annotations = live.metadata.annotations or {}
  local before = decoded(annotations[METADATA]) or {}
  local notes = object.copy(before.annotations or {})
  for _, name in ipairs({ METADATA, ORIGINAL }) do
    if annotations[name] then notes[name] = json.null end
  end
  local metadata = {
    annotations = next(annotations) and collapsed(annotations, notes),
    labels = before.labels and collapsed(live.metadata.labels or {}, before.labels),
  }
  local spec = spec_before(annotations)
  local patch = { metadata = object.some(metadata), spec = spec and merge.diff(live.spec or {}, spec) }
  return next(patch) and { { key = key, merge = patch } } or {}
end

return owned
