local json = require("json")
local knative = require("routers.knative")
local routing = require("spec.support.routing")

local function live(traffic, annotations)
  return { service = { apiVersion = "serving.knative.dev/v1", kind = "Service",
    metadata = { name = "app", namespace = "demo", annotations = annotations or
      { ["flagger.app/primary-revision"] = "app-00001" } }, spec = { traffic = traffic and json.array(traffic) } } }
end

local canary = routing.canary({ provider = "knative" })

describe("routers.knative", function()
  it("says what is odd about the object instead of guessing", function()
    local cases = {
      ["Service app.demo: metadata.annotations.flagger.app/primary-revision: expected a Revision's name, found none"] =
        live({ { latestRevision = true, percent = 100 } }, {}),
      ["Service app.demo: spec.traffic is not a list"] = live(nil),
    }
    cases["Service app.demo: spec.traffic is not a list"].service.spec.traffic = "all"
    for sentence, seen in pairs(cases) do
      for _, call in ipairs({ "prepare", "routes" }) do
        local result, message = knative[call](canary, seen)
        assert.is_nil(result)
        assert.equal(sentence, message)
      end
    end
  end)

  it("names a share that is none", function()
    local seen = live({ { latestRevision = true, percent = "all" }, { revisionName = "app-00001", percent = 80 } })
    for _, call in ipairs({ "prepare", "routes" }) do
      assert.same({ nil, "Service app.demo: spec.traffic: the share of the newest Revision is not a weight: all" },
        { knative[call](canary, seen) })
    end
    seen.service.spec.traffic[1].percent, seen.service.spec.traffic[2].percent = 0, -1
    assert.same({ nil, "Service app.demo: spec.traffic: the share of app-00001 is not a weight: -1" },
      { knative.routes(canary, seen) })
  end)

  it("remembers what the user had, once", function()
    local before = { { latestRevision = true, percent = 60 },
      { tag = "old", revisionName = "app-00001", percent = 40 } }
    local seen = routing.apply(live(before), knative.prepare(canary, live(before)))
    assert.same({ { latestRevision = true, percent = 0 }, { revisionName = "app-00001", percent = 100 },
      { tag = "old", revisionName = "app-00001" } }, seen.service.spec.traffic)
    seen.service.spec.traffic = json.array({ { revisionName = "stray", percent = 100 } })
    seen = routing.apply(seen, knative.prepare(canary, seen))
    seen = routing.apply(seen, knative.restore(canary, seen))
    assert.same(before, seen.service.spec.traffic)
  end)

  it("takes an absent share for none (gaps 2.3)", function()
    local seen = live({ { latestRevision = true }, { revisionName = "app-00001", percent = 100 } })
    assert.same({ primary = 100, canary = 0, mirrored = false }, knative.routes(canary, seen))
  end)

  it("notes the primary again by the list, as the newest Revision may be under test", function()
    local seen = live({ { tag = "old", revisionName = "app-00000" }, { latestRevision = true, percent = 20 },
      { revisionName = "app-00001", percent = 80 } }, { team = "a" })
    seen.service.status = { latestCreatedRevisionName = "app-00002" }
    local patches = knative.prepare(canary, seen)
    assert.same({ ["flagger.app/primary-revision"] = "app-00001" }, patches[1].merge.metadata.annotations)
    assert.same({ 20, 80 }, { patches[1].merge.spec.traffic[1].percent, patches[1].merge.spec.traffic[2].percent })
    assert.same({ primary = 80, canary = 20, mirrored = false }, knative.routes(canary, seen))
    seen.service.metadata.annotations = nil
    assert.is_table(knative.prepare(canary, seen))
  end)

  it("waits until Knative divides requests as it is asked", function()
    local seen = live({ { latestRevision = true, percent = 20 }, { revisionName = "app-00001", percent = 80 } })
    seen.service.status = { traffic = json.array({ { latestRevision = true, revisionName = "app-00002", percent = 10 },
      { revisionName = "app-00001", latestRevision = false, percent = 90 } }) }
    assert.same({ primary = 80, canary = 20, mirrored = false }, knative.routes(canary, seen))
    assert.same({ false, "Service app.demo: expected 20 percent for the newest Revision, found Knative to send it 10" },
      { knative.accepted(canary, seen) })
    seen.service.status.traffic[1].percent = 20
    assert.is_true(knative.accepted(canary, seen))
    seen.service.status.traffic = json.array()
    assert.is_true(knative.accepted(canary, seen))
  end)

  it("keeps the shares when only other fields drift", function()
    local seen = live({ { revisionName = "app-00001", percent = 80 }, { latestRevision = true, percent = 20 } })
    local patches = knative.prepare(canary, seen)
    assert.same({ { latestRevision = true, percent = 20 }, { revisionName = "app-00001", percent = 80 } },
      patches[1].merge.spec.traffic)
    assert.is_nil(patches[1].merge.metadata)
  end)

  it("gives all traffic to the newest Revision where another controller divided it, addresses kept", function()
    local seen = live({ { latestRevision = true, percent = 20 }, { revisionName = "app-00001", percent = 80 },
      { tag = "old", revisionName = "app-00001" } })
    local patches = knative.restore(canary, seen)
    assert.same({ { latestRevision = true, percent = 100 }, { tag = "old", revisionName = "app-00001" } },
      patches[1].merge.spec.traffic)
  end)

  it("has nothing to give back where nothing was divided, or nothing is there", function()
    assert.same({}, knative.restore(canary, live({ { latestRevision = true, percent = 100 } })))
    assert.same({}, knative.restore(canary, {}))
  end)
end)
