---@meta http

http = {}

--- request: { method = "GET", url =, headers = { Name = value | {values} }, body =, timeout = seconds (10),
--- max_bytes = 1 MiB, tls = { insecure =, ca =, cert =, key = } (PEM texts), proxy =, follow = true }.
--- Returns { status =, headers = { ["lower-case-name"] = value }, body = } for any status,
--- or nil, message, CODE when no answer came. Waits; only inside a job.
---@since 1
function http.request(request) end
