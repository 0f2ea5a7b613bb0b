---@meta digest

digest = {}

--- Lower-case hex of SHA-256.
---@since 1
function digest.sha256(bytes) end

--- HMAC-SHA-256 as raw bytes; `digest.hex` makes it readable.
---@since 1
function digest.hmac_sha256(key, bytes) end

--- The RS256 signature (RFC 7518, 3.3) of `bytes` (at most 64 KiB) as raw bytes. `pem`: an unencrypted RSA key of 2048
--- to 4096 bits, at most 16 KiB; nil, message, "INVALID" | "TOO_LARGE" for another.
---@since 1
function digest.rs256(pem, bytes) end

---@since 1
function digest.hex(bytes) end

---@since 1
function digest.base64(bytes) end

--- nil, message, "INVALID" when the text is not base64.
---@since 1
function digest.unbase64(text) end

--- `n` random bytes (at most 1024) from the system's generator.
---@since 1
function digest.random(n) end
