--- Every file in routers/ keeps these promises. A new router adds one fixture, spec/fixtures/routers/<file>.lua:
--
--   cases   at least three { title, canary, seen?, user?, drift?, mirrors? }: `canary` makes the view, `seen` is what
--           the user has, `user(world)` writes fields of the user's own into the prepared world, `drift(world)`
--           damages ours, `mirrors = false` where this canary cannot be mirrored to
--   kept    (world) → what of the user's fields must survive
--   random  (random) → canary parts, and what the user has where it is not `seen`; for the properties
--   seen    () → what the user has in all of them, for routers that need an object of the user's
--   admit   (key, body): the defaults that the API server fills in

local frozen = require("spec.support.frozen")
local lfs = require("lfs")
local object = require("util.object")
local routing = require("spec.support.routing")
local scope = require("kube.scope")

local RUNS = 300

local function each_router(f)
  local files = {}
  for file in lfs.dir("routers") do files[#files + 1] = file:match("^([%w_]+)%.lua$") end
  table.sort(files)
  for _, file in ipairs(files) do
    local router = require("routers." .. file)
    if router.name then f(file, router, dofile("spec/fixtures/routers/" .. file .. ".lua")) end
  end
end

local function split(weight, mirrored)
  return { primary = 100 - weight, canary = weight, mirrored = mirrored or false }
end

--- A router, a canary and the objects it works on. `step` is the smallest step of a weight for this canary.
local function stage(router, fixture, canary, seen)
  local self = { world = routing.apply(seen or {}, {}, fixture.admit), canary = canary }
  self.step = #canary.analysis.match > 0 and router.match_resolution or router.resolution
  local function call(name, ...) return frozen.call(router[name], canary, self.world, ...) end
  function self.prepare() return assert(call("prepare")) end
  function self.shift(routes) return assert(call("shift", routes)) end
  function self.routes() return routing.asked(assert(call("routes"))) end
  function self.restore() return assert(call("restore")) end
  --- `weight`, or the next one that this canary can have.
  function self.at(weight) return split(math.ceil(weight / self.step) * self.step) end
  function self.apply(patches)
    self.world = routing.apply(self.world, patches, fixture.admit)
    if router.counts_pods then self.world = routing.settled(router, canary, self.world, fixture.admit) end
  end
  function self.change(f)
    self.world = object.copy(self.world)
    f(self.world)
  end
  self.apply(self.prepare())
  return self
end

local function describe_basics(router, fixture, case)
  local on

  before_each(function() on = stage(router, fixture, case.canary(), case.seen and case.seen()) end)

  it("reads whole references", function()
    for key, ref in pairs(router.reads(on.canary)) do
      assert.is_string(key)
      assert.is_truthy(ref.apiVersion and ref.kind and ref.name)
      assert.equal(not scope.is_cluster(ref.apiVersion, ref.kind) and "demo" or nil, ref.namespace)
    end
  end)

  it("patches only objects that it reads", function()
    local start = case.seen and case.seen() or {}
    for _, patch in ipairs(router.prepare(on.canary, start)) do
      assert.is_table(router.reads(on.canary)[patch.key])
    end
  end)

  it("starts with all traffic on the primary", function()
    assert.same(split(0), on.routes())
  end)

  it("sends nothing at a second prepare", function()
    assert.same({}, on.prepare())
  end)
end

local function describe_weights(router, fixture, case)
  local on

  before_each(function() on = stage(router, fixture, case.canary(), case.seen and case.seen()) end)

  it("reads back every weight it wrote", function()
    for weight = 0, 100, on.step do
      on.apply(on.shift(split(weight)))
      assert.same(split(weight), on.routes())
    end
  end)

  it("sends nothing when nothing changes", function()
    on.apply(on.shift(on.at(30)))
    assert.same({}, on.shift(on.at(30)))
    assert.same({}, on.prepare())
  end)

  it("lands on the same objects from any path", function()
    on.apply(on.shift(on.at(20)))
    local direct = on.world
    for _, weight in ipairs({ 5, 95, 0, 100, 20 }) do on.apply(on.shift(on.at(weight))) end
    assert.same(direct, on.world)
  end)

  it("keeps live weights in prepare", function()
    on.apply(on.shift(on.at(40)))
    on.apply(on.prepare())
    assert.same(on.at(40), on.routes())
  end)

  if router.mirrors and case.mirrors ~= false then
    it("reads back that requests are mirrored, and prepare keeps it", function()
      on.apply(on.shift(split(0, true)))
      assert.same(split(0, true), on.routes())
      assert.same({}, on.prepare())
      on.apply(on.shift(on.at(10)))
      assert.same(on.at(10), on.routes())
    end)
  end
end

local function describe_user(router, fixture, case)
  local on

  before_each(function() on = stage(router, fixture, case.canary(), case.seen and case.seen()) end)

  if case.user then
    it("lets the user's fields survive", function()
      on.change(case.user)
      local before = object.copy(fixture.kept(on.world, on.canary))
      for _, weight in ipairs({ 10, 100, 0 }) do
        on.apply(on.prepare())
        on.apply(on.shift(on.at(weight)))
      end
      assert.same(before, fixture.kept(on.world, on.canary))
    end)

    it("sends nothing because of the user's fields", function()
      on.apply(on.shift(on.at(50)))
      on.change(case.user)
      assert.same({}, on.prepare())
    end)
  end

  if case.drift then
    it("repairs drift and leaves the weights", function()
      on.apply(on.shift(on.at(35)))
      local whole = on.world
      on.change(case.drift)
      assert.are_not.same(whole, on.world)
      on.apply(on.prepare())
      assert.same(whole, on.world)
    end)
  end

  it("gives the user's objects back", function()
    local before = case.seen and case.seen() or {}
    on.apply(on.shift(on.at(60)))
    on.apply(on.restore())
    for key, body in pairs(before) do assert.same(body, on.world[key]) end
  end)

  it("gives back nothing twice", function()
    on.apply(on.restore())
    assert.same({}, on.restore())
  end)
end

local function describe_properties(router, fixture)
  local function runs(seed, f)
    local random = routing.random(seed)
    for _ = 1, RUNS do
      local parts, seen = fixture.random(random)
      local on = stage(router, fixture, routing.canary(parts), seen or fixture.seen and fixture.seen())
      f(on, random)
    end
  end

  -- How many pods a canary without traffic has is not its router's to say.
  local least = router.counts_pods and 1 or 0

  local function shift(on, random)
    local asked = on.at(math.max(least, random.weight()))
    asked.mirrored = router.mirrors == true and random.upto(2) == 1
    on.apply(on.shift(asked))
    return asked
  end

  it("reads back what it was asked for, for any canary", function()
    runs(1, function(on, random) assert.same(shift(on, random), on.routes()) end)
  end)

  it("sends nothing the second time, for any canary", function()
    runs(2, function(on, random)
      local asked = shift(on, random)
      assert.same({}, on.shift(asked))
      assert.same({}, on.prepare())
    end)
  end)

  it("lands on the same objects from any path, for any canary", function()
    runs(3, function(on, random)
      local asked = shift(on, random)
      local direct = on.world
      for _ = 1, random.upto(4) do shift(on, random) end
      on.apply(on.shift(asked))
      assert.same(direct, on.world)
    end)
  end)

  it("lets the user's fields survive, for any canary", function()
    local user = fixture.cases[2].user
    runs(4, function(on, random)
      on.change(user)
      local before = object.copy(fixture.kept(on.world, on.canary))
      for _ = 1, random.upto(4) do shift(on, random) end
      on.apply(on.prepare())
      assert.same(before, fixture.kept(on.world, on.canary))
    end)
  end)
end

each_router(function(file, router, fixture)
  describe("routers." .. file, function()
    it("declares what it can do", function()
      for _, name in ipairs({ "weighted", "matches", "affinity" }) do assert.is_boolean(router[name]) end
      assert.is_true(router.mirrors == "bluegreen" or type(router.mirrors) == "boolean")
      assert.equal("integer", math.type(router.resolution))
    end)

    it("has at least three fixtures", function()
      assert.is_true(#fixture.cases >= 3)
    end)

    for _, case in ipairs(fixture.cases) do
      describe(case.title, function()
        describe_basics(router, fixture, case)
        if router.weighted then describe_weights(router, fixture, case) end
        describe_user(router, fixture, case)
      end)
    end

    if router.weighted then describe_properties(router, fixture) end
  end)
end)
