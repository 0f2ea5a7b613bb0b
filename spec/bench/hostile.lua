--- Prints what hostile scripts cost the canaries beside them: how late their ticks are, how long /healthz takes. First
--- without any, then with those of spec/cluster/hostile, then with every escape of spec/fixtures/escapes as a check.
--- Wanted: /healthz within 100 ms, no tick late by more than the interval.

local common = require("spec.bench.common")
local lfs = require("lfs")
local rfc3339 = require("util.rfc3339")
local support = require("spec.cluster.support")

local EACH = math.tointeger(tonumber(os.getenv("SECONDS_EACH") or "60"))
local OTHERS, HOSTILE, ESCAPING = 50, 10, 5
local HEALTH = "http://127.0.0.1:18080/healthz"
local ESCAPES = "spec/fixtures/escapes"

local OBJECTS = [[
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: $(name), namespace: bench, labels: {app: $(name)}}
spec:
  replicas: 1
  selector: {matchLabels: {app: $(name)}}
  template:
    metadata: {labels: {app: $(name)}}
    spec: {containers: [{name: app, image: "podinfo:6.0.0", ports: [{name: http, containerPort: 9898}]}]}
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: $(name), namespace: bench}
spec:
  provider: kubernetes
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: $(name)}
  service: {port: 80, targetPort: http}
  analysis:
    interval: 10s
    threshold: 1000
    iterations: 1000
$(analysis)
]]

local SCRIPTED = "    metrics: [{name: innocent, script: {name: innocent}}]"
local PLAIN = "    metrics: [{name: one, query: vector(1), thresholdRange: {min: 1}}]"
local STUCK = "    policy: {name: stuck}"
local BAD = { "spin", "hoard", "flood", "pry" }

