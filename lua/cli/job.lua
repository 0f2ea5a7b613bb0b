--- A verb that has to wait: it runs as a job of the engine, and its exit code is that of the process.

local job = {}

--- What `fn` returns; when it raises, 1, and the reason on `err`.
function job.guarded(fn, err)
  local ok, code = pcall(fn)
  if ok then return code end
  err:write("serin: ", tostring(code), "\n")
  return 1
end

--- Starts it. Returns nil, so that the loop runs until it ends.
function job.start(fn, err)
  local engine = require("engine")
  engine.spawn(function() engine.exit(job.guarded(fn, err)) end)
end

return job
