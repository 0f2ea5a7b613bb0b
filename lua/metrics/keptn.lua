--- Keptn: the value of a KeptnMetric, or whether an Analysis passes (1) or not (0).
--
-- The query is `keptnmetric/NAMESPACE/NAME`, or `analysis/NAMESPACE/NAME[/RECENT[/key=value;key=value]]`. The namespace
-- is the template's or the Canary's: the engine reads and writes there with its own rights, not with the template's.
--
-- Steps of an Analysis: create it (one left by a run that was cut off has the same name and is deleted first), look
-- once a second until it is complete, delete it, then give the result.

local answer = require("metrics.answer")
local digest = require("digest")
local text = require("util.text")

local keptn = { name = "keptn" }

local API = "metrics.keptn.sh/v1beta1"
local RECENT = "1m"
local LOOKS, GAP = 10, 1 -- seconds between looks
local MOST_ARGUMENTS = 32
local SHAPES = "keptnmetric/namespace/name or analysis/namespace/name[/recent[/key=value;...]]"
local METRICS = { keptnmetric = true, keptnmetrics = true }
local ANALYSES = { analysis = true, analyses = true }

--- "k=v;k=v" as a map; or nil and a message.
local function arguments_of(list)
  local out, count = {}, 0
  for pair in (list or ""):gmatch("[^;]+") do
    local name, value = pair:match("^%s*([^=]+)=(.*)$")
    count = count + 1
    if not name or count > MOST_ARGUMENTS then
      return nil, ("query: expected at most %d arguments key=value, found %s"):format(MOST_ARGUMENTS,
        text.cut(pair, 64))
    end
    out[name] = value
  end
  return next(out) and out or nil
end

local function is_name(value) return value:find("^[%l%d][%l%d.-]*$") ~= nil and #value <= 253 end

--- { kind, namespace, name, recent, arguments } of a query; or nil and a message.
local function parts_of(query)
  local kind, namespace, name, rest = query:match("^%s*([^/]+)/([^/]+)/([^/]+)/?(.-)%s*$")
  -- COMPAT: the case of kind and names does not matter; that of arguments is kept
  kind, namespace, name = (kind or ""):lower(), (namespace or ""):lower(), (name or ""):lower():gsub("%s+$", "")
  if not (METRICS[kind] or ANALYSES[kind]) or not is_name(namespace) or not is_name(name) then
    return nil, ("query: expected %s, found %s"):format(SHAPES, text.cut(query, 128))
  end
  local recent, list = rest:match("^([^/]*)/?(.*)$")
  local arguments, message = arguments_of(list)
  if message then return nil, message end
  if recent ~= "" and not recent:find("^[%d.]+[%a%d.]*$") then
    return nil, ("query: expected a duration like 5m, found %s"):format(text.cut(recent, 64))
  end
  return { metric = METRICS[kind], namespace = namespace, name = name, recent = recent ~= "" and recent or RECENT,
    arguments = arguments }
end

--- nil, or why the engine does not go there for this template.
local function refused(ctx, namespace)
  local metadata = ctx.template.metadata or {}
  if namespace == metadata.namespace or namespace == ctx.canary.namespace then return nil end
  return ("query: expected the namespace %s of the template or that of the Canary, found %s"):format(
    tostring(metadata.namespace), namespace)
end

--- The Analysis of one check. Its name is the same each time, so that none is left behind for good.
local function analysis_of(ctx, parts)
  local id = digest.sha256(("%s/%s/%s"):format(ctx.canary.namespace, ctx.canary.name, ctx.metric))
  return {
    apiVersion = API, kind = "Analysis",
    metadata = { namespace = parts.namespace, name = parts.name:sub(1, 246) .. "-" .. id:sub(1, 6),
      labels = { ["app.kubernetes.io/managed-by"] = "serin" } },
    spec = { analysisDefinition = { name = parts.name }, timeframe = { recent = parts.recent },
      args = parts.arguments },
  }
end

--- What to ask first. See README.md for `ctx`.
function keptn.request(ctx)
  local parts, message = parts_of(ctx.query)
  if not parts then return nil, message end
  message = refused(ctx, parts.namespace)
  if message then return nil, message end
  if parts.metric then
    local ref = { apiVersion = API, kind = "KeptnMetric", namespace = parts.namespace, name = parts.name }
    return { kube = "get", ref = ref }
  end
  return { kube = "create", object = analysis_of(ctx, parts), read = "created", keep = { tries = 1 } }
end

--- The value of a KeptnMetric.
function keptn.parse(given)
  if not given.object then return nil, "error response: " .. tostring(given.message), given.code end
  local status = answer.is_object(given.object.status) and given.object.status or {}
  if type(status.value) ~= "string" then return answer.bad("the KeptnMetric has no value") end
  local number = answer.float(status.value)
  if not number then return answer.bad("value of the KeptnMetric is not a number: %s", answer.cut(status.value)) end
  return number
end

local function ref_of(object)
  return { apiVersion = API, kind = "Analysis", namespace = object.metadata.namespace, name = object.metadata.name }
end

local function look(ref, looks)
  return { kube = "get", ref = ref, after = GAP, read = "looked", keep = { looks = looks } }
end

--- Deletes the Analysis; `keep` is then what is known: { value = } or { message = }.
local function delete(ref, keep) return { kube = "delete", ref = ref, read = "deleted", keep = keep } end

--- Takes the answer to the creation.
function keptn.created(given, _, asked)
  if given.object then return look(ref_of(asked.object), 1) end
  if given.code == "EXISTS" and asked.keep.tries == 1 then
    return { kube = "delete", ref = ref_of(asked.object), read = "cleared", keep = { object = asked.object } }
  end
  return nil, "error response: " .. tostring(given.message), given.code
end

--- What was in the way is gone, or on its way.
function keptn.cleared(_, _, asked)
  return { kube = "create", object = asked.keep.object, after = GAP, read = "created", keep = { tries = 2 } }
end

--- Takes a look at the Analysis.
function keptn.looked(given, _, asked)
  if not given.object then
    return delete(asked.ref, { message = "error response: " .. tostring(given.message), code = given.code })
  end
  local status = answer.is_object(given.object.status) and given.object.status or {}
  if status.state == "Completed" then return delete(asked.ref, { value = status.pass == true and 1.0 or 0.0 }) end
  if asked.keep.looks < LOOKS then return look(asked.ref, asked.keep.looks + 1) end
  return delete(asked.ref, { code = "TIMEOUT",
    message = ("analysis %s is not complete after %d seconds"):format(asked.ref.name, LOOKS * GAP) })
end

--- The result. An Analysis that could not be deleted is in the way of the next one, which deletes it.
function keptn.deleted(_, _, asked)
  return asked.keep.value, asked.keep.message, asked.keep.code
end

return keptn
