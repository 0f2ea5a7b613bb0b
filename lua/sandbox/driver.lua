--- The direct-door scheduler: ticks Canaries at the start, when due, and when something they looked at changes.
--
--   local d = driver.new(world, { tick = function(host, namespace, name, cause) -> seconds | nil, message, CODE })
--   assert(d:run(function() return phase(world) == "Succeeded" end, 600))
--
-- A tick runs in a coroutine that is dropped when the engine is killed in the middle of it.

local host = require("sandbox.host")
local invariants = require("sandbox.invariants")

local driver = {}

local driver_methods = {}
local driver_mt = { __index = driver_methods }

local KILLED = {}
local CONFLICT_RETRY, FIRST_RETRY, LAST_RETRY = 0.1, 1, 60

--- What the lifecycle asks of its host beside the cluster: forgotten when the process ends.
local function equip(self)
  local given, memories, count = self.host, {}, 0
  given.metrics = self.options.metrics or require("canary.gauges").new(require("exported").new())
  given.unique = function()
    count = count + 1
    return ("%x%04x"):format(math.floor(self.world.now * 1e6), self.starts * 1000 + count)
  end
  given.memory = function(namespace, name)
    local key = namespace .. "/" .. name
    memories[key] = memories[key] or {}
    return memories[key]
  end
  given.spawn = function(fn)
    self.spawned[#self.spawned + 1] = { running = coroutine.create(fn), due = self.world.now }
  end
end

--- Forgets everything but the cluster, as a new process does.
local function boot(self)
  self.items, self.spawned = {}, {}
  self.current = nil
  self.booted = self.world.now
  self.starts = self.starts + 1
  self.tick = self.options.engine and self.options.engine() or self.options.tick
  self.host = host.new(self.world, {
    settings = self.options.settings,
    seed = (self.options.seed or 7) + self.starts,
    on_look = function(key) if self.current then self.current.looked[key] = true end end,
    send = function(call) return self:send(call) end,
    sleep = function(seconds) coroutine.yield(seconds) end,
  })
  self.host.kube.kinds(require("kube.kinds"))
  equip(self)
  for _, object in ipairs(self.world.api:all(self.kind.apiVersion, self.kind.kind)) do
    self:wake(object.metadata.namespace, object.metadata.name, "start", self.world.now)
  end
end

--- options: { tick = or engine = function() -> tick (called anew after a death), settings =, seed =,
--- kind = { apiVersion =, kind = } of what is ticked, check = function(driver) -> nil | message, or true for
--- the invariants of every release, metrics = gauges, restart = seconds a dead engine is away }.
function driver.new(world, options)
  local self = setmetatable({
    world = world,
    options = options,
    kind = options.kind or { apiVersion = "flagger.app/v1beta1", kind = "Canary" },
    starts = 0,
    ticks = 0,
    errors = {},
    trace = {}, -- { time =, name =, cause =, after = } of every tick
  }, driver_mt)
  self.entry = world.api:entry(self.kind)
  if options.check == true then
    self.invariants = invariants.new(world, function() return self.writing == true end)
  end
  boot(self)
  world.api.store:subscribe(function(event) self:on_event(event) end)
  return self
end

--- Lets a Canary be ticked at `due`, if it is not to be sooner. While its tick sleeps that is noted for later.
function driver_methods:wake(namespace, name, cause, due)
  local key = namespace .. "/" .. name
  local item = self.items[key]
  if not item then
    item = { key = key, namespace = namespace, name = name, looked = {}, failures = 0 }
    self.items[key] = item
  end
  if item.running then
    item.again = true
    return item
  end
  if not item.due or due < item.due or (due == item.due and item.cause == "due") then
    item.due, item.cause = due, cause
  end
  return item
end

function driver_methods:on_event(event)
  local metadata, now = event.object.metadata, self.world.now
  local own = self.writing and self.current
  local key = (metadata.namespace or "") .. "/" .. metadata.name
  if event.entry == self.entry then
    if event.type == "DELETED" then
      self.items[key] = nil
      return
    end
    if not own or own.key ~= key then self:wake(metadata.namespace, metadata.name, "change", now) end
  end
  local space = event.entry.namespaced and metadata.namespace or ""
  local exact = ("%s %s/%s"):format(event.entry.id, space, metadata.name)
  local any, everywhere = ("%s %s/*"):format(event.entry.id, space), ("%s /*"):format(event.entry.id)
  for _, item in pairs(self.items) do
    local looked = item.looked
    if item ~= own and (looked[exact] or looked[any] or looked[everywhere]) then
      self:wake(item.namespace, item.name, "change", now)
    end
  end
end

--- What the engine writes passes here, so that it can die before or after any of it.
function driver_methods:send(call)
  local kill = self.kill
  if kill then kill.left = kill.left - 1 end
  local dies = kill ~= nil and kill.left == 0
  if dies and kill.moment == "before" then coroutine.yield(KILLED) end
  self.writing = true
  local result, message, code, fault = self.world.api:call(call)
  self.writing = false
  if dies then coroutine.yield(KILLED) end
  return result, message, code, fault
end

--- The engine dies at its n-th write from now: "before" it is sent or "after" it has taken effect. A fresh one
--- starts a moment later; with `times` it dies again at its first write, until it has died so often.
function driver_methods:kill_after(n, moment, times)
  self.kill = { left = n, moment = moment or "after", times = times or 1 }
end

local function die(self)
  local kill = self.kill
  self.kill, self.deaths = nil, (self.deaths or 0) + 1
  if kill.times > 1 then self:kill_after(1, kill.moment, kill.times - 1) end
  self.items, self.spawned, self.current, self.writing = {}, {}, nil, false
  self.dead_until = self.world.now + (self.options.restart or 1)
end

local function failed(self, item, message, code)
  item.failures = item.failures + 1
  local wait = math.min(FIRST_RETRY * 2 ^ (item.failures - 1), LAST_RETRY)
  if code == "CONFLICT" then wait = CONFLICT_RETRY end
  self.errors[#self.errors + 1] = { time = self.world.now, key = item.key, message = message, code = code }
  self:wake(item.namespace, item.name, "retry", self.world.now + wait)
end

local function finished(self, item, after, message, code)
  local again = item.again
  item.running, item.again = nil, nil
  item.seen.after = after
  if again then self:wake(item.namespace, item.name, "change", self.world.now) end
  if message ~= nil then return failed(self, item, message, code) end
  item.failures = 0
  if after then self:wake(item.namespace, item.name, "due", self.world.now + after) end
end

--- Runs a tick's coroutine until it ends, sleeps or dies.
local function resume(self, item)
  self.current = item
  local ok, first, message, code = coroutine.resume(item.running, self.host, item.namespace, item.name, item.cause)
  self.current, self.writing = nil, false
  if ok and first == KILLED then return die(self) end
  if self.items[item.key] ~= item then return end
  if not ok then
    return finished(self, item, nil, debug.traceback(item.running, tostring(first)), "ERROR")
  end
  if coroutine.status(item.running) == "suspended" then
    item.due = self.world.now + first
    return
  end
  finished(self, item, first, message, code)
end

local function run_item(self, item)
  item.due = nil
  if not item.running then
    self.ticks = self.ticks + 1
    item.seen = { time = self.world.now, name = item.key, cause = item.cause }
    self.trace[#self.trace + 1] = item.seen
    item.looked = {}
    item.running = coroutine.create(self.tick)
  end
  resume(self, item)
end

--- What a tick left behind to be done beside it.
local function run_spawned(self)
  for index = #self.spawned, 1, -1 do
    local task = self.spawned[index]
    if task.due <= self.world.now then
      local ok, wait = coroutine.resume(task.running)
      self.writing = false
      if wait == KILLED then return die(self) end
      if not ok then self.errors[#self.errors + 1] = { time = self.world.now, message = wait, code = "ERROR" } end
      if coroutine.status(task.running) == "dead" then
        table.remove(self.spawned, index)
      else
        task.due = self.world.now + wait
      end
    end
  end
end

local function next_spawned(self, limit)
  for _, task in ipairs(self.spawned) do limit = math.min(limit, task.due) end
  return limit
end

--- The item that is due first; names break ties.
local function first_due(self)
  local best
  for _, item in pairs(self.items) do
    if item.due and (not best or item.due < best.due or (item.due == best.due and item.key < best.key)) then
      best = item
    end
  end
  return best
end

--- Carries out one thing: a due tick, or the passing of time to the next moment (at most `limit`).
function driver_methods:step(limit)
  local world = self.world
  if self.dead_until and world.now >= self.dead_until then
    self.dead_until = nil
    boot(self)
  end
  run_spawned(self)
  local item = first_due(self)
  if item and item.due <= world.now then
    run_item(self, item)
    return true
  end
  local target = math.min(next_spawned(self, limit), item and item.due or limit, self.dead_until or limit,
    world.queue:next_time() or limit)
  if target <= world.now and target >= limit then return false end
  world:advance_to(target)
  return true
end

--- Goes on until `done(driver)` is true. Returns true; or nil and why not: time is up, or the check objects.
function driver_methods:run(done, seconds)
  local limit = self.world.now + seconds
  while not done(self) do
    if not self:step(limit) then return nil, ("not reached in %g s"):format(seconds) end
    local broken
    if self.invariants then broken = self.invariants:broken()
    elseif self.options.check then broken = self.options.check(self) end
    if broken then
      return nil, ("at %g s: %s"):format(self.world.now - self.world.start, broken)
    end
  end
  return true
end

--- Lets `seconds` pass whatever happens; nil and a message when the check objects.
function driver_methods:pass(seconds)
  local stop = self.world.now + seconds
  return self:run(function() return self.world.now >= stop end, seconds + 1)
end

return driver
