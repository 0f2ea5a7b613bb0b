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
