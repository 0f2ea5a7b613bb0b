--- Webhooks: what is sent, and what an answer means.

local duration = require("util.duration")
local fnv = require("util.fnv")
local json = require("json")

local hooks = {}

local TIMEOUT = 10 -- seconds
local MAX_BACKOFF = 30

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
function hooks.body(ctx, phase, metadata)
  local parts = {
    '"name":' .. encode(ctx.name),
    '"namespace":' .. encode(ctx.namespace),
    '"phase":' .. encode(phase),
    '"checksum":' .. encode(hooks.checksum(ctx.status)),
  }
  if metadata and next(metadata) then parts[#parts + 1] = '"metadata":' .. encode(metadata) end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function retried(answer)
  return answer == nil or answer.status == 429 or (answer.status >= 500 and answer.status ~= 501)
end

local function request_of(hook, body)
  local timeout = #(hook.timeout or "") > 1 and duration.parse(hook.timeout) or TIMEOUT
  return {
    method = "POST",
    url = hook.url,
    headers = { ["Content-Type"] = "application/json" },
    body = body,
    timeout = timeout,
    follow = true,
    tls = hook.disableTLS and { insecure = true } or nil,
  }
end

--- Calls one hook. True, or nil and a message. Waits; tries again `hook.retries` times with growing pauses.
function hooks.call(ctx, hook, phase, extra)
  local metadata = {}
  for key, value in pairs(hook.metadata or {}) do metadata[key] = value end
  for key, value in pairs(extra or {}) do metadata[key] = value end
  local request = request_of(hook, hooks.body(ctx, phase, metadata))
  local tries, answer, message = (hook.retries or 0) + 1, nil, nil
  for try = 1, tries do
    answer, message = ctx.host.http.request(request)
    if not retried(answer) then break end
    if try < tries then
      local asked = answer and tonumber(answer.headers["retry-after"])
      ctx.host.clock.sleep(math.min(asked or 2 ^ (try - 1), MAX_BACKOFF))
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

--- Calls all hooks of a type until one refuses. Returns nil, or that hook and its message.
--- @param passed function?  called with each hook that agreed
function hooks.refused(ctx, kind, phase, passed)
  for _, hook in ipairs(hooks.of(ctx, kind)) do
    local ok, message = hooks.call(ctx, hook, phase)
    if not ok then return hook, message end
    if passed then passed(hook) end
  end
end

return hooks
