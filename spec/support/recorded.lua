--- The golden data of spec/fixtures/recorded: what Flagger did on a real API server, made comparable.
--
-- Used with the embedded cluster and with the real one. What is left out of a comparison is named here,
-- and only what the server or another controller manages is left out.

local json = require("json")
local merge = require("util.merge")

local recorded = {}

local ROOT = "spec/fixtures/recorded/"

-- Differences that remain, each a defect of gaps.md or an addition of ours.
recorded.differences = {
  ["Canary.status.lastCheckTime"] = "addition: the time of the last step, so that steps keep their interval",
  ["Canary.status.observedGeneration"] = "addition (gaps 5: observedGeneration is absent)",
  ["Canary.status.runId"] = "addition: names a run",
  ["Canary.status.runStartedAt"] = "addition: when the run began",
  ["Canary.status.checks"] = "addition: the evidence of the last analysis",
  ["Canary.status.lastAppliedSpec"] = "gaps 3.22: hashes of our own, stable over canonical JSON",
  ["Canary.status.lastPromotedSpec"] = "gaps 3.22",
}

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

local function plain_event(text)
  text = text:gsub("^%(combined from similar events%): ", "")
  return (text:gsub("(app[%w-]*)%.t%-[%w-]+", "%1.demo"))
end

--- Waiting for readiness depends on how fast pods start, so it is not compared.
local function waiting(text) return text:find(" not ready: ", 1, true) ~= nil end

--- Sorted, each once.
function recorded.event_texts(messages)
  local seen, out = {}, {}
  for _, message in ipairs(messages) do
    local text = plain_event(message)
    if not seen[text] and not waiting(text) then
      seen[text], out[#out + 1] = true, text
    end
  end
  table.sort(out)
  return out
end

--- Sorted, each once, blanks folded.
function recorded.query_texts(queries)
  local seen, out = {}, {}
  for _, query in ipairs(queries) do
    local text = query:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
    if not seen[text] and text ~= "vector(1)" then
      seen[text], out[#out + 1] = true, text
    end
  end
  table.sort(out)
  return out
end

--- A webhook call as it is compared: its name, its body to the byte but for times and checksums (which are opaque, so
--- they are numbered as they come), and its headers. What depends on the speed of pods is left out.
local function call_texts(calls)
  local revisions, count, said, out = {}, 0, {}, {}
  for _, call in ipairs(calls) do
    local body = call.body:gsub('"timestamp":"%d+"', '"timestamp":"T"'):gsub("t%-[%w-]+", "demo")
    body = body:gsub('"checksum":"(%w+)"', function(sum)
      if not revisions[sum] then count, revisions[sum] = count + 1, count end
      return ('"checksum":"%d"'):format(revisions[sum])
    end)
    local text = ("%s %s %s %s"):format(call.name, body, call.headers["User-Agent"], call.headers["Content-Type"])
    local repeated = said[text] and body:find('"Initializing"', 1, true)
    if not waiting(text) and not repeated then
      said[text], out[#out + 1] = true, text
    end
  end
  return out
end

recorded.call_texts = call_texts

local function recorded_calls(path)
  local file, out = io.open(path), {}
  if not file then return nil end
  for line in file:lines() do
    local call = assert(json.decode(line))
    out[#out + 1] = { name = call.path:match("[^/]+$"), body = call.body, headers = call.headers }
  end
  file:close()
  return call_texts(out)
end

--- "phase weight iterations", without repetitions.
function recorded.step(status)
  return ("%s %g %d"):format(status.phase, status.canaryWeight or 0, status.iterations or 0)
end

local function owner_without_uid(owner)
  local out = merge.copy(owner)
  out.uid = nil
  return out
end

local SKIPPED_ANNOTATIONS = {
  ["deployment.kubernetes.io/revision"] = true,
  ["kubectl.kubernetes.io/last-applied-configuration"] = true,
}

local function metadata(object)
  local from, out = object.metadata, { name = object.metadata.name, labels = object.metadata.labels or {} }
  out.annotations, out.ownerReferences = {}, {}
  for key, value in pairs(from.annotations or {}) do
    if not SKIPPED_ANNOTATIONS[key] then out.annotations[key] = value end
  end
  for index, owner in ipairs(from.ownerReferences or {}) do out.ownerReferences[index] = owner_without_uid(owner) end
  return out
end

local function canary_status(status)
  local out = merge.copy(status)
  out.lastTransitionTime = nil
  for _, item in ipairs(out.conditions or {}) do item.lastUpdateTime, item.lastTransitionTime = nil, nil end
  for path in pairs(recorded.differences) do
    local field = path:match("^Canary%.status%.(%w+)$")
    if field then out[field] = nil end
  end
  return out
end

--- What of an object is compared: all that its user or the engine wrote.
function recorded.comparable(kind, object)
  local out = { metadata = metadata(object), spec = merge.copy(object.spec), data = object.data, type = object.type }
  if kind == "Service" then
    if out.spec.clusterIP ~= "None" then out.spec.clusterIP, out.spec.clusterIPs = "allocated", nil end
  elseif kind == "Deployment" then
    local annotations = (out.spec.template.metadata or {}).annotations or {}
    if annotations["flagger-id"] then annotations["flagger-id"] = #annotations["flagger-id"] end
  elseif kind == "Canary" then
    out.status = canary_status(object.status)
    out.metadata.annotations = nil
  end
  return out
end

--- Flat { ["spec.replicas"] = "2" } of a value, for differences that name the field.
local function flatten(value, path, out)
  if type(value) ~= "table" then
    out[path] = tostring(value)
    return out
  end
  for key, item in pairs(value) do flatten(item, path .. "." .. tostring(key), out) end
  return out
end

--- Every field in which two comparable objects differ: "path: expected X, found Y", sorted.
function recorded.compare(expected, found)
  local a, b, out = flatten(expected, "", {}), flatten(found, "", {}), {}
  for path, value in pairs(a) do
    if b[path] ~= value then out[#out + 1] = ("%s: expected %s, found %s"):format(path, value, tostring(b[path])) end
  end
  for path, value in pairs(b) do
    if a[path] == nil then out[#out + 1] = ("%s: expected nothing, found %s"):format(path, value) end
  end
  table.sort(out)
  return out
end

local function kind_of(entry)
  return entry.obj.kind or error("a recorded object without a kind: " .. entry.kind)
end

--- { input, steps, finals = { ["Kind/name"] = comparable }, apis = { ["Kind/name"] = apiVersion }, events, queries,
--- calls of webhooks, where there were any }.
function recorded.load(name)
  local out = { input = read(ROOT .. name .. "/input.yaml"), steps = {}, finals = {}, apis = {} }
  local messages, queries = {}, {}
  for line in io.lines(ROOT .. name .. "/timeline.jsonl") do
    local entry = assert(json.decode(line))
    local kind = kind_of(entry)
    if kind == "Event" then
      messages[#messages + 1] = entry.obj.message
    else
      local id = kind .. "/" .. entry.name
      out.finals[id], out.apis[id] = recorded.comparable(kind, entry.obj), entry.obj.apiVersion
      local step = kind == "Canary" and recorded.step(entry.obj.status)
      if step and step ~= out.steps[#out.steps] then out.steps[#out.steps + 1] = step end
    end
  end
  for line in io.lines(ROOT .. name .. "/queries.txt") do queries[#queries + 1] = line end
  out.events, out.queries = recorded.event_texts(messages), recorded.query_texts(queries)
  out.calls = recorded_calls(ROOT .. name .. "/hooks.jsonl")
  return out
end

return recorded
