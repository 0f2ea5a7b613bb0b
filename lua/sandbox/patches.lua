--- The patches that a client may send: JSON merge patch, JSON patch, strategic merge patch.

local json = require("json")
local json_patch = require("sandbox.json_patch")
local strategic = require("sandbox.strategic")
local updates = require("sandbox.updates")

local patches = {}

local ACCEPTED = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json"

local function unknown(media)
  return nil, ("the body of the request was in an unknown format (%s) - accepted media types include: %s"):format(media,
    ACCEPTED), "BAD_MEDIA"
end

local function is_object(value)
  return type(value) == "table" and not json.is_array(value)
end

local FORMS = {
  ["application/merge-patch+json"] = { list = false, apply = updates.merged },
  ["application/strategic-merge-patch+json"] = { list = false, apply = strategic.merged, compiled = true },
  ["application/json-patch+json"] = { list = true, apply = json_patch.apply },
}

--- { value = the decoded patch, apply = function(object) -> object | nil, message, CODE }, or nil, message, CODE.
--- `apply` may change its argument. Only compiled kinds take strategic patches, as their lists have known keys.
function patches.read(content_type, body, is_compiled)
  local media = (content_type or ""):match("^%s*([^;%s]*)")
  local form = FORMS[media]
  if not form or (form.compiled and not is_compiled) then return unknown(media) end
  local value, message = json.decode(body)
  if value == nil then return nil, "the patch cannot be read: " .. message, "BAD_REQUEST" end
  if form.list and not json.is_array(value) then return nil, "a JSON patch is a list of operations", "BAD_REQUEST" end
  if not form.list and not is_object(value) then return nil, "the patch is not an object", "BAD_REQUEST" end
  return { value = value, apply = function(object) return form.apply(object, value) end }
end

return patches
