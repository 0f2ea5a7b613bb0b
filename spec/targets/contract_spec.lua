--- Every file in lua/targets/ that has a `kind` keeps these promises. A new target adds one fixture,
--- spec/fixtures/targets/<file>.lua, made of YAML; a patch is a merge patch of `target`:
--
--   target     what its user writes, called app in the namespace demo
--   ready      a patch that makes it a rollout that is complete
--   revisions  { [what changes] = patch }: each is another revision
--   same       { [what changes] = patch }: none of them is
--   unready    { [what is missing] = { patch, retriable = is it worth to wait, late = and after the deadline } } of a
--              target that is ready; a time in it is NOW
--   unfit      { [message] = patch }: what keeps it from being a target
--   apart      { [message] = patch }: what its primary cannot follow
--   fixed      fields of the primary's spec that a promotion never touches

local api = require("sandbox.api")
local frozen = require("spec.support.frozen")
local json = require("json")
local lfs = require("lfs")
local merge = require("util.merge")
local registry = require("canary.registry")
local updates = require("sandbox.updates")
local yaml = require("yaml")

local NOW, DEADLINE = 1000, 60
local COPY = { name = "app", label = "app", value = "app-primary", labels = { "app" }, prefixes = {}, tracked = {},
  id = "id-1", service = "app-primary-pods" }
local CANARY = { names = { apex = "web", primary = "web-primary", canary = "web-canary" }, target = { name = "app" } }

local VALUES = { kind = "string", api_version = "string", resource = "string", noun = "string", provider = "string",
  services = "boolean", counts = "boolean", counter = "string", copied = "table", copied_once = "table" }
local FUNCTIONS = { "adopt", "arms", "available", "canary", "changed_at", "check", "complete", "follow", "names",
  "port_names", "ports", "primary", "promotion", "ready", "references", "replicas", "restore", "revision",
  "same_revision", "scale", "selector", "template" }
local NEEDED = { "available", "changed_at", "promotion", "ready", "replicas", "revision", "same_revision" }

