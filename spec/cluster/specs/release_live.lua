--- Releases through real traffic: all canaries at once, under one engine with the rights that ship.

local story = require("spec.cluster.story")
local support = require("spec.cluster.support")

local GOOD, BAD = "podinfo:6.0.1", "podinfo:6.0.2-err10"
-- By a proxy, or by pods alone.
local PROXIED = { "traefik", "gateway", "envoygateway", "nginx", "contour", "istio", "replicas" }
local ALL = { "traefik", "gateway", "envoygateway", "nginx", "contour", "istio", "replicas", "bluegreen" }

describe("a release on the real control plane", function()
  local engine, stories, good, bad = nil, {}, {}, {}

  local function release(names, image, phase, results)
    for _, name in ipairs(names) do stories[name]:release(image) end
    for _, name in ipairs(names) do stories[name]:wait_for(phase, 300) end
    support.sleep(2)
    for _, name in ipairs(names) do
      stories[name]:close(phase == "Succeeded" and name ~= "bluegreen" and 10000 or nil)
    end
    for _, name in ipairs(names) do results[name] = stories[name]:report() end
  end

  setup(function()
    support.install()
    engine = support.engine()
    local run = ("%x"):format(os.time())
    for _, name in ipairs(ALL) do stories[name] = story.new(name, run) end
    for _, name in ipairs(ALL) do stories[name]:wait_for("Initialized", 120) end
    release(ALL, GOOD, "Succeeded", good)
    release(ALL, BAD, "Failed", bad)
  end)

  teardown(function()
    for _, one in pairs(stories) do one:stop() end
    if engine then engine.stop() end
    for _, one in pairs(stories) do
      support.run("kubectl", "delete", "namespace", one.namespace, "--wait=false")
    end
  end)

  for _, name in ipairs(PROXIED) do
    it("takes traffic through each weight and back: " .. name, function()
      assert.same({ 0, 20, 40, 60, 0 }, good[name].weights)
    end)

    -- An Ingress carries the canary's weight only, as does a Service.
    if name ~= "nginx" and name ~= "replicas" then
      it("never writes weights that do not sum to 100: " .. name, function()
        assert.same({ 100 }, good[name].sums)
      end)
    end
  end

  for _, name in ipairs(ALL) do
    it("walks the phases of a promotion in order: " .. name, function()
      local phases = table.concat(good[name].phases, " ")
      assert.matches("^Initialized Progressing .*Promoting Finalising Succeeded$", phases)
    end)

    it("gives the new image to the primary: " .. name, function()
      assert.equal(GOOD, good[name].image)
    end)

    it("fails no check of a good revision: " .. name, function()
      assert.equal(0, good[name].failed)
    end)
  end

  for _, name in ipairs(PROXIED) do
    it("loses none of 10,000 requests while it promotes: " .. name, function()
      assert.is_true(good[name].traffic.total >= 10000)
      assert.equal(0, good[name].traffic.errors)
    end)

    it("let the new version answer users before it was promoted: " .. name, function()
      assert.is_true(good[name].traffic.versions["6.0.0"].total > 0)
      assert.is_true(good[name].traffic.versions["6.0.1"].total > 0)
    end)

    it("lets a bad revision fail only its own requests: " .. name, function()
      for version, counts in pairs(bad[name].traffic.versions) do
        if version ~= "6.0.2" then assert.equal(0, counts.errors, version) end
      end
      local own = bad[name].traffic.versions["6.0.2"]
      assert.is_true(own.errors > 0 and own.errors < own.total / 4)
    end)

    it("gives a bad revision no more than its first weight: " .. name, function()
      assert.same({ 0, 20, 0 }, bad[name].weights)
    end)
  end

  it("keeps users of a blue/green release on ready pods", function()
    assert.equal(0, good.bluegreen.traffic.errors)
    assert.equal(0, bad.bluegreen.traffic.errors)
  end)

  it("counts the iterations of a blue/green release", function()
    assert.equal(4, good.bluegreen.iterations) -- three checked ones, and the step that sends all traffic
  end)

  for _, name in ipairs(ALL) do
    it("rolls a bad revision back at its threshold: " .. name, function()
      assert.equal("Failed", bad[name].phases[#bad[name].phases])
      assert.equal(2, bad[name].failed) -- the third rolls back at once, and the count with it
      assert.matches("Rolling back app%.[%w-]+ failed checks threshold reached 3", bad[name].events)
    end)

    it("has halted for the errors that were counted: " .. name, function()
      assert.matches("advancement success rate %d+%.%d+%% < 99%%", bad[name].events)
      assert.is_nil(bad[name].events:find("no values found", 1, true))
    end)

    it("leaves the primary alone when it rolls back: " .. name, function()
      local before, after = bad[name].before, bad[name].after
      assert.equal(before.metadata.generation, after.metadata.generation)
      assert.same(before.spec.template, after.spec.template)
    end)

    it("has no pod of a bad revision left: " .. name, function()
      support.wait_until("the target rests", 60, function()
        return support.get("deployment", stories[name].namespace, "app").spec.replicas == 0
      end)
    end)
  end

  it("needs no right that deploy/rbac.yaml does not give", function()
    local refused = support.audit(function(entry)
      local answer = entry.responseStatus or {}
      -- what belongs to a namespace that is being deleted is refused to everybody
      return answer.code == 403 and not (answer.message or ""):find("because it is being terminated", 1, true)
    end)
    assert.same({}, refused)
  end)

  it("writes nothing that the API server refuses as invalid", function()
    local refused = support.audit(function(entry)
      local code = entry.responseStatus and entry.responseStatus.code
      return code == 400 or code == 422
    end)
    assert.same({}, refused)
  end)

  it("outlives the releases and ends when asked to", function()
    assert.is_true(engine.alive())
    engine.stop()
    assert.is_nil(support.read(engine.path):find("AddressSanitizer", 1, true))
  end)
end)
