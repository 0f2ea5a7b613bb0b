--- What holds of every file in routers/ for any canary: a thousand of each, the same ones in every run.
--
-- The fixtures of contract_spec.lua say how a random canary is made; a router without one is asked with any canary.

local lfs = require("lfs")
local merge = require("util.merge")
local object = require("util.object")
local percent = require("util.percent")
local routing = require("spec.support.routing")

local RUNS, SEED = 1000, 20

local function any(file)
  return function(random)
    return {
      provider = file,
      service = { port = random.upto(65535), portDiscovery = random.upto(2) == 1 },
      analysis = { iterations = random.upto(10) },
      status = random.maybe({ iterations = random.upto(10) }),
    }
  end
end

local function routers()
  local out = {}
  for file in lfs.dir("routers") do
    local name = file:match("^([%w_]+)%.lua$")
    local router = name and require("routers." .. name)
    if router and router.name then out[#out + 1] = { file = name, router = router } end
  end
  table.sort(out, function(a, b) return a.file < b.file end)
  return out
end

--- What `random` asks of this canary, a weight that it can have.
local function wish(router, canary, random)
  if not router.weighted then return { primary = 100, canary = 0, mirrored = false } end
  local step = #canary.analysis.match > 0 and router.match_resolution or router.resolution
  local weight = math.ceil(random.weight() / step) * step
  return { primary = 100 - weight, canary = weight, mirrored = router.mirrors == true and random.upto(2) == 1 }
end

-- What is promised, by the name under which a broken promise is noted.
local PROMISES = {
  routes = "reads back what it was asked for",
  prepare = "sends nothing at a second prepare",
  shift = "sends nothing at a second shift",
  given = "does not write to what it is given",
  restore = "gives back what was the user's",
  user = "leaves the user's fields alone",
  repair = "keeps the weights while it repairs",
  fraction = "reads back hundredths of a percent where it carries them, and sends nothing the second time",
}

--- Walks through the thousand canaries; the first run in which each promise is broken, by its name.
local function walk(router, fixture, make)
  local broken, random, run = {}, routing.random(SEED), 0
  local function expect(name, expected, found)
    if not broken[name] and not merge.equal(expected, found) then
      broken[name] = { run = run, expected = expected, found = found }
    end
  end

  local function once(canary, seen)
    local world, before = seen, object.copy(seen)
    local function change(patches)
      local changed = routing.apply(world, assert(patches), fixture.admit)
      return router.counts_pods and routing.settled(router, canary, changed, fixture.admit) or changed
    end
    local function shift()
      local asked = wish(router, canary, random)
      world = change(router.shift(canary, world, asked))
      if router.weighted then expect("routes", asked, routing.asked(router.routes(canary, world))) end
      return asked
    end

    world = change(router.prepare(canary, world))
    local asked = shift()
    expect("prepare", {}, router.prepare(canary, world))
    expect("shift", {}, router.shift(canary, world, asked))
    expect("given", before, seen)
    if router.fine and not (router.match_resolution and #canary.analysis.match > 0) then
      local whole = world
      local fine = percent.of_hundredths(random.upto(10001) - 1)
      local split = { primary = percent.less(100, fine), canary = fine, mirrored = false }
      world = change(router.shift(canary, world, split))
      expect("fraction", split, router.routes(canary, world))
      expect("fraction", {}, router.shift(canary, world, split))
      expect("fraction", {}, router.prepare(canary, world))
      world = change(router.shift(canary, world, asked))
      expect("fraction", whole, world)
    end
    local restored = change(router.restore(canary, world))
    for key, body in pairs(before) do expect("restore", body, restored[key]) end

    local user = fixture.cases[2].user
    world = object.copy(world)
    if user then user(world) end
    local kept = user and object.copy(fixture.kept(world, canary))
    world = change(router.prepare(canary, world))
    asked = shift()
    if user then expect("user", kept, fixture.kept(world, canary)) end

    world = object.copy(world)
    for _, body in pairs(world) do body.metadata.labels = { drift = "x" } end
    world = change(router.prepare(canary, world))
    if router.weighted then expect("repair", asked, routing.asked(router.routes(canary, world))) end
  end

  for at = 1, RUNS do
    run = at
    local parts, seen = make(random)
    seen = seen or fixture.seen and fixture.seen()
    once(routing.canary(parts), routing.apply(seen or {}, {}, fixture.admit))
  end
  return broken
end

for _, item in ipairs(routers()) do
  describe("routers." .. item.file .. " for any canary", function()
    local broken

    lazy_setup(function()
      local fixture = dofile("spec/fixtures/routers/" .. item.file .. ".lua")
      broken = walk(item.router, fixture, fixture.random or any(item.file))
    end)

    for name, promise in pairs(PROMISES) do
      it(promise, function() assert.is_nil(broken[name]) end)
    end
  end)
end

describe("the folder routers/", function()
  it("has a fixture for each file", function()
    for _, item in ipairs(routers()) do
      assert.is_truthy(lfs.attributes("spec/fixtures/routers/" .. item.file .. ".lua"), item.file)
    end
  end)

  it("has a random canary for each router that weighs", function()
    for _, item in ipairs(routers()) do
      local fixture = dofile("spec/fixtures/routers/" .. item.file .. ".lua")
      if item.router.weighted then assert.is_function(fixture.random, item.file) end
    end
  end)
end)
