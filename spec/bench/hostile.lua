--- Prints what hostile scripts cost the canaries beside them: how late their ticks are, how long /healthz takes.

local common = require("spec.bench.common")
local rfc3339 = require("util.rfc3339")
local support = require("spec.cluster.support")

local EACH = math.tointeger(tonumber(os.getenv("SECONDS_EACH") or "60"))
local OTHERS, HOSTILE = 50, 10
local HEALTH = "http://127.0.0.1:18080/healthz"

-- Far above what is wanted (a tick in its interval, 0.1 s), so that a busy machine fails nothing.
local LATEST, LONGEST = common.INTERVAL, 2.0

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
local BAD = "    metrics: [%s]"
local STUCK = "    policy: {name: stuck}"

local function hostile_analysis(index)
  if index == 1 then return STUCK end
  local out = {}
  for _, name in ipairs({ "spin", "hoard", "flood", "pry" }) do
    out[#out + 1] = ("{name: %s, script: {name: %s}}"):format(name, name)
  end
  return BAD:format(table.concat(out, ", "))
end

--- name -> what its analysis says.
local function others()
  local out = {}
  for index = 1, OTHERS do out[("other%02d"):format(index)] = index % 2 == 0 and SCRIPTED or PLAIN end
  return out
end

local function bad_ones()
  local out = {}
  for index = 1, HOSTILE do out[("hostile%02d"):format(index)] = hostile_analysis(index) end
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
  assert(late[#late] < LATEST and took[#took] < LONGEST, "later than any machine explains")
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
local engine = support.engine("-scripts=spec/cluster/hostile", "-log-level", "info")
begin(others())
measure("without")
begin(bad_ones())
measure("with")
local got = pried()
for what, count in pairs(got) do print(("%d prying checks got hold of: %s"):format(count, what)) end
assert(next(got) == "nothing" and next(got, "nothing") == nil, "something was readable that was not granted")
engine.stop()
