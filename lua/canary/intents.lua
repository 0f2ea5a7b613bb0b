--- What a person asks of a Canary: the annotation `serin.dev/intent`. Acted on once; then the annotation goes, and the
--- outcome is in the status and in an event. RBAC and audit are the cluster's.
--
--   promote            the revision that is being analysed is promoted now
--   abort              it is rolled back now
--   pause, resume      no weight rises and nothing is promoted; checks go on and may roll back
--   retry              a revision that failed is tried again
--   approve=<hook>     a confirm hook counts as agreed, once

local json = require("json")
local cluster = require("canary.cluster")
local nearest = require("util.nearest")
local notify = require("canary.notify")
local rfc3339 = require("util.rfc3339")
local status = require("canary.status")

local intents = {}

local INTENT = "serin.dev/intent"
local KNOWN = { "promote", "abort", "pause", "resume", "retry", "approve" }

--- What is asked for: verb, argument; nil without an intent.
function intents.of(ctx)
  local text = (ctx.object.metadata.annotations or {})[INTENT]
  if type(text) ~= "string" then return nil end
  local verb, argument = text:match("^(%w+)=?(.*)$")
  return verb or text, argument
end

local LATELY = 60 -- seconds

--- True when the status says so already: the annotation could not be taken off then.
local function told(ctx, text, outcome)
  local intent = ctx.status.intent or {}
  return intent.value == text:sub(1, 256) and intent.outcome == outcome
    and (rfc3339.parse(intent.at) or 0) > ctx.now - LATELY
end

--- Takes the annotation off and tells how it went. Returns nil, or a stop.
--- @param outcome string  "done", or why not
function intents.finish(ctx, outcome)
  local text = ctx.object.metadata.annotations[INTENT]
  if not told(ctx, text, outcome) then
    local failure = status.write(ctx, {
      intent = { value = text:sub(1, 256), outcome = outcome, at = rfc3339.format(ctx.now) } })
    if failure then return failure end
  end
  local stored, stop = cluster.patch(ctx, ctx.object, { metadata = { annotations = { [INTENT] = json.null } } })
  if not stored then return stop end
  ctx.object, ctx.status = stored, stored.status or {}
  notify.event(ctx, outcome == "done" and "Normal" or "Warning",
    ("Intent %s of %s: %s"):format(text:sub(1, 256), ctx.label, outcome))
end

local function running(ctx)
  return status.is(ctx, "Progressing", "WaitingPromotion")
end

local function pause(ctx, paused)
  local stop = status.write(ctx, { paused = paused or json.null })
  return stop or intents.finish(ctx, "done")
end

--- What can be answered without looking at the workload.
function intents.read(ctx)
  local verb, argument = intents.of(ctx)
  if not verb then return nil end
  if verb == "pause" or verb == "resume" then return pause(ctx, verb == "pause") end
  if verb == "approve" then
    if argument ~= "" then return nil end
    return intents.finish(ctx, "expected approve=<name of a hook>, found no name")
  end
  if verb == "retry" then
    if status.is(ctx, "Failed") and ctx.status.canaryWeight ~= 100 then return nil end
    return intents.finish(ctx, ("expected a revision that failed, found phase %s"):format(ctx.status.phase or "none"))
  end
  if verb == "promote" or verb == "abort" then
    if running(ctx) or verb == "abort" and status.is(ctx, "Waiting") then return nil end
    return intents.finish(ctx, ("expected a run, found phase %s"):format(ctx.status.phase or "none"))
  end
  local close = nearest.of(verb, KNOWN)
  return intents.finish(ctx, ("expected one of %s, found %s%s"):format(table.concat(KNOWN, ", "), verb:sub(1, 64),
    close and (" (did you mean %s?)"):format(close) or ""))
end

--- True when a person asks for this verb now.
function intents.wants(ctx, verb)
  return intents.of(ctx) == verb
end

--- True when a person said yes in the place of this hook, by its name or its type.
function intents.approves(ctx, hook)
  local verb, argument = intents.of(ctx)
  return verb == "approve" and (argument == hook.name or argument == hook.type)
end

return intents
