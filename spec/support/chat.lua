--- What telling people needs of its host, in memory: AlertProviders and Secrets, an http that answers as told, a log.

local digest = require("digest")
local object = require("util.object")

local chat = {}

local function key_of(ref) return ("%s %s/%s"):format(ref.kind, ref.namespace, ref.name) end

local function kube_of(self)
  local kube = {}
  function kube.get(ref)
    if self.kube_fault then return nil, table.unpack(self.kube_fault) end
    local held = self.objects[key_of(ref)]
    if not held then return nil, "it is not there", "NOT_FOUND" end
    return object.copy(held)
  end
  function kube.patch(ref, patch, options)
    self.patches[#self.patches + 1] = { ref = ref, patch = patch, options = options }
    if self.patch_faults[1] then return nil, table.unpack(table.remove(self.patch_faults, 1)) end
    local held = object.merged(self.objects[key_of(ref)], patch)
    held.metadata.resourceVersion = tostring(#self.patches + 1)
    self.objects[key_of(ref)] = held
    return object.copy(held)
  end
  return kube
end

--- { host =, objects =, requests =, logs =, pauses =, patches =, answers = what the next requests get: a status, a
--- { status, body, headers }, or { nil, message, CODE }; 200 when there is none }.
function chat.new(settings)
  local self = { objects = {}, requests = {}, logs = {}, pauses = {}, patches = {}, patch_faults = {}, answers = {},
    jobs = {} }
  local function say(message, fields) self.logs[#self.logs + 1] = { message = message, fields = fields } end
  self.host = {
    settings = settings or {},
    kube = kube_of(self),
    log = { error = say, info = function() end },
    clock = { now = function() return 1893456000 end, sleep = function(s) self.pauses[#self.pauses + 1] = s end },
    spawn = function(fn) self.jobs[#self.jobs + 1] = fn end,
    http = { request = function(request)
      self.requests[#self.requests + 1] = request
      local answer = table.remove(self.answers, 1) or 200
      if type(answer) == "number" then answer = { answer, "" } end
      if not answer[1] then return nil, answer[2], answer[3] end
      return { status = answer[1], body = answer[2], headers = answer[3] or {} }
    end },
  }
  return self
end

--- An AlertProvider in `demo`, and the Secret beside it that `secret` gives in plain.
function chat.provide(self, name, spec, secret)
  self.objects["AlertProvider demo/" .. name] = { metadata = { name = name, namespace = "demo", resourceVersion = "1" },
    spec = spec }
  if not secret then return end
  local data = {}
  for key, value in pairs(secret) do data[key] = digest.base64(value) end
  self.objects["Secret demo/" .. name] = { metadata = { name = name, namespace = "demo" }, data = data }
end

--- What was spawned is done, one after the other.
function chat.work(self)
  while self.jobs[1] do table.remove(self.jobs, 1)() end
end

--- The one condition of an AlertProvider as "status message".
function chat.ready(self, name)
  local held = self.objects["AlertProvider demo/" .. name]
  local item = ((held.status or {}).conditions or {})[1]
  return item and ("%s %s"):format(item.status, item.message)
end

return chat
