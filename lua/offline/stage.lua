--- One Canary on the embedded cluster, with what it refers to: given, or made up. The lifecycle itself works on it.

local made_up = require("offline.made_up")
local merge = require("util.merge")
local scripts = require("offline.scripts")

local stage = {}

local stage_methods = {}
local stage_mt = { __index = stage_methods }

local START = 1893456000 -- seconds since the epoch: 2030-01-01
local FLAGGER = "^flagger%.app/"
local TIMING = { "serin.dev/window", "serin.dev/freeze" }

--- What its API server keeps of an object is not what a user gives.
local function clean(object)
  local out = merge.copy(object)
  out.status = nil
  for _, key in ipairs({ "resourceVersion", "uid", "generation", "creationTimestamp", "managedFields",
    "ownerReferences", "finalizers" }) do out.metadata[key] = nil end
  return out
end

local function same(ref, object, namespace)
  local group = (object.apiVersion or ""):match("^(.*)/") or ""
  local wanted = (ref.apiVersion or ""):match("^(.*)/") or ""
  return object.kind == ref.kind and object.metadata.name == ref.name and object.metadata.namespace == namespace
    and group == wanted
end

local function given(self, ref)
  for _, object in ipairs(self.objects) do
    if same(ref, object, self.namespace) then return true end
  end
  return false
end

