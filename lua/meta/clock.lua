---@meta clock
-- Time is the engine's clock, which the demo and specs may run faster than the wall's.

clock = {}

--- Seconds since the epoch, a float.
---@since 1
function clock.now() end

--- Seconds of a clock that never goes back.
---@since 1
function clock.monotonic() end

--- "2030-01-02T03:04:05Z" for a time in seconds.
---@since 1
function clock.rfc3339(seconds) end

--- "2030-01-02T03:04:05.123456Z".
---@since 1
function clock.rfc3339_micro(seconds) end

--- Seconds since the epoch for an RFC 3339 text (fraction and offset allowed), or nil, message, "INVALID".
---@since 1
function clock.parse(text) end

--- Waits; only inside a job.
---@since 1
function clock.sleep(seconds) end

--- Calls `fn` every `seconds` of the engine's clock until the returned function is called. Not inside scripts.
---@since 1
function clock.every(seconds, fn) end

--- Makes the engine's clock run `factor` times as fast as the wall's, from now on. For the demo and specs.
---@since 1
function clock.rate(factor) end
