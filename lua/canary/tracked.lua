--- ConfigMaps and Secrets that belong to a revision: their checksums, and the primary's own copies.

local cluster = require("canary.cluster")
local digest = require("digest")
local merge = require("util.merge")
local pods = require("targets.pods")

local tracked = {}

local KINDS = { configmap = "ConfigMap", secret = "Secret" }
local SECRET_TYPES = {
  Opaque = true,
  ["kubernetes.io/basic-auth"] = true,
  ["kubernetes.io/ssh-auth"] = true,
  ["kubernetes.io/tls"] = true,
}
local OPT_OUT = "flagger.app/config-tracking"

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
  ["\b"] = "\\b", ["\f"] = "\\f" }

--- COMPAT: a JSON string as Go's encoder writes it, since the checksum is over that text.
local function quoted(text)
  text = text:gsub('[%c"\\<>&\127]', function(char)
    if char == "\127" then return char end
    return ESCAPES[char] or ("\\u%04x"):format(char:byte())
  end)
  return '"' .. text:gsub("\u{2028}", "\\u2028"):gsub("\u{2029}", "\\u2029") .. '"'
end

local function map_text(map)
  if map == nil then return "null" end
  local keys, parts = {}, {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  for index, key in ipairs(keys) do parts[index] = quoted(key) .. ":" .. quoted(map[key]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- COMPAT: 16 hex digits of SHA-256 over `.data`. Binary data, which Flagger does not see, is added when there is any.
function tracked.checksum(object)
  local text = map_text(object.data)
  if object.binaryData and next(object.binaryData) then text = text .. map_text(object.binaryData) end
  return digest.sha256(text):sub(1, 16)
end

local function ignored(object)
  local choice = (object.metadata.annotations or {})[OPT_OUT] or ""
  if choice:sub(1, 7) == "disable" then return true end
  return object.kind == "Secret" and not SECRET_TYPES[object.type or "Opaque"]
end

--- Reads what the target refers to. Returns { sums = { id = checksum }, set = { id = true }, objects = {...} },
--- or nil and a stop.
function tracked.read(ctx, references)
  local out = { sums = {}, set = {}, objects = {} }
  if not ctx.host.settings.enable_config_tracking then return out end
  for _, ref in ipairs(references) do
    local kind = KINDS[ref.kind]
    local object, stop = cluster.get(ctx, "v1", kind, ref.name)
    if stop then return nil, stop end
    if object and not ignored(object) then
      object.kind, object.apiVersion = kind, "v1"
      out.sums[ref.id], out.set[ref.id] = tracked.checksum(object), true
      out.objects[#out.objects + 1] = object
    elseif not object and not ref.optional then
      return nil, { reason = "ConfigMissing",
        problem = ('%s %s.%s get query error: %ss "%s" not found'):format(
          kind, ref.name, ctx.namespace, kind:lower(), ref.name) }
    end
  end
  return out
end

--- True when the sums differ from those in the status.
function tracked.changed(ctx, configs)
  if not ctx.host.settings.enable_config_tracking then return false end
  return not merge.equal(configs.sums, ctx.status.trackedConfigs or {})
end

--- Owners of a copy: this Canary as controller; other Canaries that share it stay, without that role.
local function owners(ctx, have)
  local out = { cluster.owner(ctx) }
  for _, owner in ipairs(have and have.metadata.ownerReferences or {}) do
    if owner.uid ~= ctx.object.metadata.uid then
      local other = merge.copy(owner)
      other.controller = false
      out[#out + 1] = other
    end
  end
  return out
end

local function is_owner(ctx, object)
  for _, owner in ipairs(object.metadata.ownerReferences or {}) do
    if owner.uid == ctx.object.metadata.uid then return true end
  end
  return false
end

local function copy_of(ctx, object, have)
  return {
    apiVersion = "v1",
    kind = object.kind,
    metadata = {
      name = object.metadata.name .. "-primary",
      labels = pods.with_prefix(object.metadata.labels, ctx.host.settings.include_label_prefix),
      ownerReferences = owners(ctx, have),
    },
    data = merge.copy(object.data),
    binaryData = merge.copy(object.binaryData),
    type = object.type,
  }
end

--- Makes the `-primary` copies say what the originals say. Returns nil, or a stop.
function tracked.copy(ctx, configs)
  for _, object in ipairs(configs.objects) do
    local name = object.metadata.name .. "-primary"
    local have, stop = cluster.get(ctx, "v1", object.kind, name)
    if stop then return stop end
    local want = copy_of(ctx, object, have)
    if not have then
      have, stop = cluster.create(ctx, want)
    else
      local patch = {
        data = merge.diff(have.data or {}, want.data or {}),
        binaryData = merge.diff(have.binaryData or {}, want.binaryData or {}),
      }
      if not is_owner(ctx, have) then patch.metadata = { ownerReferences = want.metadata.ownerReferences } end
      have.apiVersion, have.kind = "v1", object.kind
      have, stop = cluster.patch(ctx, have, patch)
    end
    if not have then return stop end
  end
end

return tracked
