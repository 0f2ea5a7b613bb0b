--- A custom router moves the traffic of a release, run by real worker processes.

local T = require("T")
local begin = require("spec.support.begin")
local json = require("json")
local library = require("spec.support.library")
local script = require("script")

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local ROUTER = read("examples/scripts/routers/weightfile.lua")

--- The example with one text replaced by another.
local function changed(from, to)
  local at, stop = ROUTER:find(from, 1, true)
  assert(at, from)
  return ROUTER:sub(1, at - 1) .. to .. ROUTER:sub(stop + 1)
end

local function with(source, more)
  local out = { provider = "weightfile", files = { ["routers/weightfile.lua"] = source },
    analysis = "interval: 10s, threshold: 2, maxWeight: 50, stepWeight: 25" }
  for key, value in pairs(more or {}) do out[key] = value end
  return out
end

local function weights(run)
  local object = run.world:get("ConfigMap", "demo", "app-weights")
  return object and json.decode(object.data["weights.json"])
end

local function stalled(run)
  run:wait(function() return run:condition("demo", "app", "Stalled") ~= nil end, 300, "the condition")
  return run:condition("demo", "app", "Stalled").message
end

--- The message at which a Canary with such a router stops.
local function problem(from, to)
  return stalled(library.applied(with(changed(from, to))))
end

