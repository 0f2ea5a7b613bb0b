--- HTTP answers of the embedded API server: JSON, and Status objects for what failed.

local json = require("json")

local replies = {}

-- CODE of a failure -> HTTP status and the reason of its Status object.
local CODES = {
  BAD_REQUEST = { 400, "BadRequest" },
  FORBIDDEN = { 403, "Forbidden" },
  NOT_FOUND = { 404, "NotFound" },
  NOT_ALLOWED = { 405, "MethodNotAllowed" },
  NOT_ACCEPTABLE = { 406, "NotAcceptable" },
  EXISTS = { 409, "AlreadyExists" },
  CONFLICT = { 409, "Conflict" },
  GONE = { 410, "Expired" },
  TOO_LARGE = { 413, "RequestEntityTooLarge" },
  BAD_MEDIA = { 415, "UnsupportedMediaType" },
  INVALID = { 422, "Invalid" },
  THROTTLED = { 429, "TooManyRequests" },
  BAD_ANSWER = { 500, "InternalError" },
  TIMEOUT = { 504, "Timeout" },
}
-- What a direct caller is told by a code, and a client of HTTP by what happens to its connection.
local BROKEN = { UNREACHABLE = "reset", TIMEOUT = "silence" }

function replies.json(status, value, headers)
  headers = headers or {}
  headers["Content-Type"] = "application/json"
  return { status = status, headers = headers, body = assert(json.encode(value)) .. "\n" }
end

function replies.text(status, text)
  return { status = status, headers = { ["Content-Type"] = "text/plain; charset=utf-8" }, body = text }
end

--- The Status object of a failure. details: { name =, group =, kind = plural, uid =, retryAfterSeconds = } or nil.
function replies.status(code, message, details)
  local known = CODES[code] or CODES.BAD_ANSWER
  if code == "INVALID" and details then
    -- kubectl shows these and nothing else
    details.causes = json.array({ { reason = "FieldValueInvalid", message = message } })
  end
  return {
    apiVersion = "v1", kind = "Status", metadata = {}, status = "Failure", code = known[1], reason = known[2],
    message = message, details = details,
  }
end

--- The answer of a failure.
function replies.failure(code, message, details, headers)
  local status = replies.status(code, message, details)
  return replies.json(status.code, status, headers)
end

--- The answer of a call that was broken on purpose: see door.lua for `fault`.
function replies.broken(fault, details)
  local kind = fault.kind or BROKEN[fault.code]
  local answer = replies.failure(fault.code, fault.message, details)
  if kind then return { fault = kind, body = answer.body } end
  if not fault.retry_after then return answer end
  details = details or {}
  details.retryAfterSeconds = math.ceil(fault.retry_after)
  return replies.failure(fault.code, fault.message, details,
    { ["Retry-After"] = ("%d"):format(details.retryAfterSeconds) })
end

return replies
