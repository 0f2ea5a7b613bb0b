local guard = require("canary.guard")

describe("canary.guard", function()
  local now

  before_each(function()
    now = { routes = { primary = 90, canary = 10 }, primary = 2, canary = 2, primary_ready = true, canary_ready = true,
      checks = "passed", phase = "Progressing", apex_on_primary = true }
  end)

  local function refuses(want) return guard.shift(want, now) ~= nil end

  it("lets a healthy canary take its next step", function()
    assert.is_nil(guard.shift({ primary = 80, canary = 20 }, now))
  end)

  it("refuses weights that do not sum to 100", function()
    assert.is_true(refuses({ primary = 80, canary = 21 }))
    assert.is_true(refuses({ primary = 80.5, canary = 19.5 }))
    assert.is_true(refuses({ primary = 101, canary = -1 }))
  end)

  it("lets hundredths of a percent pass where the route carries them", function()
    now.fine = true
    assert.is_false(refuses({ primary = 80.5, canary = 19.5 }))
    assert.is_false(refuses({ primary = 99.93, canary = 0.07 }))
    assert.is_true(refuses({ primary = 80.5, canary = 19.51 }))
    assert.is_true(refuses({ primary = 99.999, canary = 0.001 }))
  end)

  it("refuses traffic for a canary without ready pods", function()
    now.canary = 0
    assert.is_true(refuses({ primary = 80, canary = 20 }))
    assert.is_true(refuses({ primary = 95, canary = 5 }))
    assert.is_false(refuses({ primary = 100, canary = 0 }))
  end)

  it("refuses more traffic for a canary whose rollout is not complete", function()
    now.canary_ready = false
    assert.is_true(refuses({ primary = 80, canary = 20 }))
    assert.is_false(refuses({ primary = 95, canary = 5 }))
  end)

  it("refuses more traffic for a primary that is not ready", function()
    now.primary_ready = false
    assert.is_true(refuses({ primary = 100, canary = 0 }))
    now.primary_ready, now.primary = true, 0
    assert.is_true(refuses({ primary = 100, canary = 0 }))
  end)

  it("lets a primary in the middle of a rollout take what the canary must not keep, with half of its pods", function()
    now.primary_ready, now.urgent, now.primary, now.primary_wanted = false, true, 2, 4
    assert.is_false(refuses({ primary = 100, canary = 0 }))
    now.primary = 1
    assert.is_true(refuses({ primary = 100, canary = 0 }))
    now.primary, now.primary_wanted = 0, 0
    assert.is_true(refuses({ primary = 100, canary = 0 }))
    now.primary, now.primary_wanted, now.urgent = 2, 4, false
    assert.is_true(refuses({ primary = 100, canary = 0 }))
  end)

  it("never raises the canary's weight unless the checks passed", function()
    for _, checks in ipairs({ "failed", "unknown" }) do
      now.checks = checks
      assert.is_true(refuses({ primary = 80, canary = 20 }))
      assert.is_false(refuses({ primary = 90, canary = 10 }))
      assert.is_false(refuses({ primary = 100, canary = 0 }))
    end
    now.checks = nil
    assert.is_true(refuses({ primary = 80, canary = 20 }))
  end)

  it("scales the target down only behind a ready primary that has all the traffic", function()
    now.routes = { primary = 100, canary = 0 }
    assert.is_nil(guard.scale_down(now))
    for field, value in pairs({ apex_on_primary = false, primary = 0, primary_ready = false,
      routes = { primary = 99, canary = 1 } }) do
      local worse = setmetatable({ [field] = value }, { __index = now })
      assert.is_string(guard.scale_down(worse), field)
    end
  end)

  it("takes no pods from a canary with traffic, and never all of them", function()
    assert.is_nil(guard.scale_to(3, 2, now))
    assert.equal("the canary keeps its 2 pods while it has traffic", guard.scale_to(1, 2, now))
    now.routes = { primary = 100, canary = 0, mirrored = true }
    assert.is_string(guard.scale_to(1, 2, now))
    now.routes.mirrored = false
    assert.is_nil(guard.scale_to(1, 2, now))
    assert.is_string(guard.scale_to(0, 2, now))
  end)

  it("promotes exactly the revision that was analysed", function()
    assert.is_nil(guard.promote("s1-a", "s1-a"))
    assert.is_string(guard.promote("s1-a", "s1-b"))
    assert.is_string(guard.promote(nil, "s1-b"))
  end)

  it("lets no policy raise traffic or promote while a check does not pass, nor promote without traffic", function()
    local function said(answer, weight, passed, strategy)
      return guard.decision(answer, { weight = weight, passed = passed }, strategy or "canary")
    end
    assert.is_nil(said({ action = "shift", weight = 20 }, 10, true))
    assert.is_nil(said({ action = "shift", weight = 5 }, 10, false))
    assert.is_nil(said({ action = "rollback" }, 10, false))
    assert.is_nil(said({ action = "promote" }, 10, true))
    assert.is_nil(said({ action = "promote" }, 0, true, "blue-green"))
    for _, answer in ipairs({ { action = "shift", weight = 20 }, { action = "promote" }, { action = "iterate" },
      { action = "shift", routes = { primary = 0, canary = 100 } } }) do
      assert.equal("action: expected hold or rollback while a check does not pass, found " .. answer.action,
        said(answer, 10, false))
    end
    assert.equal("action: expected a shift before a promotion, as the canary has had no traffic, found promote",
      said({ action = "promote" }, 0, true))
  end)
end)
