--- Knative: the traffic list of the target itself, a Knative Service. The primary is the Revision that the annotation
--- names, the canary the newest one.

local json = require("json")
local list = require("util.list")
local object = require("util.object")
local shape = require("routing.shape")

local API, KIND = "serving.knative.dev/v1", "Service"
local TRAFFIC, PRIMARY, ORIGINAL = "spec.traffic", "flagger.app/primary-revision", "serin.dev/original-traffic"

local knative = {
  name = "knative",
  aliases = {},
  weighted = true,
  mirrors = false,
  matches = false,
  affinity = false,
  resolution = 1,
}

function knative.reads(canary)
  return { service = { apiVersion = API, kind = KIND, name = canary.target.name, namespace = canary.namespace } }
end

local function primary_of(live)
  local name = (live.metadata.annotations or {})[PRIMARY]
  if type(name) == "string" and name ~= "" then return name end
  return nil, ("Service %s.%s: metadata.annotations.%s: expected a Revision's name, found none"):format(
    live.metadata.name, live.metadata.namespace or "", PRIMARY)
end

--- The entries of both arms: canary's and primary's, either of which may be nil; or nil, nil, message.
local function arms(live)
  local name, message = primary_of(live)
  if not name then return nil, nil, message end
  local entries
  entries, message = shape.list(live, TRAFFIC, true)
  if not entries then return nil, nil, message end
  -- an entry with a tag and no share is an address of its own, which the user gave it
  local canary = list.find(entries, function(entry) return entry.latestRevision == true and entry.tag == nil end)
  local primary = list.find(entries, function(entry) return entry.revisionName == name and entry.tag == nil end)
  return canary, primary
end

--- The list with new shares; entries of the user's with a tag keep their places behind ours.
local function traffic(live, routes)
  local out = json.array({
    { latestRevision = true, percent = routes.canary },
    { revisionName = primary_of(live), percent = routes.primary },
  })
  for _, entry in ipairs(object.at(live, "spec", "traffic") or {}) do
    if type(entry) == "table" and entry.tag ~= nil then
      local kept = object.copy(entry)
      kept.percent = nil
      out[#out + 1] = kept
    end
  end
  return out
end

local function patch(live, routes)
  return object.patches("service", live, { spec = { traffic = traffic(live, routes) } })
end

--- The percentages as they stand; what does not sum to 100 is left to `knative.routes` to complain of.
local function shares(canary, primary)
  return { canary = canary.percent or 0, primary = primary.percent or 0 }
end

--- Makes the list name both arms; shares already live are kept.
function knative.prepare(_, seen)
  local live = seen.service
  local canary, primary, message = arms(live)
  if message then return nil, message end
  if canary and primary then return patch(live, shares(canary, primary)) end
  local patches = patch(live, { primary = 100, canary = 0 })
  if not live.metadata.annotations[ORIGINAL] then
    patches[1].merge.metadata = { annotations = { [ORIGINAL] = json.encode(live.spec.traffic or json.null) } }
  end
  return patches
end

function knative.routes(canary, seen)
  local live = seen.service
  local latest, primary, message = arms(live)
  if message then return nil, message end
  return shape.shares(canary, live, primary and primary.percent or 0, latest and latest.percent or 0)
end

function knative.shift(_, seen, routes)
  local _, _, message = arms(seen.service)
  if message then return nil, message end
  return patch(seen.service, routes)
end

--- The list that the user had; all traffic to the newest Revision where another controller divided it.
function knative.restore(_, seen)
  local live = seen.service
  if not live then return {} end
  local original = json.decode((live.metadata.annotations or {})[ORIGINAL] or "")
  if original ~= nil then
    return { { key = "service", merge = {
      metadata = { annotations = { [ORIGINAL] = json.null } }, spec = { traffic = original } } } }
  end
  local _, primary = arms(live)
  if not primary then return {} end
  local list_of_ours = traffic(live, { canary = 100, primary = 0 })
  table.remove(list_of_ours, 2)
  return object.patches("service", live, { spec = { traffic = list_of_ours } })
end

return knative
