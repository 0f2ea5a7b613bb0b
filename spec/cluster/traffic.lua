--- A steady stream of requests in the background, and what became of each.

local support = require("spec.cluster.support")

local traffic = {}

local CHUNK = 3 -- seconds of one `load`; a stream ends between two of them

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

--- Starts `rate` requests a second, each by a connection of its own when `fresh`. Gives { stop(least), finish(least) }:
--- the first tells the stream to end, with `least` as soon as so many were answered; the second also waits for the end
--- and gives the summary.
function traffic.start(name, url, host, rate, fresh)
  local prefix = support.path(("load-%s-%d"):format(name, support.next_number()))
  local q = support.quote
  os.execute(("rm -f %s.*"):format(q(prefix))) -- of a run before this one
  local process = support.start(("load-%s-%d.log"):format(name, support.next_number()), ([[
i=0
while [ ! -e %s ]; do
  i=$((i + 1))
  load -qps %d -c 8 -d %ds -host %s -trace %s.$i %s %s || exit 1
done]]):format(q(prefix .. ".stop"), rate, CHUNK, q(host), q(prefix), fresh and "-fresh" or "", q(url)))
  local stream = { process = process }

  function stream.requests()
    local out = {}
    local files = support.run("sh", "-c", "ls " .. q(prefix) .. ".[0-9]* 2>/dev/null")
    for path in files:gmatch("[^\n]+") do parse(path, out) end
    return out
  end

  function stream.stop(least)
    if least then
      support.wait_until(("%d requests"):format(least), 300, function() return #stream.requests() >= least end)
    end
    support.run("touch", prefix .. ".stop")
  end

  function stream.finish(least)
    stream.stop(least)
    support.wait_until("the load ends", 120, function() return not process.alive() end)
    return summary(stream.requests())
  end

  return stream
end

--- Sends `n` requests as fast as they are answered. Gives their summary.
function traffic.burst(name, url, host, n)
  local path = support.path(("burst-%s-%d"):format(name, support.next_number()))
  local text, ok = support.run("load", "-c", "8", "-n", n, "-host", host, "-trace", path, url)
  if not ok then error("load: " .. text, 2) end
  local out = {}
  parse(path, out)
  return summary(out)
end

--- The same one after another, with a header "Name: value".
function traffic.with_header(url, host, header, n)
  local text = support.run("curl", "-s", "-m", "60", "-o", "/dev/null", "-w", "%header{x-version} %{http_code}\\n",
    "-H", "Host: " .. host, "-H", header, ("%s?n=[1-%d]"):format(url, n))
  local out = {}
  for version, status in text:gmatch("(%S*) (%d+)\n") do
    out[#out + 1] = { version = version, status = math.tointeger(tonumber(status)) }
  end
  return summary(out)
end

--- How many requests the pods of a namespace have had, by version; probes of kubelets are none.
function traffic.arrived(namespace)
  local out, text = {}, support.run("curl", "-sf", "-m", "10", os.getenv("PODS") .. "/metrics")
  for labels, count in text:gmatch("\nhttp_requests_total(%b{}) (%d+)") do
    if labels:find(('namespace="%s"'):format(namespace), 1, true) then
      local version = labels:match('version="([^"]*)"')
      out[version] = (out[version] or 0) + math.tointeger(tonumber(count))
    end
  end
  return out
end

return traffic
