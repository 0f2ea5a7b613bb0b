--- The workload controllers of the embedded cluster: they follow the objects, a moment later each.
--
-- Deployments, DaemonSets and StatefulSets roll out as Kubernetes does it, with pods that go at once.

local fnv = require("util.fnv")
local json = require("json")
local merge = require("util.merge")
local rfc3339 = require("util.rfc3339")
local behaviour = require("sandbox.behaviour")
local others = require("sandbox.other_workloads")
local pods = require("sandbox.pods")
local rollout = require("sandbox.rollout")

local controllers = {}

local methods = {}
local controllers_mt = { __index = methods }

local KINDS = {
  ["apps/Deployment"] = "deployment", ["apps/DaemonSet"] = "daemonset", ["apps/StatefulSet"] = "statefulset",
}

--- options: { delay = seconds until a controller acts, start = seconds until a pod is ready, nodes = number }.
function controllers.new(world, options)
  local self = setmetatable({
    world = world,
    api = world.api,
    delay = options.delay or 0.1,
    start = options.start or 1,
    nodes = options.nodes or 3,
    -- uid of a workload -> { generation, hash, current, template, revisions = { [hash] = number }, newest, births,
    -- born }
    memory = {},
    planned = {},
    stuck = {}, -- globs on "namespace/pod"
    owned = {}, -- uid of a workload -> { [name] = pod }
  }, controllers_mt)
  self.api.store:subscribe(function(event) self:on_event(event) end)
  return self
end

local function owner_of(pod)
  local owner = (pod.metadata.ownerReferences or {})[1]
  return owner
end

function methods:on_event(event)
  local object = event.object
  if KINDS[event.entry.id] then
    if event.type == "DELETED" then
      self.memory[object.metadata.uid] = nil
    elseif not event.old or event.old.metadata.generation ~= object.metadata.generation then
      self:plan(event.entry.kind, object.metadata.namespace, object.metadata.name, self.delay)
    end
  elseif event.entry.id == "/Pod" then
    local owner = owner_of(object)
    if not owner then return end
    local family = self.owned[owner.uid] or {}
    self.owned[owner.uid] = family
    family[object.metadata.name] = event.type ~= "DELETED" and object or nil
    if event.old then self:plan(owner.kind, object.metadata.namespace, owner.name, self.delay) end
  end
end

--- Looks at a workload in `seconds`, once for all reasons of one moment.
function methods:plan(kind, namespace, name, seconds)
  local due = self.world.now + seconds
  local key = ("%s %s/%s %.3f"):format(kind, namespace, name, due)
  if self.planned[key] then return end
  self.planned[key] = true
  self.world:at(due, function()
    self.planned[key] = nil
    local object = self.api:peek({ apiVersion = "apps/v1", kind = kind, namespace = namespace, name = name })
    if object then self[KINDS["apps/" .. kind]](self, object) end
  end)
end

local function memory_of(self, object)
  local uid = object.metadata.uid
  self.memory[uid] = self.memory[uid] or { revisions = {}, newest = 0, births = 0, born = {} }
  return self.memory[uid]
end

--- The letters by which pods of one template are known.
function methods:hash(object)
  local memory = memory_of(self, object)
  if memory.generation ~= object.metadata.generation then
    memory.generation = object.metadata.generation
    memory.hash = fnv.safe(json.encode(object.spec.template))
  end
  return memory.hash
end

--- The pods of a workload as the rollout sees them, eldest first.
function methods:family(object)
  local out, now, born = {}, self.world.now, memory_of(self, object).born
  local wait = object.spec.minReadySeconds or 0
  for name, pod in pairs(self.owned[object.metadata.uid] or {}) do
    local ready = pods.is_ready(pod)
    local since = ready and rfc3339.parse(pod.status.conditions[1].lastTransitionTime) or now
    out[#out + 1] = {
      name = name, object = pod, ready = ready, available = ready and now - since >= wait,
      hash = pod.metadata.labels["pod-template-hash"], born = born[name] or 0,
    }
  end
  table.sort(out, function(a, b) return a.born < b.born end)
  return out
end

local function make_ready(self, ref)
  local pod = self.api:peek(ref)
  if pod and not pods.is_ready(pod) then self.api:set_status(pod, pods.status(pod, true, self.api:time())) end
end

--- Whether pods like this one never become ready here (world:break_pods).
function methods:is_stuck(pod)
  for _, glob in ipairs(self.stuck) do
    if behaviour.hit(glob, pod.metadata.namespace .. "/" .. pod.metadata.name) then return true end
  end
  return false