local function checks(names)
  local out = {}
  for _, name in ipairs(names) do out[#out + 1] = ("{name: %s, script: {name: %s}}"):format(name, name) end
  return ("    metrics: [%s]"):format(table.concat(out, ", "))
end

-- An escape as a check. Left out is what asks for what no check has (`attack`, `pause`), and what is refused before it
-- runs (`require`).
local CHECK = [[
local escape = (function()
%s
end)()
return { name = %q, api = 1, run = function() return escape() end }
]]

--- Writes the escapes as checks, and gives the folder and their names.
local function escapes()
  local dir, out = support.path("escapes"), {}
  support.run("rm", "-rf", dir)
  support.run("mkdir", "-p", dir .. "/checks")
  for file in lfs.dir(ESCAPES) do
    local source = file:match("%.lua$") and support.read(ESCAPES .. "/" .. file)
    if source and not (source:find("attack") or source:find("pause") or source:find("require")) then
      local name = "e" .. file:gsub("%.lua$", "")
      local handle <close> = assert(io.open(("%s/checks/%s.lua"):format(dir, name), "wb"))
      handle:write(CHECK:format(source, name))
      out[#out + 1] = name
    end
  end
  table.sort(out)
  return dir, out
end

--- name -> what its analysis says.
local function others()
  local out = {}
  for index = 1, OTHERS do out[("other%02d"):format(index)] = index % 2 == 0 and SCRIPTED or PLAIN end
  return out
end

local function bad_ones()
  local out = {}
  for index = 1, HOSTILE do out[("hostile%02d"):format(index)] = index == 1 and STUCK or checks(BAD) end
  return out
end

--- Canaries that run each of these once in an interval, dealt out among them.
local function escaping(names)
  local hands, out = {}, {}
  for index, name in ipairs(names) do
    local hand = 1 + index % ESCAPING
    hands[hand] = hands[hand] or {}
    table.insert(hands[hand], name)
  end
  for index, hand in ipairs(hands) do out[("escape%02d"):format(index)] = checks(hand) end
  return out
end

local function phases()
  local out = {}
  local text = support.kubectl("-n", common.NAMESPACE, "get", "canaries", "-o",
    'jsonpath={range .items[*]}{.metadata.name} {.status.phase}{"\\n"}{end}')
  for name, phase in text:gmatch("(%S+) (%S*)\n") do out[name] = phase end
  return out
end

local function wait_for(names, phase)
  support.wait_until("each is " .. phase, 300, function()
    local now = phases()
    for name in pairs(names) do
      if now[name] ~= phase then return false end
    end
    return true
  end)
end

--- Applies them and begins a run of each.
local function begin(names)
  local text = { "apiVersion: v1\nkind: Namespace\nmetadata: {name: bench}\n" }
  for name, analysis in pairs(names) do
    text[#text + 1] = OBJECTS:gsub("%$%((%w+)%)", { name = name, analysis = analysis })
  end
  support.apply(table.concat(text))
  wait_for(names, "Initialized")
  for name in pairs(names) do
    support.kubectl("-n", common.NAMESPACE, "set", "image", "deployment/" .. name, "app=podinfo:6.0.1")
  end
  wait_for(names, "Progressing")
end

--- The differences between a canary's ticks and its interval, of all the others, sorted.
local function lateness(lines)
  local last, out = {}, {}
  for _, line in ipairs(lines) do
    local name, text = line:match("^(other%d+) (%S+)")
    local at = text and rfc3339.parse(text)
    if at and last[name] and at > last[name] then out[#out + 1] = at - last[name] - common.INTERVAL end
    if at then last[name] = at end
  end
  table.sort(out)
  return out
end

local function health(path)
  local out = {}
  for seconds, code in support.read(path):gmatch("([%d.]+) (%d+)\n") do
    assert(code == "200", "/healthz answered " .. code)
    out[#out + 1] = tonumber(seconds)
  end
  table.sort(out)
  return out
end

local function at(list, share) return list[math.max(1, math.ceil(share * #list))] end

--- Measures for a while and prints a line.
local function measure(what)
  local ticks = support.record("canaries", common.NAMESPACE, nil, "{.metadata.name} {.status.lastCheckTime}")
  local asked = support.start("health-" .. what, "while :; do curl -s -m 10 -o /dev/null -w "
    .. "'%{time_total} %{http_code}\\n' " .. HEALTH .. "; sleep 0.1; done")
  support.sleep(EACH)
  ticks.stop()
  asked.stop()
  local late, took = lateness(ticks.lines()), health(asked.path)
  assert(#late >= OTHERS * (EACH // common.INTERVAL - 2), ("only %d ticks of the others"):format(#late))
  print(("%-8s others late by median %.0f ms, p99 %.0f, max %.0f (%d ticks); /healthz median %.0f ms, p99 %.0f, "
    .. "max %.0f (%d)"):format(what, 1000 * at(late, 0.5), 1000 * at(late, 0.99), 1000 * late[#late], #late,
    1000 * at(took, 0.5), 1000 * at(took, 0.99), 1000 * took[#took], #took))
end

--- What the prying check of each said that it got.
local function pried()
  local out, text = {}, support.kubectl("-n", common.NAMESPACE, "get", "canaries", "-o",
    'jsonpath={range .items[*]}{range .status.checks[?(@.name=="pry")]}{.value}{"\\n"}{end}{end}')
  for line in text:gmatch("[^\n]+") do
    out[line] = (out[line] or 0) + 1
  end
  return out
end

support.install()
local dir, names = escapes()
local engine = support.engine("-scripts=spec/cluster/hostile", "-scripts=" .. dir, "-log-level", "info")
local _ <close> = setmetatable({}, { __close = function() engine.stop() end }) -- after an error too
begin(others())
measure("without")
begin(bad_ones())
measure("hostile")
begin(escaping(names))
measure("escapes")
local ran = {}
for name in support.read(engine.path):gmatch("advancement (e[%w_]+)") do ran[name] = true end
print(("%d hostile canaries: %d hostile checks, %d of %d escapes failed their check at least once"):format(
  HOSTILE + ESCAPING, #BAD * (HOSTILE - 1), #require("util.list").keys(ran), #names))
local got = pried()
for what, count in pairs(got) do print(("%d prying checks got hold of: %s"):format(count, what)) end
assert(next(got) == "nothing" and next(got, "nothing") == nil, "something was readable that was not granted")
