---@meta script
-- Custom scripts, each run in a Lua state of its own in a confined process. See engine/pool.h, engine/worker.h.

script = {}

--- Runs `entry` of the chunk `source` with `argument` and returns what it returns. The chunk returns a table with the
--- function `entry`, or with no entry the function itself. Argument and result are JSON values: null at their top is
--- nil, the argument holds at most 64 Ki values and 1 MiB, the result 16 Ki values and 256 KiB.
--- options: { name = "script" (of the chunk, and with the sha256 what is quarantined), sha256 = (REFUSED when the source
--- has another one), burst = 0.1 (seconds of CPU between two calls), budget = 0.5 (seconds of CPU in all, at most 10),
--- deadline = 10 (seconds in all, waiting included), memory = 8 MiB (64 KiB to 64 MiB), seed = 0 (of math.random),
--- tenant = false (refused where the kernel does not confine workers), max_calls = 100,
--- calls = { ["prom.query"] = fn, ... } }: what the script may call, at most 32 functions under names of one or two
--- parts. They run in the job that waits, and may wait too. Their arguments and results are JSON values within the
--- limits of results, at most 16 each; nil is nil. What they raise is raised in the script. When a worker is lost, the
--- runs in it begin again, and so do their calls.
--- Waits; only inside a job. Or nil, message, CODE; the message is "name:line: what", the line where it is known:
--- SCRIPT: it raised, or returned what it may not; TIMEOUT: burst, budget or deadline; MEMORY;
--- CRASH: the interpreter did not survive it; QUARANTINED: it cost a worker and is not run again for a while;
--- REFUSED: too many scripts are waiting, the sha256, a tenant's; TOO_LARGE, INVALID: argument or result.
---@since 1
function script.run(source, entry, argument, options) end

--- options: { workers = 2 (processes, at most), queue = 256 (runs at once), quarantine = 600 (seconds, the first time;
--- doubled with each further one up to a day) }. Ends the workers there are and forgets all quarantines; raises while
--- scripts run.
---@since 1
function script.setup(options) end

--- { queued =, running =, workers =, quarantined =, ended = (runs), killed = (workers) }.
---@since 1
function script.stats() end
