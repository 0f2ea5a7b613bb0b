--- Every file in lua/scalers/ keeps these promises. A new scaler adds one fixture, spec/fixtures/scalers/<file>.lua,
--- made of YAML; a patch is a merge patch of `scaler`:
--
--   scaler   what its user writes, called app-scaler in the namespace demo, for the target app
--   bounds   { fewest, most } pods that it says
--   changes  { [what changes] = patch }: the primary's follows each
--   queries  what primaryScalerQueries may say for it, if it has them

local api = require("sandbox.api")
local frozen = require("spec.support.frozen")
local lfs = require("lfs")
local merge = require("util.merge")
local registry = require("canary.registry")
local updates = require("sandbox.updates")
local yaml = require("yaml")

local FUNCTIONS = { "check", "maximum", "minimum", "pause", "primary", "repair", "resume" }
local NEEDED = { "maximum", "minimum", "primary", "repair" }

local function each_scaler(f)
  local files = {}
  for file in lfs.dir("lua/scalers") do files[#files + 1] = file:match("^([%w_]+)%.lua$") end
  table.sort(files)
  for _, file in ipairs(files) do f(require("scalers." .. file), dofile("spec/fixtures/scalers/" .. file .. ".lua")) end
end

local function decode(text)
  return assert(yaml.decode(text))[1]
end

local function with(object, patch)
  return updates.merged(merge.copy(object), type(patch) == "string" and decode(patch) or patch or {})
end

local function canary(scaler)
  scaler = scaler or {}
  scaler.name = "app-scaler"
  return { namespace = "demo", target = { name = "app" }, scaler = scaler }
end

local function stage(scaler, fixture)
  local self = { server = api.new({ now = function() return 1000 end }) }
  function self.call(name, ...) return frozen.call(scaler[name], ...) end
  function self.stored(object)
    local body = merge.copy(object)
    body.metadata.namespace = "demo"
    return assert(self.server:create(body))
  end
  function self.patched(object, patch)
    return assert(self.server:patch({ apiVersion = scaler.api_version, kind = scaler.kind, namespace = "demo",
      name = object.metadata.name }, patch))
  end
  self.object = self.stored(decode(fixture.scaler))
  return self
end

local function describe_declaration(scaler)
  it("declares what there is, and no more", function()
    local known = { kind = "string", api_version = "string" }
    for _, name in ipairs(FUNCTIONS) do known[name] = "function" end
    for key, value in pairs(scaler) do assert.equal(known[key], type(value), key) end
    for _, key in ipairs(NEEDED) do assert.is_function(scaler[key], key) end
    assert.equal(scaler.pause ~= nil, scaler.resume ~= nil)
  end)

  it("is found by its kind, and watched", function()
    assert.equal(scaler, registry.scaler({ kind = scaler.kind }))
    local watched = false
    for _, kind in ipairs(require("kube.kinds")) do
      watched = watched or (kind.apiVersion == scaler.api_version and kind.kind == scaler.kind)
    end
    assert.is_true(watched)
  end)
end

local function describe_primary(scaler, fixture)
  local on
  before_each(function() on = stage(scaler, fixture) end)

  it("is made by its own name for the primary, and the API server takes it", function()
    local primary = on.call("primary", canary(), on.object)
    assert.same({ scaler.api_version, scaler.kind, "app-scaler-primary" },
      { primary.apiVersion, primary.kind, primary.metadata.name })
    for _, key in ipairs({ "uid", "resourceVersion", "ownerReferences" }) do assert.is_nil(primary.metadata[key]) end
    assert.equal("app-primary", on.stored(primary).spec.scaleTargetRef.name)
  end)

  it("needs no repair when it is new", function()
    assert.is_nil(on.call("repair", canary(), on.object, on.stored(on.call("primary", canary(), on.object))))
  end)

  it("follows each change by a patch that the API server takes, once, and never changes what it scales", function()
    for what, change in pairs(fixture.changes) do
      on = stage(scaler, fixture)
      local primary = on.stored(on.call("primary", canary(), on.object))
      local object = on.patched(on.object, decode(change))
      local patch = on.call("repair", canary(), object, primary)
      assert.is_nil(assert.is_table(patch).spec.scaleTargetRef, what)
      assert.is_nil(on.call("repair", canary(), object, on.patched(primary, patch)), what)
    end
  end)

  it("keeps the bounds that the Canary gives it, whatever the target's say", function()
    local own = canary({ min_replicas = 7, max_replicas = 9 })
    local primary = on.call("primary", own, on.object)
    assert.same({ 7, 9 }, { on.call("minimum", primary), on.call("maximum", primary) })
    for _, change in pairs(fixture.changes) do
      local patch = on.call("repair", own, with(on.object, change), primary)
      local repaired = with(primary, patch)
      assert.same({ 7, 9 }, { on.call("minimum", repaired), on.call("maximum", repaired) })
    end
  end)

  it("tells how few and how many pods it makes", function()
    assert.same(fixture.bounds, { on.call("minimum", on.object), on.call("maximum", on.object) })
  end)

  it("takes the Canary's queries where it has them", function()
    if not fixture.queries then return assert.is_nil(scaler.check) end
    local asks = canary({ primary_queries = fixture.queries })
    assert.is_nil(on.call("check", asks, on.object))
    assert.not_same(on.call("primary", canary(), on.object).spec, on.call("primary", asks, on.object).spec)
    assert.is_string(on.call("check", canary({ primary_queries = { ["no such trigger"] = "x" } }), on.object))
  end)
end

local function describe_pause(scaler, fixture)
  local on
  before_each(function() on = stage(scaler, fixture) end)

  it("holds the target once, and gives the user's object back as it was", function()
    local before = on.object
    local paused = on.patched(before, assert.is_table(on.call("pause", before)))
    assert.is_nil(on.call("pause", paused))
    local back = on.patched(paused, assert.is_table(on.call("resume", paused)))
    assert.is_nil(on.call("resume", back))
    before.metadata.resourceVersion, back.metadata.resourceVersion = nil, nil
    assert.same(before, back)
  end)

  it("does not hold the primary of a target that rests", function()
    local paused = with(on.object, on.call("pause", on.object))
    assert.is_nil(on.call("resume", on.call("primary", canary(), paused)))
  end)
end

each_scaler(function(scaler, fixture)
  describe("scalers: " .. scaler.kind, function()
    describe("declaration", function() describe_declaration(scaler) end)
    describe("primary", function() describe_primary(scaler, fixture) end)
    if scaler.pause then describe("pause", function() describe_pause(scaler, fixture) end) end
  end)
end)

describe("lua/scalers", function()
  it("has a file for every kind that the registry knows, and no other", function()
    local kinds = {}
    each_scaler(function(scaler) kinds[#kinds + 1] = scaler.kind end)
    table.sort(kinds)
    assert.equal(table.concat(kinds, ", "), registry.scaler_kinds())
  end)
end)
