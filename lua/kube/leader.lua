--- One of several replicas works: whoever holds the Lease. COMPAT: its name and its times are Flagger's.
--
-- All replicas watch; only the holder ticks. Holding is judged by this process' own clock since its last renewal, and
-- ends well before another may take the Lease, so that one that was stopped for a while does not go on as if nothing
-- had happened.

local rfc3339 = require("util.rfc3339")

local leader = {}

local leader_methods = {}
local leader_mt = { __index = leader_methods }

local NAME, API = "flagger-leader-election", "coordination.k8s.io/v1"
local DURATION, DEADLINE, RETRY = 60, 15, 5 -- seconds

--- options: { kube, clock, log, namespace, identity, lost = function() called when the Lease is gone }.
function leader.new(options)
  return setmetatable({ options = options, mine = false }, leader_mt)
end

local function path_of(self)
  return ("/apis/%s/namespaces/%s/leases/%s"):format(API, self.options.namespace, NAME)
end

local function ref_of(self)
  return { apiVersion = API, kind = "Lease", namespace = self.options.namespace, name = NAME }
end

local function spec_of(self, before)
  local now = rfc3339.format(self.options.clock.now(), 6)
  local same = before and before.holderIdentity == self.options.identity
  return {
    holderIdentity = self.options.identity,
    leaseDurationSeconds = DURATION,
    renewTime = now,
    acquireTime = same and before.acquireTime or now,
    leaseTransitions = before and (before.leaseTransitions or 0) + (same and 0 or 1) or 0,
  }
end

--- Whether somebody else holds it. How long is told by our own clock since we saw it change, not by theirs.
local function taken(self, lease)
  local spec, now = lease.spec or {}, self.options.clock.monotonic()
  local holder = spec.holderIdentity or ""
  if holder == "" or holder == self.options.identity then return false end
  if self.seen ~= lease.metadata.resourceVersion then
    self.seen, self.seen_at = lease.metadata.resourceVersion, now
  end
  return now < self.seen_at + (spec.leaseDurationSeconds or DURATION)
end

--- One try to get or to keep the Lease. True when it is ours; false when another has it; nil, message when the API
--- server did not say.
function leader_methods:try()
  local kube, began = self.options.kube, self.options.clock.monotonic()
  local lease, message, code = kube.read(path_of(self))
  local stored
  if not lease and code ~= "NOT_FOUND" then return nil, message end
  if not lease then
    stored, message, code = kube.create({ apiVersion = API, kind = "Lease",
      metadata = { name = NAME, namespace = self.options.namespace }, spec = spec_of(self) })
  elseif taken(self, lease) then
    self.mine = false
    return false
  else
    stored, message, code = kube.patch(ref_of(self), {
      metadata = { resourceVersion = lease.metadata.resourceVersion }, spec = spec_of(self, lease.spec) })
  end
  if not stored then
    if code == "CONFLICT" or code == "EXISTS" then return false end
    return nil, message
  end
  self.mine, self.renewed = true, began
  return true
end

--- True while this process may work: it renewed the Lease so lately that nobody else can have it.
function leader_methods:held()
  return self.mine and self.options.clock.monotonic() < self.renewed + DURATION - DEADLINE
end

--- Gets the Lease and keeps it, for ever; calls `lost` once when it was ours and is no longer. Runs as a job.
function leader_methods:run()
  local log, worked = self.options.log, false
  while true do
    local ok, message = self:try()
    if ok and not worked then log.info(("leading as %s"):format(self.options.identity)) end
    if message then log.warn("leader election: " .. message) end
    worked = worked or ok == true
    local late = self.renewed and self.options.clock.monotonic() > self.renewed + DEADLINE
    if worked and (ok == false or late) then
      log.error("leader election lost")
      self.mine = false
      return self.options.lost()
    end
    self.options.clock.sleep(RETRY)
  end
end

--- Lets the next one have it at once.
function leader_methods:release()
  if not self.mine then return end
  self.mine = false
  self.options.kube.patch(ref_of(self), { spec = { holderIdentity = "", leaseDurationSeconds = 1 } })
end

leader.retry = RETRY

return leader
