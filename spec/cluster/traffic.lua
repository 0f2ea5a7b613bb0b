--- A steady stream of requests in the background, and what became of each.

local support = require("spec.cluster.support")

local traffic = {}

local CHUNK = 500 -- requests of one `load`; it ends between two of them

local function parse(path, out)
  for line in io.lines(path) do
    local at, version, status = line:match("^(%d+) (%S+) (%d+)")
    if at then out[#out + 1] = { at = tonumber(at), version = version, status = math.tointeger(tonumber(status)) } end
  end
end

local function failed(request)
  return request.status == 0 or request.status >= 500
end

--- Counts: { total, errors, versions = { [version] = { total, errors } } }
local function summary(requests)
  local out = { total = 0, errors = 0, versions = {} }
  for _, request in ipairs(requests) do
    local version = out.versions[request.version] or { total = 0, errors = 0 }
    out.versions[request.version] = version
    local bad = failed(request) and 1 or 0
    out.total, version.total = out.total + 1, version.total + 1
    out.errors, version.errors = out.errors + bad, version.errors + bad
  end
  return out
end

--- Starts `rate` requests a second. Gives { finish() }, which ends the stream and gives its summary; with `least`
--- it waits until so many were answered.
function traffic.start(name, url, host, rate)
  local prefix = support.path(("load-%s-%d"):format(name, support.next_number()))
  local q = support.quote
  local process = support.start(("load-%s-%d.log"):format(name, support.next_number()), ([[
i=0
while [ ! -e %s ]; do
  i=$((i + 1))
  load -qps %d -c 8 -n %d -host %s -trace %s.$i %s || exit 1
done]]):format(q(prefix .. ".stop"), rate, CHUNK, q(host), q(prefix), q(url)))
  local stream = { process = process }

  function stream.requests()
    local out = {}
    local files = support.run("sh", "-c", "ls " .. q(prefix) .. ".[0-9]* 2>/dev/null")
    for path in files:gmatch("[^\n]+") do parse(path, out) end
    return out
  end

  function stream.finish(least)
    if least then
      support.wait_until(("%d requests"):format(least), 300, function() return #stream.requests() >= least end)
    end
    support.run("touch", prefix .. ".stop")
    support.wait_until("the load ends", 120, function() return not process.alive() end)
    return summary(stream.requests())
  end

  return stream
end

return traffic
