--- How the pods of a version behave: told by the image's tag, the environment, annotations, and overrides.
--
-- podinfo:6.0.1-err10-lat120ms is version 6.0.1 with 10 % errors and 120 ms. Later sources win.

local pods = require("sandbox.pods")

local behaviour = {}

local DEFAULT_LATENCY = 0.005

local function share(text)
  local number, percent = tostring(text or ""):match("^(%d+%.?%d*)(%%?)$")
  if not number then return nil end
  return percent == "%" and tonumber(number) / 100 or tonumber(number)
end

local function tell(b, errors, latency, status)
  b.errors = share(errors) or b.errors
  b.latency = pods.seconds(latency) or b.latency
  b.status = math.tointeger(tonumber(status)) or b.status
end

local function tag_of(image)
  return image:match("[^/]*$"):match(":(.*)$") or ""
end

--- The version that an image's tag names.
function behaviour.version(image)
  return (tag_of(image):gsub("%-err%d[%w.]*", ""):gsub("%-lat%d[%w.]*", ""))
end

local function by_tag(b, image)
  local tag = tag_of(image)
  local errors, latency = tag:match("%-err(%d[%d.]*)"), tag:match("%-lat(%d[%w.]*)")
  tell(b, errors and errors .. "%", latency)
end

--- Whether a glob with * and ? matches a whole text.
function behaviour.hit(glob, text)
  local pattern = "^" .. glob:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".") .. "$"
  return text:find(pattern) ~= nil
end

--- { errors = share 0..1, latency = seconds, status = of an error } of a pod.
--- @param overrides table  a list of { match = glob on "namespace/pod" or the image, errors =, latency =, status = }
function behaviour.of(pod, overrides)
  local b = { errors = 0, latency = DEFAULT_LATENCY, status = 500 }
  local container = (pod.spec.containers or {})[1] or { image = "" }
  by_tag(b, container.image)
  local env = {}
  for _, item in ipairs(container.env or {}) do env[item.name] = item.value end
  tell(b, env.SIM_ERROR_RATE, env.SIM_LATENCY, env.SIM_STATUS)
  local annotations = pod.metadata.annotations or {}
  tell(b, annotations["sim/error-rate"], annotations["sim/latency"], annotations["sim/status"])
  for _, rule in ipairs(overrides or {}) do
    if behaviour.hit(rule.match, pod.metadata.namespace .. "/" .. pod.metadata.name)
      or behaviour.hit(rule.match, container.image) then
      b.errors, b.latency, b.status = rule.errors or b.errors, rule.latency or b.latency, rule.status or b.status
    end
  end
  return b
end

return behaviour
