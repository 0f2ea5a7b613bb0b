--- Whole releases without any mesh: the share of the canary is that of its ready pods behind the apex Service.

local begin = require("spec.support.begin")
local exported = require("exported")
local gauges = require("canary.gauges")
local json = require("json")
local manifests = require("spec.support.manifests")

local ANALYSIS = "interval: 10s, threshold: 2, stepWeight: 10, maxWeight: 30, " ..
  "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"
local SERVICE = "port: 80, targetPort: http, selector: {part: shop}"

local USERS_SERVICE = [[
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: demo}
spec: {selector: {app: app, tier: web}, ports: [{port: 80, targetPort: http}]}
]]

local POD = { replicas = 10, labels = "part: shop, tier: web" }

describe("a release by replicas", function()
  local run

  --- Ready pods behind the apex Service, by their Deployment.
  local function behind()
    local out = { app = 0, ["app-primary"] = 0 }
    for _, pod in ipairs((run.world.traffic:endpoints("demo", "app"))) do
      local owner = pod.metadata.ownerReferences[1].name
      out[owner] = out[owner] + 1
    end
    return out.app, out["app-primary"]
  end

  local function share()
    local canary, primary = behind()
    return 100 * canary / (canary + primary)
  end

  local function status() return run:status("demo", "app") end
  local function in_phase(name) return function() return status().phase == name end end

  local function started(change)
    change = change or {}
    run = begin.applied({ provider = "replicas", analysis = change.analysis or ANALYSIS, service = SERVICE,
      spec = change.spec, deployment = POD, objects = change.objects })
    run:wait_for_phase("demo", "app", "Initialized")
    run:pass(1)
  end

  local function release(image, change)
    started(change)
    run.world:set_image("demo", "app", image or "podinfo:2")
    run:wait_for_phase("demo", "app", "Progressing")
  end

  --- Second by second, with what was seen: the highest share, and the highest while nothing was asked for.
  local function watched(done)
    local most, early, fewest = 0, 0, math.huge
    for _ = 1, 600 do
      if done() then return most, early, fewest end
      run:pass(1)
      local asked = status().canaryWeight or 0
      local _, primary = behind()
      most, fewest = math.max(most, share() - math.max(asked, 100 / 11)), math.min(fewest, primary)
      if asked == 0 then early = math.max(early, share()) end
    end
    error("it never came to it: " .. tostring(status().phase))
  end

  it("sends the canary at most what was asked for, and is promoted without a lost request", function()
    release()
    local seen = {}
    local most, early = watched(function()
      if status().phase == "Progressing" then seen[status().canaryWeight] = math.floor(share() + 0.5) end
      return status().phase == "Succeeded"
    end)
    assert.same({ 0, 9, 17, 29 }, { seen[0], seen[10], seen[20], seen[30] })
    assert.is_true(most <= 1e-9, most)
    assert.equal(0, early)
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
    assert.same({ 0, 10 }, { begin.replicas(run, "app"), begin.replicas(run, "app-primary") })
    assert.same({ 0, 10 }, { behind() })
    assert.equal(0, run.world.traffic.lost)
  end)

  it("of a revision with errors is rolled back at once, on to all of the primary's pods", function()
    release("podinfo:2-err10")
    local _, _, fewest = watched(in_phase("Failed"))
    assert.equal(10, fewest)
    assert.equal(0, share())
    assert.equal("podinfo:1", begin.image(run, "app-primary"))
    run:wait(function() return begin.replicas(run, "app") == 0 end, 60)
    assert.equal(0, run.world.traffic.lost)
  end)

  it("counts the canary's pods before it lets them have requests", function()
    release()
    assert.equal(10, begin.replicas(run, "app"))
    local first
    run.world.api.store:subscribe(function(event)
      local selector = event.entry.kind == "Service" and event.object.metadata.name == "app" and
        event.object.spec.selector
      if selector and selector.part and not first then
        first = run.world:get("Deployment", "demo", "app").status.replicas
      end
    end)
    run:wait(function() return first ~= nil end, 60)
    assert.equal(1, first)
    run:pass(1)
    assert.equal(1, begin.told(run, "Canary weight 10 of app.demo is 9 by its ready pods"))
  end)

  it("takes what somebody scaled back to what was asked for", function()
    release()
    run:wait(function() return status().canaryWeight == 10 and share() > 0 end)
    run.world:apply(manifests.deployment("app", { replicas = 10, labels = POD.labels, image = "podinfo:2" }))
    run:pass(1)
    assert.equal(1, begin.replicas(run, "app"))
    assert.is_true(share() > 9 and share() < 10)
  end)

  it("follows the primary's pods", function()
    release(nil, { analysis = ANALYSIS ..
      ", webhooks: [{name: gate, type: confirm-traffic-increase, url: 'http://h/'}]" })
    run.world.hooks["http://h/"] = function() return status().canaryWeight == 20 and 500 or 200, "" end
    run:wait(function() return status().canaryWeight == 20 and share() > 15 end)
    run.world:patch("Deployment", "demo", "app-primary", { spec = { replicas = 20 } })
    run:pass(5)
    assert.same({ 5, 20 }, { behind() })
  end)

  it("takes traffic off a canary that lost its pods", function()
    release()
    run:wait(function() return status().canaryWeight == 20 and share() > 15 end)
    for _, pod in ipairs((run.world.traffic:endpoints("demo", "app-canary"))) do
      run.world:fail_pods("demo", pod.metadata.name)
    end
    run:wait(function() return status().canaryWeight == 0 end, 60)
    assert.equal(0, share())
    assert.equal(0, run.world.traffic.lost)
  end)

  it("lets nobody lose a request when the target is deleted", function()
    release()
    run:wait(function() return status().canaryWeight == 20 and share() > 15 end)
    run.world:delete("Deployment", "demo", "app")
    run:pass(1)
    assert.same({ "Progressing", 0, "TargetMissing" }, { status().phase, status().canaryWeight,
      run:condition("demo", "app", "Stalled").reason })
    assert.same({ app = "app-primary" }, run.world:get("Service", "demo", "app").spec.selector)
    assert.equal(0, run.world.traffic.lost)
  end)

  it("repairs a selector that somebody changed, at the weight where it was", function()
    release()
    run:wait(function() return status().canaryWeight == 20 and share() > 15 end)
    run.world:patch("Service", "demo", "app", { spec = { selector = { tier = "x", part = json.null } } })
    run:pass(1)
    assert.same({ part = "shop" }, run.world:get("Service", "demo", "app").spec.selector)
    assert.equal(20, status().canaryWeight)
    run:wait_for_phase("demo", "app", "Succeeded")
  end)

  it("gives nothing to a canary whose primary has not the labels yet, until one release went by without traffic",
    function()
      run = begin.initialised({ provider = "traefik", deployment = { replicas = 4 }, analysis = ANALYSIS })
      run.world:delete("TraefikService", "demo", "app")
      run.world:apply(manifests.canary("app", { provider = "replicas", analysis = ANALYSIS, service = SERVICE }) ..
        manifests.deployment("app", { replicas = 4, labels = POD.labels, image = "podinfo:2" }))
      run:wait(function() return run:condition("demo", "app", "Stalled") ~= nil end, 120)
      assert.truthy(run:condition("demo", "app", "Stalled").message:find(
        "Deployment app-primary.demo: spec.template.metadata.labels is without part=shop", 1, true))
      assert.equal(0, share())
      run.world:patch("Canary", "demo", "app", { spec = { skipAnalysis = true } })
      run:wait_for_phase("demo", "app", "Succeeded")
      run.world:patch("Canary", "demo", "app", { spec = { skipAnalysis = false } })
      run.world:set_image("demo", "app", "podinfo:3")
      run:wait(function() return share() == 20 end)
      run:wait_for_phase("demo", "app", "Succeeded")
      assert.equal(0, run.world.traffic.lost)
    end)

  it("leaves the primary its pods when it is promoted with fewer of the canary's", function()
    release()
    run:wait(in_phase("Promoting"))
    assert.is_true(begin.replicas(run, "app") < 10)
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal(10, begin.replicas(run, "app-primary"))
  end)

  it("is judged by what the pods export, both arms beside each other where a policy asks for it", function()
    local both = ANALYSIS:gsub("}%]$", "}, {name: request-duration, thresholdRange: {max: 500}, interval: 30s}]") ..
      ", policy: {name: sequential}"
    release(nil, { analysis = both })
    run:wait_for_phase("demo", "app", "Succeeded", 1200)
    for _, query in ipairs(run:queries()) do
      assert.truthy(query:find("http_request_duration_seconds_", 1, true) or query == "vector(1)", query)
    end
    run.world:set_image("demo", "app", "podinfo:3-err4")
    run:wait_for_phase("demo", "app", "Failed", 1200)
  end)

  it("shows what is reached in its gauge", function()
    started()
    local registry = exported.new()
    run.driver.host.metrics = gauges.new(registry)
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait(function() return status().canaryWeight == 30 and share() > 28 end)
    run:pass(2)
    assert.equal("29", registry:render():match('flagger_canary_weight{namespace="demo",workload="app"} (%d+)'))
  end)

  it("for blue/green switches over to as many pods as the primary has, and back", function()
    release(nil, { analysis = "interval: 10s, threshold: 2, iterations: 2" })
    local switched
    watched(function()
      local canary, primary = behind()
      if primary == 0 then switched = canary end
      return status().phase == "Succeeded"
    end)
    assert.equal(10, switched)
    assert.same({ 0, 10 }, { behind() })
    assert.equal(0, run.world.traffic.lost)
  end)

  it("ends its promotion in steps where it is told to", function()
    release(nil, { analysis = ANALYSIS .. ", stepWeightPromotion: 10" })
    run:wait(in_phase("Promoting"))
    local seen = {}
    watched(function()
      if status().phase == "Promoting" then seen[status().canaryWeight] = true end
      return status().phase == "Succeeded"
    end)
    assert.same({ true, true, true }, { seen[30], seen[20], seen[10] })
    assert.equal(0, run.world.traffic.lost)
  end)

  it("gives the target all of its pods before its user's Service, when its Canary is deleted meanwhile", function()
    release(nil, { spec = "  revertOnDeletion: true", objects = USERS_SERVICE })
    local before = { app = "app", tier = "web" }
    run:wait(function() return status().canaryWeight == 20 and share() > 15 end)
    local pods
    run.world.api.store:subscribe(function(event)
      if event.entry.kind ~= "Service" or event.object.metadata.name ~= "app" then return end
      if event.object.spec.selector.app == "app" then pods = pods or (behind()) end
    end)
    run.world:delete("Canary", "demo", "app")
    run:wait(function() return run.world:get("Canary", "demo", "app") == nil end)
    local service = run.world:get("Service", "demo", "app")
    assert.same(before, service.spec.selector)
    assert.is_nil((service.metadata.annotations or {})["serin.dev/canary-weight"])
    assert.same({ 10, 10 }, { pods, begin.replicas(run, "app") })
    assert.equal(0, run.world.traffic.lost)
  end)

  describe("is refused in words", function()
    local function told(text, change)
      run = begin.applied({ provider = "replicas", analysis = change.analysis or ANALYSIS, spec = change.spec,
        service = change.service or SERVICE, objects = change.objects })
      run:wait(function() return run:condition("demo", "app", "Stalled") ~= nil end, 60)
      assert.truthy(run:condition("demo", "app", "Stalled").message:find(text, 1, true),
        run:condition("demo", "app", "Stalled").message)
    end

    it("without labels of both arms", function()
      told("spec.service.selector: expected labels that the pods of both arms have and no others, found none",
        { service = "port: 80" })
    end)

    it("with labels that the pods have not", function()
      told("Deployment app.demo: spec.template.metadata.labels is without part=shop beside app", {})
    end)

    it("with the label that tells the arms apart", function()
      told("spec.template.metadata.labels is without app=app beside app",
        { service = "port: 80, selector: {app: app}" })
    end)

    it("beside a scaler", function()
      told("spec.autoscalerRef: expected none with provider replicas, since both would count the canary's pods, " ..
        "found HorizontalPodAutoscaler app", { spec = "  autoscalerRef: {apiVersion: autoscaling/v2, " ..
        "kind: HorizontalPodAutoscaler, name: app}" })
    end)

    it("for A/B tests", function()
      told("spec.analysis.match: expected a provider that routes by headers, found replicas",
        { analysis = "interval: 10s, threshold: 2, iterations: 2, match: [{headers: {x: {exact: y}}}]" })
    end)
  end)
end)