local function make_up(self, object)
  self.notes[#self.notes + 1] = ("%s %s/%s is not given: a plain one is made up"):format(object.kind, self.namespace,
    object.metadata.name)
  self.objects[#self.objects + 1] = object
end

--- The Canary as it is put on the stage: no closed windows, and what `options` says of its checks.
local function prepared(self, canary, options)
  local out = clean(canary)
  local annotations = out.metadata.annotations or {}
  for _, name in ipairs(TIMING) do
    if annotations[name] then
      self.notes[#self.notes + 1] = ("metadata.annotations.%s is left out: time is no matter here"):format(name)
      annotations[name] = nil
    end
  end
  local analysis = out.spec.analysis or out.spec.canaryAnalysis
  if type(analysis) == "table" then
    analysis.alerts = nil
    if options.checks == false then analysis.metrics = nil end
    if options.policy then analysis.policy = options.policy end
  end
  return out
end

--- Every webhook agrees, but for those that would roll back.
local function attend(self, canary)
  local analysis = canary.spec.analysis or canary.spec.canaryAnalysis or {}
  for _, hook in ipairs(analysis.webhooks or {}) do
    if type(hook) == "table" and type(hook.url) == "string" then
      local status = hook.type == "rollback" and 403 or 200
      self.world.hooks[hook.url] = function()
        return self.hooks_down and 503 or status, ""
      end
    end
  end
end

--- Users come once the Canary is initialised. A script's route objects mean nothing here; the weight in the status is
--- what the script reads in them.
local function let_users_in(self, rate)
  self.world.api.store:subscribe(function(event)
    if event.entry.kind ~= "Canary" or event.type == "DELETED" then return end
    local status = event.object.status or {}
    self.status = status
    if status.phase == "Initialized" and not self.users then
      self.users = self.world.traffic:add({ namespace = self.namespace, service = self.apex, rate = rate })
    end
    if self.users and self.by_script then self.world.traffic:divide(self.users, status.canaryWeight or 0) end
  end)
end

local function put(self)
  for _, object in ipairs(self.objects) do
    local ok, message = self.world:try(object)
    if not ok then return nil, message end
  end
  local ok, message = self.world:try(self.canary)
  if not ok then return nil, message end
  return true
end

--- @param canary table   the Canary object, its namespace named
--- @param objects table  the other objects of the files, namespaces named
--- @param options table  { settings, rate = requests per second, checks = false to leave metrics out, policy = in place
---   of the one of the spec, seed, noise, scripts = the files of folders, see offline/scripts.lua }
--- @return table?  with world, driver, notes; or nil and a message
function stage.new(canary, objects, options)
  local self = setmetatable({ namespace = canary.metadata.namespace, name = canary.metadata.name, notes = {},
    objects = {}, status = {}, apex = (canary.spec.service or {}).name or canary.spec.targetRef.name }, stage_mt)
  for _, object in ipairs(objects) do
    local other = object.kind == "Canary" and tostring(object.apiVersion):find(FLAGGER)
    if not other then self.objects[#self.objects + 1] = clean(object) end
  end
  self.canary = prepared(self, canary, options)
  local label = options.settings.selector_labels[1] or "app"
  if not given(self, canary.spec.targetRef) then
    local target = made_up.target(canary, label)
    if not target then
      return nil, ("spec.targetRef: %s %s is not among the files, and none can be made up"):format(
        tostring(canary.spec.targetRef.kind), tostring(canary.spec.targetRef.name))
    end
    make_up(self, target)
  end
  for _, object in ipairs(made_up.others(canary)) do
    if not given(self, object) and not given(self, { apiVersion = object.apiVersion, kind = object.kind,
      name = object.metadata.name }) then make_up(self, object) end
  end
  self.world = require("sandbox.world").new({ start = START, seed = options.seed, noise = options.noise })
  attend(self, self.canary)
  let_users_in(self, options.rate or 100)
  local ok, message = put(self)
  if not ok then return nil, message end
  self.driver = require("sandbox.driver").new(self.world, { tick = require("canary.tick").run,
    settings = options.settings, seed = options.seed, metrics = options.metrics })
  if options.scripts then scripts.attach(self.driver.host, options.scripts) end
  local library = self.driver.host.library
  self.by_script = library ~= nil
    and library:knows("router", canary.spec.provider or options.settings.mesh_provider)
  return self
end

--- The target's next revision: another image, or for Services another place they lead to.
--- @return string?  what was changed; nil and a message
function stage_methods:release()
  local ref = self.canary.spec.targetRef
  local at = { apiVersion = ref.apiVersion, kind = ref.kind, namespace = self.namespace, name = ref.name }
  local object, message = self.world.api:peek(at)
  if not object then return nil, message or "the target is gone" end
  local template = object.spec.template
  local patch, said
  if template and template.spec and template.spec.containers then
    local containers = merge.copy(template.spec.containers)
    local image = (containers[1].image or "app"):gsub(":[^:/]*$", "") .. ":next"
    containers[1].image = image
    patch, said = { spec = { template = { spec = { containers = containers } } } }, "image " .. image
  elseif object.spec.type == "ExternalName" then
    patch, said = { spec = { externalName = "next.example.com" } }, "externalName next.example.com"
  else
    patch, said = { spec = { selector = { version = "next" } } }, "selector version=next"
  end
  local ok, why = self.world.api:patch(at, patch)
  if not ok then return nil, why end
  return said
end

--- What the Canary's conditions complain of, or nil.
function stage_methods:problem()
  for _, item in ipairs(self.status.conditions or {}) do
    if item.type == "Stalled" and item.status == "True" then return item.message end
  end
  local last = self.driver.errors[#self.driver.errors]
  return last and last.message or nil
end

--- Opens the gate that a policy waits at. True when there was one.
function stage_methods:approve()
  local waiting = self.status.waiting
  if type(waiting) ~= "table" or waiting["for"] ~= "gate" then return false end
  local intent = "approve=" .. tostring(waiting.detail)
  if self.asked == intent .. tostring(waiting.since) then return false end
  self.asked = intent .. tostring(waiting.since)
  self.world:annotate("Canary", self.namespace, self.name, { ["serin.dev/intent"] = intent })
  return true
end

--- Lets time pass until the Canary is in one of the phases, at most `seconds`. The phase, or nil and why not.
function stage_methods:wait(phases, seconds)
  local function done() return phases[self.status.phase or ""] end
  local stop = self.world.now + seconds
  while self.world.now < stop do
    if done() then return self.status.phase end
    self:approve()
    if not self.driver:step(stop) then break end
  end
  if done() then return self.status.phase end
  return nil, self:problem() or ("phase %s after %d seconds"):format(self.status.phase or "none", seconds)
end


return stage