end

--- Starts one pod of a workload.
function methods:start_pod(object, name, hash)
  local memory = memory_of(self, object)
  memory.births = memory.births + 1
  self.issued = (self.issued or 0) + 1
  local address = ("10.244.%d.%d"):format(self.issued // 250 % 256, self.issued % 250 + 1)
  local pod = pods.make(object, { name = name, hash = hash, address = address, now = self.api:time() })
  memory.born[name] = memory.births
  self.api:seed(pod)
  local delay = pods.start_delay(pod, self.start)
  if not delay or self:is_stuck(pod) then return end
  local ref = { apiVersion = "v1", kind = "Pod", namespace = pod.metadata.namespace, name = name }
  self.world:at(self.world.now + delay, function()
    make_ready(self, ref)
    local wait = object.spec.minReadySeconds or 0
    if wait > 0 then self:plan(object.kind, ref.namespace, object.metadata.name, wait + 1) end
  end)
end

function methods:stop_pod(pod)
  self.api:drop(self.api:entry(pod), pod)
end

--- `object` with the template that its revision was made of: a paused one keeps it while the object's changes.
local function of_revision(object, template)
  if object.spec.template == template then return object end
  local out = merge.copy(object)
  out.spec.template = template
  return out
end

local function carry_out(self, object, plan, hash)
  for _, pod in ipairs(plan.delete) do self:stop_pod(pod.object) end
  for _ = 1, plan.create do
    local name = ("%s-%s-%s"):format(object.metadata.name, hash, self.api:suffix())
    self:start_pod(object, name, hash)
  end
end

--- Notes a revision that is new, as the controller does before it acts on it. Returns the newest object.
local function note_revision(self, object, memory, hash)
  if memory.current == hash then return object end
  local known = memory.revisions[hash] ~= nil
  local annotations = merge.copy(object.metadata.annotations or {})
  local stored = math.tointeger(tonumber(annotations["deployment.kubernetes.io/revision"]))
  -- A Deployment that was seeded with its revision keeps it.
  local fresh = memory.current == nil and stored
  memory.newest = fresh and stored or math.max(memory.newest, stored or 0) + 1
  memory.revisions[hash], memory.current = memory.newest, hash
  annotations["deployment.kubernetes.io/revision"] = tostring(memory.newest)
  local status = merge.copy(object.status or {})
  status.conditions = rollout.with_condition(status.conditions or json.array(), {
    type = "Progressing", status = "True", reason = known and "FoundNewReplicaSet" or "NewReplicaSetCreated",
    message = (known and 'Found new replica set "%s-%s"' or 'Created new replica set "%s-%s"'):format(
      object.metadata.name, hash),
  }, self.api:time())
  self.api:set_status(object, status, annotations)
  return self.api:peek({ apiVersion = object.apiVersion, kind = object.kind, namespace = object.metadata.namespace,
    name = object.metadata.name })
end

--- Whether the deadline has passed; plans a look at the moment when it will.
local function timed_out(self, object)
  local current = rollout.condition(object.status.conditions or {}, "Progressing")
  local since = current and rfc3339.parse(current.lastUpdateTime)
  local deadline = object.spec.progressDeadlineSeconds
  if not since or not deadline or object.spec.paused or current.reason == "NewReplicaSetAvailable" then return false end
  local left = since + deadline - self.world.now
  if left >= 0 then
    self:plan("Deployment", object.metadata.namespace, object.metadata.name, math.floor(left) + 1)
  end
  return left < 0
end

function methods:deployment(object)
  local memory = memory_of(self, object)
  local hash = self:hash(object)
  if object.spec.paused and memory.current then
    hash = memory.current
  else
    object = note_revision(self, object, memory, hash)
  end
  if not object.spec.paused or not memory.template then memory.template = object.spec.template end
  local plan = rollout.plan(object.spec, self:family(object), hash)
  carry_out(self, of_revision(object, memory.template), plan, hash)
  local status = rollout.status(object.spec, self:family(object), object.status or {}, {
    now = self.api:time(), generation = object.metadata.generation, hash = hash,
    set = object.metadata.name .. "-" .. hash, timed_out = timed_out(self, object),
  })
  self.api:set_status(object, status)
end

function methods:daemonset(object)
  others.daemonset(self, object)
end

function methods:statefulset(object)
  others.statefulset(self, object)
end

return controllers
