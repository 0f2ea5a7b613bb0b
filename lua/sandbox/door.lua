--- What the engine's requests go through: counted, logged, and broken on request.

local merge = require("util.merge")

local door = {}

-- How a broken connection looks to a caller that made a direct call.
local BROKEN = {
  reset = { "UNREACHABLE", "connection reset by peer" },
  truncate = { "BAD_ANSWER", "the answer ends in the middle" },
  silence = { "TIMEOUT", "no answer in time" },
}
local TEXTS = {
  CONFLICT = "the object has been modified; please apply your changes to the latest version and try again",
  GONE = "too old resource version", INVALID = "the server refuses the object", NOT_FOUND = "not found",
  THROTTLED = "too many requests", BAD_ANSWER = "internal error", FORBIDDEN = "forbidden",
  UNREACHABLE = "connection refused", TIMEOUT = "no answer in time",
}

--- A fault as { code =, message =, kind = "reset"|"truncate"|"silence"|nil, retry_after = }.
function door.normal(fault)
  if type(fault) == "table" then
    local message = fault.message or TEXTS[fault.code] or fault.code
    return { code = fault.code, message = message, retry_after = fault.retry_after }
  end
  local broken = BROKEN[fault]
  if broken then return { code = broken[1], message = broken[2], kind = fault } end
  return { code = fault, message = TEXTS[fault] or fault, retry_after = fault == "THROTTLED" and 1 or nil }
end

local WRITES = { create = true, update = true, patch = true, delete = true }

--- Makes the call { verb =, ref =, body =, options =, run = function() -> result... } through `api`.
--- Returns what `run` does, or nil, message, CODE, fault.
function door.pass(api, call)
  call.n = #api.calls + 1
  call.write = WRITES[call.verb] or false
  call.time = api.now()
  api.calls[call.n] = call
  local fault = api.fault and api.fault(call) or {}
  if fault.before and fault.before ~= "wrong" then
    local is = door.normal(fault.before)
    call.code = is.code
    return nil, is.message, is.code, is
  end
  local result, message, code = call.run()
  call.run, call.code = nil, code
  local after = fault.after or fault.before
  if not after or not result then return result, message, code end
  if after == "wrong" then return door.stranger(result) end
  local is = door.normal(after)
  call.code = is.code
  return nil, is.message, is.code, is
end

--- Notes a request to what is not the API, { method =, url =, body =, headers = }. Returns nil, or the fault that
--- world.http_fault(request) lets it meet.
function door.outside(world, seen)
  seen.time, seen.n = world.now, #world.requests + 1
  world.requests[seen.n] = seen
  local fault = world.http_fault and world.http_fault(seen)
  return fault and door.normal(fault) or nil
end

--- A well-formed answer that is about something else.
function door.stranger(result)
  local other = merge.copy(result)
  local metadata = other.metadata or {}
  other.metadata = metadata
  metadata.name, metadata.uid = "somebody-else", "00000000-0000-4000-8000-000000000000"
  return other
end

return door