local function each_target(f)
  local files = {}
  for file in lfs.dir("lua/targets") do files[#files + 1] = file:match("^([%w_]+)%.lua$") end
  table.sort(files)
  for _, file in ipairs(files) do
    local target = require("targets." .. file)
    if target.kind then f(target, dofile("spec/fixtures/targets/" .. file .. ".lua")) end
  end
end

local function decode(text)
  return assert(yaml.decode(text))[1]
end

local function with(object, patch)
  return updates.merged(merge.copy(object), type(patch) == "string" and decode(patch) or patch or {})
end

--- What the API server keeps of an object that is created.
local function stored(server, object)
  local body = merge.copy(object)
  body.metadata.namespace = "demo"
  local out, message = server:create(body)
  assert(out, message)
  return out
end

--- A kind of target on an API server: what is asked of it, with inputs that it may not write to.
local function stage(target, fixture)
  local self = { server = api.new({ now = function() return NOW end }) }
  local function call(name, ...) return frozen.call(target[name], ...) end
  self.call = call
  self.object = with(stored(self.server, decode(fixture.target)), fixture.ready)
  function self.rule(now) return { deadline = DEADLINE, threshold = 100, since = NOW, now = now or NOW } end
  --- The primary of `object`; the object itself for a kind that has both arms in one.
  function self.primary()
    if target.arms then return self.patched(self.object, call("adopt", self.object)) end
    return stored(self.server, call("primary", self.object, COPY))
  end
  --- An object after a patch of its spec and metadata, as the API server takes it.
  function self.patched(object, patch)
    local ref = { apiVersion = target.api_version, kind = target.kind, namespace = "demo",
      name = object.metadata.name }
    local out = assert(self.server:patch(ref, { spec = patch.spec, metadata = patch.metadata }))
    out.status, out.arm = object.status, object.arm
    return with(out, { status = patch.status })
  end
  --- The target as another revision.
  function self.changed(patch) return self.patched(self.object, decode(patch)) end
  local function asked(name, object, primary)
    return call(name, target.arms and primary or object, primary, COPY, false)
  end
  function self.promotion(object, primary) return asked("promotion", object, primary) end
  function self.same(object, primary) return asked("same_revision", object, primary) end
  return self
end

local function describe_declaration(target)
  it("declares what there is, and no more", function()
    local functions = {}
    for _, name in ipairs(FUNCTIONS) do functions[name] = "function" end
    for key, value in pairs(target) do assert.equal(VALUES[key] or functions[key], type(value), key) end
    for _, key in ipairs({ "kind", "api_version", "resource", "noun" }) do assert.is_string(target[key], key) end
    for _, key in ipairs(NEEDED) do assert.is_function(target[key], key) end
  end)

  it("has what goes together", function()
    assert.equal(target.services ~= false, target.selector ~= nil)
    for _, key in ipairs({ "ports", "port_names", "references" }) do
      assert.equal(target.selector ~= nil, target[key] ~= nil, key)
    end
    assert.equal(target.arms ~= nil, target.adopt ~= nil)
    assert.equal(target.canary ~= nil, target.follow ~= nil)
    assert.is_true((target.primary ~= nil) ~= (target.arms ~= nil))
    assert.is_true(not target.counts or target.scale ~= nil)
  end)

  it("is found by the reference that names it, and watched", function()
    assert.equal(target, registry.target({ api_version = target.api_version, kind = target.kind }))
    local resource
    for _, kind in ipairs(require("kube.kinds")) do
      local group = kind.apiVersion:match("^(.+)/")
      local plural = group and kind.plural .. "." .. group or kind.plural
      if kind.apiVersion == target.api_version and kind.kind == target.kind then resource = plural end
    end
    assert.equal(target.resource, resource)
  end)
end

local function describe_revision(target, fixture)
  local on
  before_each(function() on = stage(target, fixture) end)

  it("gives a revision that is ours, and the same for the same object", function()
    local revision = on.call("revision", on.object)
    assert.truthy(revision:find("^s1%-" .. ("%x"):rep(16) .. "$"))
    assert.equal(revision, on.call("revision", json.decode(json.encode(on.object))))
  end)

  it("sees every change of a revision, and each is another", function()
    local seen = { [on.call("revision", on.object)] = "as it is" }
    for what, patch in pairs(fixture.revisions) do
      local revision = on.call("revision", with(on.object, patch))
      assert.is_nil(seen[revision], what)
      seen[revision] = what
    end
  end)

  it("sees no revision in anything else", function()
    local revision = on.call("revision", on.object)
    for what, patch in pairs(fixture.same) do
      assert.equal(revision, on.call("revision", with(on.object, patch)), what)
    end
    local metadata = { resourceVersion = "9", labels = { x = "y" }, generation = 9 }
    assert.equal(revision, on.call("revision", with(on.object, { metadata = metadata })))
  end)

  it("says in words what keeps an object from being a target", function()
    if not target.check then return assert.is_nil(fixture.unfit) end
    assert.is_nil(on.call("check", on.object))
    for message, patch in pairs(fixture.unfit or {}) do
      assert.equal(message, on.call("check", with(on.object, patch)))
    end
  end)
end

local function describe_primary(target, fixture)
  local on
  before_each(function() on = stage(target, fixture) end)

  it("makes a primary of its own name that the API server takes", function()
    if target.arms then return assert.is_table(on.call("adopt", on.object)) end
    local primary = on.call("primary", on.object, COPY)
    assert.same({ target.api_version, target.kind, "app-primary" },
      { primary.apiVersion, primary.kind, primary.metadata.name })
    for _, key in ipairs({ "uid", "resourceVersion", "ownerReferences", "creationTimestamp" }) do
      assert.is_nil(primary.metadata[key])
    end
    assert.is_nil(primary.status)
    assert.equal("app-primary", stored(on.server, primary).metadata.name)
  end)

  it("makes a primary that runs the target's revision and needs no promotion", function()
    local primary = on.primary()
    primary = on.patched(primary, on.promotion(on.object, primary) or {}) -- annotations that are not followed go
    assert.is_true(on.same(on.object, primary))
    assert.is_nil(on.promotion(on.object, primary))
  end)

  it("promotes each revision by a patch that the API server takes, once", function()
    for what, change in pairs(fixture.revisions) do
      on = stage(target, fixture)
      local primary = on.primary()
      if target.arms then on.object = primary end
      local object = on.changed(change)
      if target.arms then primary = object end
      assert.is_false(on.same(object, primary), what)
      primary = on.patched(primary, assert.is_table(on.promotion(object, primary)))
      assert.is_true(on.same(object, primary), what)
      assert.is_nil(on.promotion(object, primary), what)
    end
  end)

  it("never touches what is fixed", function()
    for _, change in pairs(fixture.revisions) do
      local primary = on.primary()
      local patch = on.promotion(on.changed(change), primary) or {}
      for _, field in ipairs(fixture.fixed or {}) do assert.is_nil((patch.spec or {})[field], field) end
      on = stage(target, fixture)
    end
  end)

  it("says in words what a primary cannot follow", function()
    local primary = on.primary()
    assert.is_nil(target.check and on.call("check", on.object, primary))
    for message, patch in pairs(fixture.apart or {}) do
      assert.equal(message, on.call("check", with(on.object, patch), primary))
    end
  end)
end

local function describe_scale(target, fixture)
  local on
  before_each(function() on = stage(target, fixture) end)

  it("asks for pods, or has none to ask for", function()
    assert.is_true(on.call("replicas", on.object) > 0)
    assert.equal(target.counts == true, target.scale ~= nil and on.object.spec.replicas ~= nil)
  end)

  it("goes to nothing and back, once each, and stays the same revision", function()
    if not target.scale then return assert.equal(1, on.call("replicas", on.object)) end
    local revision = on.call("revision", on.object)
    local rests = with(on.object, assert.is_table(on.call("scale", on.object, 0)))
    assert.equal(0, on.call("replicas", rests))
    assert.is_nil(on.call("scale", rests, 0))
    assert.equal(revision, on.call("revision", rests))
    local back = with(rests, assert.is_table(on.call("scale", rests, 2)))
    assert.is_true(on.call("replicas", back) > 0)
    assert.is_nil(on.call("scale", back, 2))
    assert.equal(revision, on.call("revision", back))
  end)

  it("gives the primary of a target that rests pods all the same", function()
    if not target.scale then return assert.is_function(target.replicas) end
    local rests = with(on.object, on.call("scale", on.object, 0))
    local primary = stored(on.server, on.call("primary", rests, COPY))
    assert.is_true(on.call("replicas", primary) > 0)
    assert.is_true(on.same(rests, primary))
    local promoted = with(primary, on.promotion(rests, primary))
    assert.is_true(on.call("replicas", promoted) > 0)
  end)
end

local function describe_readiness(target, fixture)
  local on
  before_each(function() on = stage(target, fixture) end)

  it("is ready when it is complete, and has pods then", function()
    assert.same({ true }, { on.call("ready", on.object, on.rule()) })
    assert.is_true(on.call("available", on.object) > 0)
    assert.is_true(on.call("ready", on.object, on.rule(NOW + 10 * DEADLINE)))
  end)

  it("is asked for a share of its pods alone where the Canary says so", function()
    if not fixture.half then return assert.is_true(on.call("available", on.object) > 0) end
    local half, rule = with(on.object, fixture.half), on.rule()
    for threshold, ready in pairs({ [100] = false, [51] = true, [50] = true }) do
      rule.threshold = threshold
      assert.equal(ready, (on.call("ready", half, rule)), threshold)
    end
  end)

  it("says what is missing, and whether it is worth to wait for it", function()
    for what, case in pairs(fixture.unready or {}) do
      local object = with(on.object, case[1])
      local ready, message, retriable = on.call("ready", object, on.rule(NOW + DEADLINE))
      assert.same({ false, case.retriable }, { ready, retriable }, what)
      assert.is_string(message)
      ready, message, retriable = on.call("ready", object, on.rule(NOW + DEADLINE + 1))
      assert.same({ false, case.late }, { ready, retriable }, what)
      assert.is_string(message)
    end
  end)

  it("knows when it changed, or leaves that to who looks at it", function()
    local at = on.call("changed_at", on.object)
    assert.is_true(at == nil or math.type(at) == "integer")
  end)
end

each_target(function(target, fixture)
  describe(("targets: %s %s"):format(target.api_version, target.kind), function()
    describe("declaration", function() describe_declaration(target) end)
    describe("revision", function() describe_revision(target, fixture) end)
    describe("primary", function() describe_primary(target, fixture) end)
    describe("scale", function() describe_scale(target, fixture) end)
    describe("readiness", function() describe_readiness(target, fixture) end)

    it("keeps the names that are users' own", function()
      local names = target.names and target.names(CANARY) or CANARY.names
      assert.equal("web", names.apex)
      assert.is_string(names.primary)
      assert.is_string(names.canary)
    end)
  end)
end)

describe("lua/targets", function()
  it("has a file for every kind that the registry knows, and no other", function()
    local kinds = {}
    each_target(function(target)
      local group = target.provider and target.api_version:match("^(.+)/") .. "/" or ""
      kinds[#kinds + 1] = group .. target.kind
    end)
    table.sort(kinds)
    assert.equal(table.concat(kinds, ", "), registry.target_kinds())
  end)
end)
