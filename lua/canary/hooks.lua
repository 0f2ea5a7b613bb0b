--- Webhooks: what is sent, and what an answer means.

local access = require("canary.access")
local duration = require("util.duration")
local fnv = require("util.fnv")
local json = require("json")
local retry = require("canary.retry")

local hooks = {}

local TIMEOUT = 10 -- seconds
local AGENT = "Go-http-client/1.1" -- COMPAT: receivers may know Flagger by it

local function map_text(map)
  local keys, parts = {}, {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  for index, key in ipairs(keys) do parts[index] = key .. ":" .. map[key] end
  return "map[" .. table.concat(parts, " ") .. "]"
end

--- COMPAT: identifies revision and configuration of a run, over the text Flagger hashes.
function hooks.checksum(status)
  local configs = status.trackedConfigs and map_text(status.trackedConfigs) or "<nil>"
  return fnv.safe("(struct { TrackedConfigs *map[string]string; LastAppliedSpec string })" ..
    "{TrackedConfigs:(*map[string]string)" .. configs .. " LastAppliedSpec:(string)" ..
    (status.lastAppliedSpec or "") .. "}")
end

--- COMPAT: HTML characters inside strings are escaped, as Go's encoder does.
local function encode(value)
  return (json.encode(value):gsub("[<>&]", { ["<"] = "\\u003c", [">"] = "\\u003e", ["&"] = "\\u0026" }))
end

--- The body of a call; keys in Flagger's order.
--- @param full boolean?     with weight, iterations, failed checks and the run's id behind them
--- @param checksum string?  of the moment the call is about, when that is not now
function hooks.body(ctx, phase, metadata, full, checksum)
  local parts = {
    '"name":' .. encode(ctx.name),
    '"namespace":' .. encode(ctx.namespace),
    '"phase":' .. encode(phase),
    '"checksum":' .. encode(checksum or hooks.checksum(ctx.status)),
  }
  if metadata and next(metadata) then parts[#parts + 1] = '"metadata":' .. encode(metadata) end
  if full then
    parts[#parts + 1] = ('"canaryWeight":%.14g'):format(ctx.status.canaryWeight or 0)
    parts[#parts + 1] = ('"iterations":%d'):format(ctx.status.iterations or 0)
    parts[#parts + 1] = ('"failedChecks":%d'):format(ctx.status.failedChecks or 0)
    parts[#parts + 1] = '"runId":' .. encode(ctx.status.runId or "")
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function retried(answer) return answer == nil or retry.worth(answer) end

local function request_of(hook, body)
  local timeout = #(hook.timeout or "") > 1 and duration.parse(hook.timeout) or TIMEOUT
  return {
    method = "POST",
    url = hook.url,
    headers = { ["Content-Type"] = "application/json", ["User-Agent"] = AGENT },
    body = body,
    timeout = timeout,
    follow = true,
    tls = hook.disableTLS and { insecure = true } or nil,
  }
end

--- Calls one hook. True, or nil and a message. Waits; tries again `hook.retries` times with growing pauses.
function hooks.call(ctx, hook, phase)
  local given, message = access.read(ctx, hook)
  if not given then return nil, message end
  return hooks.send(ctx, hook, hooks.body(ctx, phase, hook.metadata, hook.payload == "full"), given)
end

--- Sends a body to one hook. As hooks.call.
--- @param given table  what access.read gave
function hooks.send(ctx, hook, body, given)
  local request = access.apply(given, request_of(hook, body), ctx.host.clock.now())
  local tries, answer, message = (hook.retries or 0) + 1, nil, nil
  for try = 1, tries do
    answer, message = ctx.host.http.request(request)
    if not retried(answer) then break end
    if try < tries then
      ctx.host.clock.sleep(retry.pause(answer, try, ctx.host.clock.now()))
    end
  end
  if answer and answer.status >= 200 and answer.status <= 202 then return true end
  if retried(answer) then
    return nil, ("POST %s giving up after %d attempt(s)%s"):format(hook.url, tries, message and ": " .. message or "")
  end
  return nil, answer.body:sub(1, 512)
end

--- The hooks of a type, in order. An absent type is "rollout".
function hooks.of(ctx, kind)
  local out = {}
  for _, hook in ipairs(ctx.canary.analysis.webhooks) do
    local own = hook.type
    if own == nil or own == "" then own = "rollout" end
    if own == kind then out[#out + 1] = hook end
  end
  return out
end

return hooks
