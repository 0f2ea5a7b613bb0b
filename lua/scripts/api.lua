---@meta scripts
-- What a custom script may call, beside the functions of Lua that lua/scripts/README.md lists. A function whose grant is
-- not in the header is not there. A failing world gives nil, message, CODE; a wrong argument raises in the script's line.

prom = {}

--- The number that a query gives: with several results the last one. nil, "no values found", "NO_DATA" without one. An
--- infinity comes as the largest number there is.
--- Grant: prom, or prom:URL for another server than the configured one.
--- @param address string?  of the server; nil is the one of the Canary (spec.metricsServer, or -metrics-server)
--- @param query string     PromQL
---@since 1
function prom.query(address, query) end

--- Every result of a query: a list of { labels = { name = value }, value = number }, without those that are NaN.
--- Grant: as prom.query.
---@since 1
function prom.vector(address, query) end

http = {}

--- request: { url =, method = "GET", headers = { Name = value }, body =, timeout = 5 (seconds, at most 8),
--- secret = "name" }. Gives { status =, headers = { ["lower-case-name"] = value }, body = } for any status. It is not
--- redirected; an answer of more than 128 KiB is a failure. `secret` names a Secret beside the Canary with one of the
--- keys `authorization`, `token`, or `username` and `password`: it is sent as Authorization, and taken out of what comes
--- back. The script never sees it.
--- Grant: http:URL, everything at or below its path; scripts of tenants: the hosts of -tenant-http-allow.
---@since 1
function http.request(request) end

kube = {}

--- The object in the Canary's namespace, as the cache has it. nil, message, "NOT_FOUND" when it is not there.
--- Grant: kube:apiVersion/Kind. Never a Secret; not for scripts of tenants.
---@since 1
function kube.get(api_version, kind, name) end

clock = {}

--- Seconds since the epoch, a float.
---@since 1
function clock.now() end

--- What a clock on a wall shows: { year, month, day, hour, minute, second, weekday = 1 (Monday) to 7 }.
--- @param zone string?     "Europe/Berlin"; nil is UTC
--- @param seconds number?  since the epoch; nil is now
---@since 1
function clock.at(zone, seconds) end

log = {}

--- A line in the engine's log, with the names of the script and the Canary; of one run at most 20, each 512 bytes.
---@since 1
function log.debug(message) end
---@since 1
function log.info(message) end
---@since 1
function log.warn(message) end
---@since 1
function log.error(message) end

verdict = {}

--- The answers of a check. evidence: { value = number or text, rule = "what was expected", query = "what was asked",
--- n = samples, message = "for people" }. All but `pass` need `rule`; `fail` and `inconclusive` need `value` too.
--- `rule`, `query` and `message` are texts of 1 to 1024 bytes. The verdict `pass` is success, and no other is.
---@since 1
function verdict.pass(evidence) end
---@since 1
function verdict.fail(evidence) end
--- There was an answer, but it does not decide.
---@since 1
function verdict.inconclusive(evidence) end
--- There was no data.
---@since 1
function verdict.nodata(evidence) end
--- It could not be found out.
---@since 1
function verdict.error(evidence) end

--- Another script of the folders, by folder and file: require("lib.rates") is lib/rates.lua. Or a shipped module:
--- util.object, util.list, util.duration, util.text, util.merge, util.nearest, util.cron, util.rfc3339, stats.*. The name
--- is written out, so that it is known before anything runs. Scripts of tenants may require shipped modules alone.
---@since 1
function require(name) end
