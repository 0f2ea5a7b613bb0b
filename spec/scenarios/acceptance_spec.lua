--- A step counts from the moment at which the gateway has taken the route.

local begin = require("spec.support.begin")
local json = require("json")

local ANALYSIS = "interval: 10s, threshold: 2, stepWeight: 20, maxWeight: 40, " ..
  "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"

describe("a route whose gateway reports", function()
  local run, gateway, changes

  local function route() return run.world:get("HTTPRoute", "demo", "app") end

  --- What the gateway says of the newest generation of the route.
  --- @param nameless boolean?  without saying which that is
  local function report(status, nameless)
    local object = route()
    run.world.api:set_status(object, { parents = json.array({ {
      parentRef = object.spec.parentRefs[1],
      conditions = json.array({ { type = "Accepted", status = status,
        observedGeneration = not nameless and object.metadata.generation or nil,
        lastTransitionTime = "2026-01-01T00:00:00Z" } }),
    } }) })
  end

  before_each(function()
    run = begin.initialised({ provider = "gatewayapi:v1", analysis = ANALYSIS .. ", stepWeightPromotion: 20",
      service = "port: 80, targetPort: http, gatewayRefs: [{name: gw}]" })
    gateway, changes = true, {}
    report("True")
    run.world.api.store:subscribe(function(event)
      if event.entry.kind ~= "HTTPRoute" or not event.object.spec then return end
      local generation = event.object.metadata.generation
      if changes[#changes] == generation then return end
      changes[#changes + 1] = generation
      run.pending = gateway
    end)
    run.world:set_image("demo", "app", "podinfo:2")
  end)

  --- Walks on second by second, the gateway following at once while it is there.
  local function walk(done, seconds)
    for _ = 1, seconds or 600 do
      if run.pending then
        run.pending = nil
        report("True")
      end
      if done() then return end
      run:pass(1)
    end
    error("it never came to it", 2)
  end

  local function status() return run:status("demo", "app") end
  local function at(weight) return function() return status().canaryWeight == weight end end
  local function in_phase(name) return function() return status().phase == name end end

  local function told(text)
    local count = 0
    for _, message in ipairs(run:messages("demo")) do
      if message:find(text, 1, true) then count = count + 1 end
    end
    return count
  end

  local function keeps_pods()
    assert.truthy(run.world:get("Deployment", "demo", "app").spec.replicas > 0)
    assert.is_nil(run:condition("demo", "app", "Stalled"))
  end

  it("is promoted as ever while it follows", function()
    walk(in_phase("Succeeded"))
    assert.equal(0, told("is not ready (status:"))
    assert.equal(0, run.world.traffic.lost)
  end)

  it("is promoted by a controller that names no generation, as Linkerd does not", function()
    gateway = false
    report("True", true)
    walk(in_phase("Succeeded"))
    assert.equal(0, told("is not ready (status:"))
  end)

  it("is not analysed, and its weight does not rise, before the gateway has it", function()
    gateway = false
    walk(at(20))
    run:pass(45)
    assert.same({ 20, 0, "Progressing" }, { status().canaryWeight, status().failedChecks, status().phase })
    assert.equal("route", status().waiting["for"])
    assert.truthy(status().waiting.detail:find("HTTPRoute app.demo parent gw is not ready (status: True", 1, true))
    assert.same({ "route", "error" }, { status().checks[1].name, status().checks[1].verdict })
    assert.equal(1, told("is not ready (status:"))
  end)

  it("counts the interval from the moment of acceptance", function()
    gateway = false
    walk(at(20))
    run:pass(27)
    local accepted = run.world.now
    gateway = true
    report("True")
    walk(at(40), 60)
    assert.truthy(run.world.now - accepted >= 10, run.world.now - accepted)
    assert.is_nil(status().waiting)
  end)

  it("counts a failed check at each interval once a rollout would have failed, and is rolled back", function()
    gateway = false
    walk(at(20))
    walk(function() return status().failedChecks == 1 end, 90)
    walk(in_phase("Failed"), 60)
    assert.equal(0, status().canaryWeight)
    assert.equal(100, route().spec.rules[1].backendRefs[1].weight)
  end)

  it("keeps the canary's pods until the gateway has taken its traffic away", function()
    gateway = false
    walk(in_phase("Failed"), 900)
    run:pass(120)
    keeps_pods()
    gateway = true
    report("True")
    run:pass(20)
    assert.equal(0, run.world:get("Deployment", "demo", "app").spec.replicas)
    assert.is_nil(status().waiting)
  end)

  it("can be aborted meanwhile", function()
    gateway = false
    walk(at(20))
    run.world:annotate("Canary", "demo", "app", { ["serin.dev/intent"] = "abort" })
    walk(in_phase("Failed"), 20)
    assert.equal(0, route().spec.rules[1].backendRefs[2].weight)
  end)

  --- The gateway is away from where `last` holds until the canary's pods were seen to stay.
  local function without_gateway(last, phase)
    walk(last)
    gateway = false
    walk(in_phase(phase), 60)
    run:pass(200)
    keeps_pods()
    assert.same({ phase, "route" }, { status().phase, status().waiting["for"] })
    gateway = true
    report("True")
    walk(in_phase("Succeeded"))
    assert.equal(0, run.world.traffic.lost)
  end

  it("keeps the canary's pods in Promoting too", function()
    without_gateway(in_phase("Promoting"), "Promoting")
  end)

  it("keeps the canary's pods in Finalising too", function()
    without_gateway(function() return status().phase == "Promoting" and status().canaryWeight == 20 end, "Finalising")
  end)
end)
