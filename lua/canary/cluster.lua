--- What a tick does to the cluster: conditional writes, owned creations, failures as values.
--
-- A step that cannot go on returns a stop: { after = seconds or nil, ... }.
--   fail, code        a request failed; the scheduler tries the tick again
--   problem, reason   the user has to change something; shown on the Canary

local mark = require("util.mark")
local merge = require("util.merge")
local scope = require("kube.scope")

local cluster = {}

local RETRY = { CONFLICT = true, THROTTLED = true, TIMEOUT = true, UNREACHABLE = true, BAD_ANSWER = true,
  EXISTS = true, GONE = true, CANCELLED = true, NO_MEMORY = true }

--- The stop for a failed request: tried again when it may pass by itself, a problem when it will not.
function cluster.failure(what, message, code)
  local text = ("%s: %s"):format(what, message)
  if RETRY[code] or code == nil then return { fail = text, code = code or "BAD_ANSWER" } end
  return { problem = text, reason = code == "FORBIDDEN" and "Forbidden" or "Refused" }
end

function cluster.ref(ctx, api_version, kind, name, namespace)
  return { apiVersion = api_version, kind = kind, name = name, namespace = namespace or ctx.namespace }
end

--- The object, or nil without a stop when it is not there, or nil and a stop.
function cluster.get(ctx, api_version, kind, name, namespace)
  local object, message, code = ctx.host.kube.get(cluster.ref(ctx, api_version, kind, name, namespace))
  if object then return object end
  if code == "NOT_FOUND" then return nil end
  return nil, cluster.failure(("%s %s.%s"):format(kind, name, namespace or ctx.namespace), message, code)
end

--- The owner reference of everything the engine creates for a Canary.
function cluster.owner(ctx)
  return {
    apiVersion = ctx.object.apiVersion or "flagger.app/v1beta1",
    kind = "Canary",
    name = ctx.object.metadata.name,
    uid = ctx.object.metadata.uid,
    controller = true,
    blockOwnerDeletion = true,
  }
end

--- nil when this Canary may manage `object`, else the words for who owns it.
function cluster.foreign_owner(ctx, object)
  for _, owner in ipairs(object.metadata.ownerReferences or {}) do
    if owner.controller and owner.uid ~= ctx.object.metadata.uid then
      return ("%s %s"):format(owner.kind, owner.name)
    end
  end
end

--- True when this Canary is the controller of `object`.
function cluster.owned(ctx, object)
  for _, owner in ipairs(object.metadata.ownerReferences or {}) do
    if owner.controller and owner.uid == ctx.object.metadata.uid then return true end
  end
  return false
end

--- True for a kind whose objects are in another cluster than the Canary.
function cluster.elsewhere(ctx, ref)
  return ctx.canary.elsewhere and scope.is_route(ref.apiVersion, ref.kind)
end

--- Creates `object` in the Canary's namespace, owned by it; an object of the whole cluster in none. What is there or in
--- another cluster cannot have the Canary as its owner, and is marked. Returns what the server stored, or nil and a
--- stop.
function cluster.create(ctx, object)
  local body = merge.copy(object)
  local whole = scope.is_cluster(body.apiVersion, body.kind)
  if not whole then body.metadata.namespace = ctx.namespace end
  if whole or cluster.elsewhere(ctx, body) then
    body.metadata = mark.on({ namespace = ctx.namespace, name = ctx.object.metadata.name }, body.metadata)
  else
    body.metadata.ownerReferences = body.metadata.ownerReferences or { cluster.owner(ctx) }
  end
  local stored, message, code = ctx.host.kube.create(body)
  if stored then return stored end
  return nil, cluster.failure(("%s %s.%s create error"):format(body.kind, body.metadata.name, ctx.namespace),
    message, code)
end

--- Patches `object` as it was seen: a version that has changed since is a CONFLICT.
--- Returns what the server stored, or nil and a stop; `object` itself when there is nothing to patch.
function cluster.patch(ctx, object, patch, options)
  if not patch or next(patch) == nil then return object end
  local body = merge.copy(patch)
  body.metadata = body.metadata or {}
  body.metadata.resourceVersion = object.metadata.resourceVersion
  local ref = cluster.ref(ctx, object.apiVersion, object.kind, object.metadata.name, object.metadata.namespace)
  local stored, message, code = ctx.host.kube.patch(ref, body, options)
  if stored then return stored end
  return nil, cluster.failure(("%s %s.%s update error"):format(object.kind, object.metadata.name, ctx.namespace),
    message, code)
end

--- Deletes `object`; one that is gone already will do. Returns true, or nil and a stop.
function cluster.delete(ctx, object)
  local ref = cluster.ref(ctx, object.apiVersion, object.kind, object.metadata.name, object.metadata.namespace)
  local ok, message, code = ctx.host.kube.delete(ref)
  if ok or code == "NOT_FOUND" then return true end
  return nil, cluster.failure(("%s %s.%s delete error"):format(object.kind, object.metadata.name, ctx.namespace),
    message, code)
end

return cluster
