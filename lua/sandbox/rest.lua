--- The verbs of the API server's resources over HTTP.
--
-- `at` is what a request is about: { entry =, ref =, subresource =, view = options of views, details = for Status
-- objects }. A verb returns an answer for server.listen.

local json = require("json")
local discovery = require("sandbox.discovery")
local kinds = require("sandbox.kinds")
local patches = require("sandbox.patches")
local replies = require("sandbox.replies")
local scales = require("sandbox.scales")
local streams = require("sandbox.streams")
local views = require("sandbox.views")
local yaml = require("yaml")

local rest = {}

local function bad(at, message, ...)
  return replies.failure("BAD_REQUEST", message:format(...), at.details)
end

--- Makes a call through the door of the API. Returns its result, or nil and the answer.
local function call(world, at, verb, run, body)
  local options = at.subresource and { subresource = at.subresource } or nil
  local result, message, code, fault = world.api:call({ verb = verb, ref = at.ref, body = body, options = options,
    run = run })
  if result then return result end
  if fault then return nil, replies.broken(fault, at.details) end
  return nil, replies.failure(code, message, at.details)
end

local function shown(world, at, status, object)
  at.view.now = world.now
  if at.subresource == "scale" then return replies.json(status, scales.of(object)) end
  return replies.json(status, views.object(at.entry, object, at.view))
end

local function is_object(value)
  return type(value) == "table" and not json.is_array(value)
end

--- The object in the body of a request, or nil and the answer.
local function body_of(at, request)
  local media = (request.headers("Content-Type") or "application/json"):match("^%s*([^;%s]*)")
  local value, message
  if media == "application/json" or media == "*/*" or media == "" then
    value, message = json.decode(request.body)
  elseif media == "application/yaml" then
    value, message = yaml.decode(request.body)
    value = value and value[1]
  else
    return nil, replies.failure("BAD_MEDIA", ("the body of the request was in an unknown format (%s) - accepted " ..
      "media types include: application/json, application/yaml"):format(media))
  end
  if not is_object(value) then
    return nil, bad(at, "the body of the request cannot be read: %s", message or "it is not an object")
  end
  return value
end

--- The object that a client sent for `at`, with what the URL says filled in; or nil and the answer.
local function object_of(at, request)
  local object, refusal = body_of(at, request)
  if not object then return nil, refusal end
  object.apiVersion = object.apiVersion or at.ref.apiVersion
  object.kind = object.kind or at.ref.kind
  if object.apiVersion ~= at.ref.apiVersion or object.kind ~= at.ref.kind then
    return nil, bad(at, "%s in version %q cannot be handled as a %s of %s", tostring(object.kind),
      tostring(object.apiVersion), at.ref.kind, at.ref.apiVersion)
  end
  if object.metadata == nil then object.metadata = {} end
  local metadata = object.metadata
  if not is_object(metadata) then return nil, bad(at, "metadata is not an object") end
  if at.ref.namespace and (metadata.namespace or at.ref.namespace) ~= at.ref.namespace then
    return nil, bad(at, "the namespace of the provided object does not match the namespace sent on the request")
  end
  metadata.namespace = at.ref.namespace
  if at.ref.name and (metadata.name or at.ref.name) ~= at.ref.name then
    return nil, bad(at, "the name of the object (%s) does not match the name on the URL (%s)",
      tostring(metadata.name), at.ref.name)
  end
  metadata.name = metadata.name or at.ref.name
  return object
end

local function selectors(query)
  return { labels = query.labelSelector, fields = query.fieldSelector, continue = query.continue,
    limit = math.tointeger(tonumber(query.limit)) }
end

--- nil, or the answer to a version that cannot be served.
local function refuse_version(world, at, query)
  local text = query.resourceVersion or ""
  if text == "" then return nil end
  local version = text:find("^%d+$") and math.tointeger(tonumber(text))
  if not version then return bad(at, "invalid resource version %q: must be a number", text) end
  if query.resourceVersionMatch == "Exact" and version ~= world.api.store.version then
    return replies.failure("GONE", ("The resourceVersion for the provided list is too old: %d"):format(version))
  end
  if not query.watch and version > world.api.store.version then
    return replies.failure("TIMEOUT", ("Too large resource version: %d, current: %d"):format(version,
      world.api.store.version), { retryAfterSeconds = 1 })
  end
end

local function list(world, at, request)
  local options = selectors(request.query)
  local page, refusal = call(world, at, "list", function()
    local page, message, code = world.api:list(at.ref, options)
    return page, message, code == "INVALID" and "BAD_REQUEST" or code
  end)
  if not page then return refusal end
  at.view.now = world.now
  return replies.json(200, views.list(at.entry, at.ref.apiVersion, page, at.view))
end

local function watch(world, at, request)
  local passed, refusal = call(world, at, "watch", function() return {} end)
  if not passed then return refusal end
  return streams.answer(world, at, request.query, selectors(request.query))
end

local verbs = {}

function verbs.GET(world, at, request)
  if at.ref.name then
    local object, refusal = call(world, at, "get", function() return world.api:get(at.ref) end)
    return object and shown(world, at, 200, object) or refusal
  end
  local wants = request.query.watch
  if wants == "false" or wants == "0" then request.query.watch = nil end
  local refusal = refuse_version(world, at, request.query)
  if refusal then return refusal end
  return (request.query.watch and watch or list)(world, at, request)
