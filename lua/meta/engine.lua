---@meta engine
-- What the command line's Lua may ask of the host.

engine = {}

--- Starts watching and ticking. options: { kubeconfig =, master =, qps =, burst =,
--- routes_kubeconfig = of the cluster of kinds declared as `route` (nil: the same one), namespace = "" (all),
--- canary = { apiVersion =, kind = } (the kind that is scheduled), max_running = 64,
--- port = of health and metrics (0: any, see engine.stats; nil: none), log_level = "info", log_encoding = "json",
--- tick = function(namespace, name, cause) -> seconds until due, or nil for "when something changes",
--- forget = function(namespace, name), metrics = function() -> text }.
--- `tick` runs as a job, one at a time per object. `cause`: "start", "change", "due", "retry". It may also return
--- nil, message, CODE: the tick is repeated, after a conflict soon, when throttled as late as the server asked.
--- An error in it is logged and the tick is tried again, with back-off, alone.
--- Returns true or nil, message, CODE.
---@since 1
function engine.start(options) end

--- Stops as kill would: nothing is written any more. engine.start may follow.
---@since 1
function engine.stop() end

--- Ends the process' loop; the exit code of the process is `code`.
---@since 1
function engine.exit(code) end

--- { canaries =, running =, due_late = seconds, ticks =, tick_errors =, requests =, request_errors =, port =,
--- cache_objects =, cache_bytes =, synced = bool, kinds = { { apiVersion =, kind =, state =, objects = }... } }.
--- state: "syncing", "synced" or "absent".
---@since 1
function engine.stats() end

--- Runs `fn` as a job outside of any canary; errors are logged.
---@since 1
function engine.spawn(fn) end

--- Calls `fn(signal)` on SIGINT and SIGTERM instead of stopping at once.
---@since 1
function engine.on_signal(fn) end
