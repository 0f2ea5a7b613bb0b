local json = require("json")
local knative = require("targets.knative")

local PRIMARY = "flagger.app/primary-revision"

local function object(newest, promoted, condition)
  return {
    metadata = { name = "app", namespace = "demo", annotations = { note = "x", [PRIMARY] = promoted } },
    status = { latestCreatedRevisionName = newest },
    arm = { metadata = { name = newest }, status = { conditions = { condition } } },
  }
end

describe("targets.knative", function()
  it("is a target once there is a Revision", function()
    assert.is_nil(knative.check(object("app-00001")))
    assert.equal("knative service app.demo: status.latestCreatedRevisionName: expected a Revision, found none",
      knative.check({ metadata = { name = "app", namespace = "demo" } }))
  end)

  it("has a revision for each Revision, whatever else changes", function()
    local before = knative.revision(object("app-00001"))
    assert.equal(before, knative.revision(object("app-00001", "app-00001")))
    assert.not_equal(before, knative.revision(object("app-00002")))
    assert.truthy(before:find("^s1%-%x+$"))
  end)

  it("adopts the newest Revision, also over one that an earlier Canary left", function()
    local wanted = { metadata = { annotations = { [PRIMARY] = "app-00002" } } }
    assert.same(wanted, knative.adopt(object("app-00002")))
    assert.same(wanted, knative.adopt(object("app-00002", "app-00001")))
    assert.is_nil(knative.adopt(object("app-00002", "app-00002")))
  end)

  it("names a Revision for each arm", function()
    local arms = knative.arms(object("app-00002", "app-00001"))
    assert.same({ "app-00001", "app-00002", "Revision" }, { arms.primary.name, arms.canary.name, arms.canary.kind })
    assert.equal("app-00002", knative.arms(object("app-00002")).primary.name)
  end)

  it("promotes by one annotation, once", function()
    assert.same({ metadata = { annotations = { [PRIMARY] = "app-00002" } } },
      knative.promotion(object("app-00002", "app-00001")))
    assert.is_nil(knative.promotion(object("app-00002", "app-00002")))
    assert.is_true(knative.same_revision(object("app-00002", "app-00002")))
    assert.is_false(knative.same_revision(object("app-00002", "app-00001")))
  end)

  it("takes back its annotation alone", function()
    assert.same({ metadata = { annotations = { [PRIMARY] = json.null } } }, knative.restore(object("a", "a")))
    assert.is_nil(knative.restore(object("a")))
  end)

  it("is ready when the Revision of the arm is", function()
    local ready = object("app-00001", nil, { type = "Ready", status = "True" })
    assert.is_true((knative.ready(ready)))
    assert.equal(1, knative.available(ready))
  end)

  it("says which Revision is not ready and why, and waits for it for ever", function()
    local cases = {
      ["cannot pull"] = object("app-00001", nil,
        { type = "Ready", status = "False", reason = "Pull", message = "cannot pull" }),
      ["Pull"] = object("app-00001", nil, { type = "Ready", status = "Unknown", reason = "Pull" }),
      ["its controller has not said so"] = object("app-00001", nil, { type = "Active", status = "True" }),
    }
    local missing = object("app-00001")
    missing.arm.status = nil
    cases["it is not there, or not known to its controller"] = missing
    for why, target in pairs(cases) do
      local ready, message, retriable = knative.ready(target, { deadline = 0, since = 0, now = 9e9 })
      assert.same({ false, "revision app-00001 is not ready: " .. why, true }, { ready, message, retriable })
      assert.equal(0, knative.available(target))
    end
  end)
end)
