--- Knative Services as targets: both arms are Revisions of one object, which divides its traffic between them.
--
-- `object.arm` is the Revision of an arm, which the lifecycle reads and attaches (`knative.arms`).

local digest = require("digest")
local json = require("json")

local knative = {
  kind = "Service",
  api_version = "serving.knative.dev/v1",
  resource = "services.serving.knative.dev",
  noun = "knative service",
  services = false, -- Knative makes them
  provider = "knative", -- the router that goes with it
}

local PRIMARY = "flagger.app/primary-revision"

local function newest(object)
  return (object.status or {}).latestCreatedRevisionName or ""
end

local function promoted(object)
  return (object.metadata.annotations or {})[PRIMARY]
end

--- nil, or what keeps this object from being a target.
function knative.check(object)
  if newest(object) ~= "" then return nil end
  return ("knative service %s.%s: status.latestCreatedRevisionName: expected a Revision, found none"):format(
    object.metadata.name, object.metadata.namespace)
end

--- A digest of the newest Revision's name.
function knative.revision(object)
  return "s1-" .. digest.sha256(newest(object)):sub(1, 16)
end

--- The patch that makes the newest Revision the primary of a Canary that is being initialised, or nil. What an earlier
--- Canary left says nothing about this one.
function knative.adopt(object)
  if promoted(object) == newest(object) then return nil end
  return { metadata = { annotations = { [PRIMARY] = newest(object) } } }
end

--- The Revisions of both arms, as references without a namespace.
function knative.arms(object)
  local function revision(name)
    return { apiVersion = "serving.knative.dev/v1", kind = "Revision", name = name }
  end
  return { primary = revision(promoted(object) or newest(object)), canary = revision(newest(object)) }
end

--- The patch that makes the newest Revision the primary, or nil.
function knative.promotion(target)
  if promoted(target) == newest(target) then return nil end
  return { metadata = { annotations = { [PRIMARY] = newest(target) } } }
end

function knative.same_revision(target)
  return promoted(target) == newest(target)
end

--- The patch that gives the user's object back, or nil.
function knative.restore(object)
  return promoted(object) and { metadata = { annotations = { [PRIMARY] = json.null } } } or nil
end

local function condition(object)
  for _, item in ipairs(((object.arm or {}).status or {}).conditions or {}) do
    if item.type == "Ready" then return item end
  end
end

--- Whether the arm's Revision is ready. COMPAT: the progress deadline has no effect on Knative.
--- @return boolean ready, string? message, boolean? retriable
function knative.ready(object)
  local found = condition(object)
  if found and found.status == "True" then return true end
  local name = object.arm and object.arm.metadata.name or newest(object)
  local why = not (object.arm or {}).status and "it is not there, or not known to its controller"
    or found and (found.message or found.reason) or "its controller has not said so"
  return false, ("revision %s is not ready: %s"):format(name, why), true
end

--- 1 when the arm can take requests: Knative starts pods for a Revision as it gets traffic.
function knative.available(object)
  return knative.ready(object) and 1 or 0
end

function knative.replicas() return 1 end
function knative.changed_at() return 0 end

return knative
