---@meta server
-- An HTTP server on the engine's loop, for the embedded cluster and for specs.

server = {}

--- options: { address = "127.0.0.1", port = 0, handler = fn, cert =, key = PEM texts for TLS }. handler(request) gets
--- { method =, path =, query = { key = value }, headers = fn(name) -> value|nil, body = } and returns
--- { status = 200, headers = { Name = value }, body = "" }, or
--- { status =, headers =, stream = function(stream) end, on_close = function() end }: chunked, without an end;
--- stream:write(bytes), stream:close(); or
--- { fault = "reset" | "truncate" | "silence", body = }: see engine/server.h.
--- Returns an object with :port() and :close(), or nil, message, CODE.
---@since 1
function server.listen(options) end
