--- Knative: the traffic list of the target itself, a Knative Service. The primary is the Revision that the annotation
--- names, the canary the newest one.

local acceptance = require("routing.acceptance")
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

local function noted(live)
  local name = (live.metadata.annotations or {})[PRIMARY]
  return type(name) == "string" and name ~= "" and name or nil
end

--- The primary's Revision; where its note was lost, the one that the list goes by: the newest may be under test.
local function primary_of(live)
  local name = noted(live)
  if name then return name end
  for _, entry in ipairs(shape.list(live, TRAFFIC, true) or {}) do
    if type(entry.revisionName) == "string" and entry.tag == nil then return entry.revisionName end
  end
  return nil, ("Service %s.%s: metadata.annotations.%s: expected a Revision's name, found none"):format(
    live.metadata.name, live.metadata.namespace or "", PRIMARY)
end

--- The entries of both arms: canary's and primary's, either of which may be nil; or nil, nil, message.
local function arms(live)
  local entries, message = shape.list(live, TRAFFIC, true)
  if not entries then return nil, nil, message end
  local name
  name, message = primary_of(live)
  if not name then return nil, nil, message end
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

local function percent(live, entry, what)
  return shape.weight(live, ("%s: the share of %s"):format(TRAFFIC, what), entry and entry.percent, 0)
end

--- The percentages of both arms as they stand, or nil and a message.
local function shares(live, canary, primary)
  local out, message = {}
  out.canary, message = percent(live, canary, "the newest Revision")
  if not out.canary then return nil, message end
  out.primary, message = percent(live, primary, tostring(primary_of(live)))
  if not out.primary then return nil, message end
  return out
end

--- Makes the list name both arms; shares already live are kept.
function knative.prepare(_, seen)
  local live = seen.service
  local canary, primary, message = arms(live)
  if message then return nil, message end
  local routes, annotations = { primary = 100, canary = 0 }, {}
  if canary and primary then
    routes, message = shares(live, canary, primary)
    if not routes then return nil, message end
  elseif not object.at(live, "metadata", "annotations", ORIGINAL) then
    annotations[ORIGINAL] = json.encode(live.spec.traffic or json.null)
  end
  annotations[PRIMARY] = primary_of(live)
  return object.patches("service", live, {
    metadata = { annotations = annotations }, spec = { traffic = traffic(live, routes) } })
end

--- Why the shares are not those that requests meet, or nil. A controller that reports nothing is not waited for.
local function waiting(live, latest)
  local reported = object.at(live, "status", "traffic")
  if type(reported) ~= "table" or #reported == 0 then return nil end
  local share = 0
  for _, entry in ipairs(reported) do
    local part = type(entry) == "table" and entry.latestRevision == true and entry.percent
    share = share + (type(part) == "number" and part or 0)
  end
  local asked = latest and latest.percent or 0
  if share == asked then return nil end
  return ("%s: expected %d percent for the newest Revision, found Knative to send it %s"):format(shape.title(live),
    asked, share)
end

--- The live split, or nil and a message.
function knative.routes(canary, seen)
  local live = seen.service
  local latest, primary, message = arms(live)
  if message then return nil, message end
  local parts
  parts, message = shares(live, latest, primary)
  if not parts then return nil, message end
  local routes
  routes, message = shape.shares(canary, live, parts.primary, parts.canary)
  if not routes then return nil, message end
  return routes
end

--- Whether Knative divides requests as its spec asks.
function knative.accepted(_, seen)
  local latest, _, message = arms(seen.service)
  return acceptance.verdict(message or waiting(seen.service, latest))
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
