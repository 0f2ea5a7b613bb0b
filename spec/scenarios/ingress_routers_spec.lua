--- Releases behind ingress controllers that judge by the controller's own metrics.

local begin = require("spec.support.begin")

local SUCCESS = ", metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"
local FAST = ", metrics: [{name: request-duration, thresholdRange: {max: 200}, interval: 30s}]"

describe("A/B tests behind kong", function()
  local AB = "interval: 10s, threshold: 2, iterations: 3, match: [{headers: {x-canary: {exact: insider}}}]"

  --- With users of whom one in ten is an insider.
  local function tested(image, metrics)
    local run = begin.initialised({ provider = "kong", analysis = AB .. metrics,
      service = "port: 80, targetPort: http, gatewayRefs: [{name: gw}]" })
    run.world.traffic:add({ namespace = "demo", service = "app", rate = 2, headers = { ["x-canary"] = "insider" } })
    run.world:set_image("demo", "app", image)
    return run
  end

  it("are judged by the requests of those who match", function()
    local run = tested("podinfo:2", SUCCESS)
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal(0, begin.told(run, "Halt advancement"))
  end)

  it("are rolled back when those who match get errors, few as they are", function()
    local run = tested("podinfo:2-err10", SUCCESS)
    run:wait_for_phase("demo", "app", "Failed")
    local said = table.concat(run:messages("demo"), "\n")
    assert.truthy(said:find("success rate 9%d.%d%d%% < 99%%"), said)
  end)

  it("are rolled back when those who match wait", function()
    local run = tested("podinfo:2-lat900ms", FAST)
    run:wait_for_phase("demo", "app", "Failed")
    assert.truthy(table.concat(run:messages("demo"), "\n"):find("> 200ms", 1, true))
  end)
end)