describe("a release by a custom router", function()
  setup(function() T.log_to("/dev/null") end)
  before_each(function() script.setup({}) end)
  after_each(function() library.clean() end)

  teardown(function()
    script.setup({})
    T.log_to()
  end)

  it("is promoted, weight by weight", function()
    local run = library.initialised(with(ROUTER))
    assert.same({ 100, 0 }, { weights(run).primary, weights(run).canary })
    local seen = {}
    run.world.api.store:subscribe(function(event)
      if event.object.metadata.name == "app-weights" then seen[#seen + 1] = weights(run).canary end
    end)
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Succeeded", 300)
    assert.same({ 25, 50, 0 }, seen)
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
    assert.equal("Canary", run.world:get("ConfigMap", "demo", "app-weights").metadata.ownerReferences[1].kind)
  end)

  it("is promoted by a custom policy too, which the router does not see", function()
    local policy = [[return { name = "leap", api = 1, own_weights = true, decide = function(ctx)
      if ctx.now.weight >= 40 then return { action = "promote", reason = "enough" } end
      return { action = "shift", weight = ctx.now.weight + 40, reason = "a leap" }
    end }]]
    local run = library.applied({ provider = "weightfile",
      analysis = "interval: 10s, threshold: 2, policy: {name: leap}",
      files = { ["policies/leap.lua"] = policy, ["routers/weightfile.lua"] = changed("local function with(", [[
local function hidden(canary)
  for _, name in ipairs({ "custom_policy", "policy_names" }) do
    if canary[name] ~= nil then error(name .. " is seen", 0) end
  end
end

local function with(]]):gsub("function router.shift%(canary, seen, routes%) ", "%0hidden(canary) ") } })
    run:wait_for_phase("demo", "app", "Initialized")
    run:pass(1)
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Succeeded", 300)
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
  end)

  --- The example, with a controller that says "no" of a file until it is told to obey.
  local function obeyed(more)
    return changed("function router.selftest()", [[
function router.accepted(_, seen)
  local word = (seen.file.data or {}).obeyed
  if word == "broken" then error("no controller", 0) end
  if word == "odd" then return 7 end
  if word then return false, word ~= "no" and word or nil end
  return true
end

]] .. (more or "") .. "function router.selftest()")
  end

  local function say(run, word)
    run.world:patch("ConfigMap", "demo", "app-weights", { data = { obeyed = word or json.null } })
  end

  for word, told in pairs({ ["no listener"] = "no listener", no = "the route is not in force yet",
    broken = "no controller", odd = "accepted: expected true or false, found 7" }) do
    it("waits while its controller has not taken the route: " .. word, function()
      local run = library.initialised(with(obeyed()))
      run.world:set_image("demo", "app", "podinfo:2")
      run:wait(function() return weights(run).canary == 25 end, 300, "the first step")
      say(run, word)
      run:pass(60)
      assert.equal(25, weights(run).canary)
      assert.equal(0, run:status("demo", "app").failedChecks)
      local waiting = run:status("demo", "app").waiting
      assert.equal("route", waiting["for"])
      assert.equal("routers/weightfile.lua: " .. told, (waiting.detail:gsub("lua:%d+", "lua")))
      say(run, nil)
      run:wait_for_phase("demo", "app", "Succeeded", 300)
    end)
  end

  it("is rolled back when its controller never takes the route", function()
    local run = library.initialised(with(obeyed(), { spec = "progressDeadlineSeconds: 60" }))
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait(function() return weights(run).canary == 25 end, 300, "the first step")
    say(run, "no listener")
    run:wait(function() return weights(run).canary == 0 end, 300, "the rollback")
    say(run, nil)
    run:wait_for_phase("demo", "app", "Failed", 300)
    assert.equal("podinfo:1", begin.image(run, "app-primary"))
  end)

  it("says before anything is made what it cannot do", function()
    local run = library.applied(with(obeyed([[
function router.unfit(canary)
  if canary.service.port == 80 then return "spec.service.port: expected another than 80" end
end

]])))
    assert.equal("routers/weightfile.lua: spec.service.port: expected another than 80", stalled(run))
    assert.is_nil(run.world:get("Service", "demo", "app"))
  end)

  it("says by which key an object was wanted that is not there", function()
    assert.equal("ConfigMap app-weights.demo get query error: not found (reads.file of routers/weightfile.lua)",
      problem("optional = true }", "optional = false }"))
  end)

  it("shows its version in the status", function()
    local run = library.initialised(with(ROUTER))
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait(function() return run:status("demo", "app").scripts ~= nil end)
    assert.equal("routers/weightfile.lua", run:status("demo", "app").scripts[1].name)
  end)

  it("is among the names of an unknown provider", function()
    assert.matches("weightfile, found weightfil (did you mean weightfile?)",
      stalled(library.applied(with(ROUTER, { provider = "weightfil" }))), 1, true)
  end)

  it("asks nothing of the API server that is not needed", function()
    local run = library.initialised(with(ROUTER))
    run:pass(30)
    local before = #run.world.api.calls
    run:pass(120)
    assert.equal(before, #run.world.api.calls)
  end)

  describe("whose answers are wrong is stopped:", function()
    for title, case in pairs({
      ["a kind that is not granted"] = { 'grants = { "kube:v1/ConfigMap" }', "grants = {}",
        'reads.file: expected a kind that is granted, like "kube:v1/ConfigMap" in the header, and that a router may '
        .. 'write, found "ConfigMap"' },
      ["a patch of what it does not read"] = { 'object.create("file"', 'object.create("flie"',
        'routers/weightfile.lua: prepare[1].key: expected a key of reads, found "flie"' },
      ["an object of another name"] = { 'metadata = { name = canary.names.apex .. "-weights" }',
        'metadata = { name = "other" }',
        'prepare[1].create.metadata.name: expected "app-weights", as read, found "other"' },
      ["an owner of its own"] = { 'metadata = { name = canary.names.apex .. "-weights" }',
        'metadata = { name = canary.names.apex .. "-weights", ownerReferences = json.array() }',
        'prepare[1].create.metadata: expected a known field, found "ownerReferences"' },
      ["another namespace"] = { "optional = true }", 'optional = true, namespace = "kube-system" }',
        'reads.file.namespace: expected "demo", the Canary\'s, found "kube-system"' },
      ["no list"] = { "  if seen.file then return with(canary, seen, weight_in(seen) or 0) end", "  do return 1 end",
        "routers/weightfile.lua: prepare: expected a list of patches, found 1" },
      ["nothing"] = { "  if seen.file then return with(canary, seen, weight_in(seen) or 0) end", "  do return end",
        "routers/weightfile.lua: prepare: expected an answer, found nil" },
      ["an error"] = { "  if seen.file then return with(canary, seen, weight_in(seen) or 0) end",
        "  error('broken')", "routers/weightfile.lua:41: broken" },
      ["a loop"] = { "  if seen.file then return with(canary, seen, weight_in(seen) or 0) end",
        "  while true do end", "routers/weightfile.lua:41: used 100 ms of CPU" },
    }) do
      it(title, function()
        local source = ROUTER:gsub("function router.selftest.-\nend\n", "")
        local saved = ROUTER
        ROUTER = source
        local message = problem(case[1], case[2])
        ROUTER = saved
        assert.matches(case[3], message, 1, true)
      end)
    end
  end)

  describe("never gets traffic to the canary", function()
    local function stays(from, to, pattern)
      local source = ROUTER:gsub("function router.selftest.-\nend\n", "")
      local saved = ROUTER
      ROUTER = source
      local run = library.initialised(with(changed(from, to)))
      ROUTER = saved
      run.world:set_image("demo", "app", "podinfo:2")
      assert.matches(pattern, stalled(run), 1, true)
      run:pass(120)
      assert.equal(0, weights(run).canary)
      assert.equal("podinfo:1", begin.image(run, "app-primary"))
    end

    it("when it does not write what it is asked", function()
      stays("return with(canary, seen, routes.canary) end", "return {} end",
        "shift: expected patches after which routes gives 25 % for the canary, found 0 %")
    end)

    it("when it writes another weight", function()
      stays("return with(canary, seen, routes.canary) end", "return with(canary, seen, routes.canary + 1) end",
        "shift: expected patches after which routes gives 25 % for the canary, found 26 %")
    end)

    it("when it writes to the metadata of the engine", function()
      stays("return with(canary, seen, routes.canary) end",
        "return { { key = 'file', merge = { metadata = { finalizers = json.array() } } } } end",
        'shift[1].merge.metadata: expected a known field, found "finalizers"')
    end)

    it("when it loops", function()
      stays("return with(canary, seen, routes.canary) end", "while true do end end", "used 100 ms of CPU")
    end)
  end)
end)