end

function verbs.POST(world, at, request)
  if at.ref.name or (at.entry.namespaced and not at.ref.namespace) then return nil end
  local object, refusal = object_of(at, request)
  if not object then return refusal end
  at.details.name = object.metadata.name
  object, refusal = call(world, at, "create", function() return world.api:create(object) end, object)
  return object and shown(world, at, 201, object) or refusal
end

function verbs.PUT(world, at, request)
  if not at.ref.name then return nil end
  local object, refusal
  if at.subresource == "scale" then
    object, refusal = body_of(at, request)
    if not object then return refusal end
    object, refusal = call(world, at, "update", function() return scales.write(world.api, at.ref, object) end, object)
    return object and shown(world, at, 200, object) or refusal
  end
  object, refusal = object_of(at, request)
  if not object then return refusal end
  object, refusal = call(world, at, "update", function()
    return world.api:update(object, { subresource = at.subresource })
  end, object)
  return object and shown(world, at, 200, object) or refusal
end

function verbs.PATCH(world, at, request)
  if not at.ref.name then return nil end
  local patch, message, code = patches.read(request.headers("Content-Type"), request.body, kinds.is_compiled(at.entry))
  if not patch then return replies.failure(code, message, at.details) end
  local object, refusal = call(world, at, "patch", function()
    if at.subresource == "scale" then return scales.patch(world.api, at.ref, patch.apply) end
    return world.api:patch(at.ref, patch.value, { subresource = at.subresource, apply = patch.apply })
  end, patch.value)
  return object and shown(world, at, 200, object) or refusal
end

--- options for api:delete of a DeleteOptions body and the query, or nil and the answer.
local function delete_options(at, request)
  local options = {}
  if request.body and request.body ~= "" then
    local refusal
    options, refusal = body_of(at, request)
    if not options then return nil, refusal end
  end
  local preconditions = options.preconditions
  preconditions = is_object(preconditions) and preconditions or {}
  return { uid = preconditions.uid, resourceVersion = preconditions.resourceVersion,
    propagation = request.query.propagationPolicy or options.propagationPolicy, dry = options.dryRun }
end

local function delete_all(world, at, request, options)
  local wanted = selectors(request.query)
  local page, refusal = call(world, at, "delete", function()
    local page, message, code = world.api:list(at.ref, wanted)
    for _, object in ipairs(page and page.items or {}) do
      world.api:delete({ apiVersion = at.ref.apiVersion, kind = at.ref.kind, namespace = object.metadata.namespace,
        name = object.metadata.name }, options)
    end
    return page, message, code == "INVALID" and "BAD_REQUEST" or code
  end)
  if not page then return refusal end
  at.view.now = world.now
  return replies.json(200, views.list(at.entry, at.ref.apiVersion, page, at.view))
end

function verbs.DELETE(world, at, request)
  if at.subresource then return nil end
  local options, refusal = delete_options(at, request)
  if not options then return refusal end
  if options.dry then return bad(at, "dryRun is not supported here") end
  if not at.ref.name then return delete_all(world, at, request, options) end
  local object
  object, refusal = call(world, at, "delete", function() return world.api:delete(at.ref, options) end)
  if not object then return refusal end
  if world.api:peek(at.ref) then return shown(world, at, 200, world.api:get(at.ref)) end
  at.details.uid = object.metadata.uid
  return replies.json(200, { apiVersion = "v1", kind = "Status", metadata = {}, status = "Success",
    details = at.details })
end

--- What a parsed path is about, or nil when nothing is served there.
local function target_of(registry, path)
  local entry = registry:resource(path.group, path.plural)
  if not entry or not entry.versions[path.version] then return nil end
  if path.namespace and not entry.namespaced then return nil end
  if path.name and entry.namespaced and not path.namespace then return nil end
  local sub = path.subresource
  if sub and not (sub == "status" and entry.status) and not (sub == "scale" and discovery.is_scaled(entry)) then
    return nil
  end
  local api_version = path.group == "" and path.version or path.group .. "/" .. path.version
  return {
    entry = entry, subresource = sub,
    ref = { apiVersion = api_version, kind = entry.kind, namespace = path.namespace, name = path.name },
    details = { name = path.name, group = path.group ~= "" and path.group or nil, kind = path.plural },
  }
end

--- The answer to a request for a parsed path with a `plural`; nil when there is no such resource.
function rest.answer(world, path, request)
  local at = target_of(world.api.kinds, path)
  if not at then return nil end
  local view = views.of(request.headers("Accept"))
  if not view then
    return replies.failure("NOT_ACCEPTABLE", "only the following media types are accepted: application/json")
  end
  at.view = { view = view, include = request.query.includeObject }
  local verb = verbs[request.method]
  if verb and request.query.dryRun then return bad(at, "dryRun is not supported here") end
  local answer = verb and verb(world, at, request)
  if answer then return answer end
  return replies.failure("NOT_ALLOWED", ("the server does not allow this method on the requested resource: %s")
    :format(request.method), at.details)
end

return rest
