--- The steps of a tick and the edges of a run (state-machine §3, §4, §5, §6.1 to §6.3, §7 to §9).

local begin = require("spec.support.begin")
local manifests = require("spec.support.manifests")

local METRIC = "metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 30s}]"
local WEIGHTED = "interval: 10s, threshold: 3, maxWeight: 50, stepWeight: 25, " .. METRIC

local function condition(run)
  local found = run:condition("demo", "app", "Promoted")
  return ("%s %s: %s"):format(found.status, found.reason, found.message)
end

local function annotate_template(run, annotations)
  return run.world:patch("Deployment", "demo", "app", { spec = { template = { metadata = {
    annotations = annotations } } } })
end

describe("initialisation", function()
  it("makes the primary, waits for it, and only then lets the target go", function()
    local run = begin.applied()
    run:wait(function() return run.world:get("Deployment", "demo", "app-primary") ~= nil end)
    assert.equal("Unknown Initializing: New Deployment detected, starting initialization.", condition(run))
    assert.equal(2, begin.replicas(run, "app"))
    run:wait_for_phase("demo", "app", "Initialized")
    assert.equal(0, begin.replicas(run, "app"))
    assert.equal(2, begin.replicas(run, "app-primary"))
    assert.equal("True Initialized: Deployment initialization completed.", condition(run))
    assert.equal(1, begin.told(run, "Initialization done! app.demo"))
  end)

  it("says whether the metrics providers answer, and goes on if they do not", function()
    local run = begin.applied({ analysis = WEIGHTED })
    run.world.http_fault = function() return "UNREACHABLE" end
    run:wait_for_phase("demo", "app", "Initialized")
    local texts = table.concat(run:messages("demo"), "\n")
    assert.truthy(texts:find("Error checking metric providers: ", 1, true), texts)
    assert.equal(1, begin.told(begin.initialised({ analysis = WEIGHTED }), "all the metrics providers are available!"))
  end)

  it("makes the route with all traffic on the primary", function()
    local run = begin.initialised()
    local services = run.world:get("TraefikService", "demo", "app").spec.weighted.services
    assert.same({ 1, "app-primary", 100 }, { #services, services[1].name, services[1].weight })
  end)

  it("repairs what is deleted later", function()
    local run = begin.initialised()
    run.driver.options.check = false
    for _, what in ipairs({ { "Service", "app-canary" }, { "TraefikService", "app" } }) do
      run.world:delete(what[1], "demo", what[2])
      run:wait(function() return run.world:get(what[1], "demo", what[2]) ~= nil end, 60, what[2])
    end
  end)
end)

describe("suspend", function()
  it("stops everything, says so once, and goes on where it was", function()
    local run = begin.progressing()
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.world:patch("Canary", "demo", "app", { spec = { suspend = true } })
    run:pass(65)
    assert.equal(25, run:status("demo", "app").canaryWeight)
    assert.equal(1, begin.told(run, "skipping canary run as object is suspended"))
    run.world:patch("Canary", "demo", "app", { spec = { suspend = false } })
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal(1, begin.told(run, "Starting canary analysis for app.demo"))
  end)
end)

describe("a run", function()
  it("starts with a scaled up target and counters at zero, and its analysis begins when its pods are ready", function()
    local run = begin.initialised({ analysis = WEIGHTED })
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Progressing", 15)
    assert.equal("Unknown Progressing: New revision detected, progressing canary analysis.", condition(run))
    assert.equal(2, begin.replicas(run, "app"))
    local status = run:status("demo", "app")
    assert.same({ 0, 0, 0 }, { status.canaryWeight, status.failedChecks, status.iterations })
    assert.is_not.equal(status.lastPromotedSpec, status.lastAppliedSpec)
    assert.equal(1, begin.told(run, "New revision detected! Scaling up app.demo"))
  end)

  it("reports conditions through promotion", function()
    local run, seen = begin.initialised({ analysis = WEIGHTED }), {}
    run.world.api.store:subscribe(function(event)
      if event.entry.kind ~= "Canary" then return end
      for _, item in ipairs(event.object.status.conditions) do
        if item.type == "Promoted" then seen[item.reason] = item.status .. " " .. item.message end
      end
    end)
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.same({
      Progressing = "Unknown New revision detected, progressing canary analysis.",
      Promoting = "Unknown Canary analysis completed, starting primary rolling update.",
      Finalising = "Unknown Canary analysis completed, routing all traffic to primary.",
      Succeeded = "True Canary analysis completed successfully, promotion finished.",
    }, seen)
    assert.equal(1, begin.told(run, "Copying app.demo template spec to app-primary.demo"))
    assert.equal(1, begin.told(run, "Promotion completed! Scaling down app.demo"))
  end)

  it("counts failed checks over the whole run, and rolls back when they reach the threshold", function()
    local run = begin.progressing({ analysis = WEIGHTED })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.world.prometheus.answer = function() return 50 end
    run:wait(function() return run:status("demo", "app").failedChecks == 2 end)
    run.world.prometheus.answer = function() return 100 end
    run:wait(function() return run:status("demo", "app").canaryWeight == 50 end)
    assert.equal(2, run:status("demo", "app").failedChecks)
    run.world.prometheus.answer = function() return 50 end
    run:wait_for_phase("demo", "app", "Failed")
    assert.equal("False Failed: Canary analysis failed, Deployment scaled to zero.", condition(run))
    run:pass(15)
    local status = run:status("demo", "app")
    assert.same({ 0, 0, 0 }, { status.canaryWeight, status.failedChecks, status.iterations })
    assert.equal(0, begin.replicas(run, "app"))
    assert.equal(1, begin.told(run, "Canary failed! Scaling down app.demo"))
  end)

  it("takes a threshold of zero for one", function()
    local run = begin.initialised({ analysis = WEIGHTED:gsub("threshold: 3", "threshold: 0") })
    run.world:set_image("demo", "app", "podinfo:2-err50")
    run:wait_for_phase("demo", "app", "Failed")
    assert.equal(1, begin.told(run, "Rolling back app.demo failed checks threshold reached 1"))
  end)

  it("restarts with the newest revision, its traffic taken back", function()
    local run = begin.progressing({ analysis = WEIGHTED })
    run:wait(function() return run:status("demo", "app").canaryWeight == 50 end)
    local before = run:status("demo", "app").runId
    run.world:set_image("demo", "app", "podinfo:3")
    run:wait(function() return run:status("demo", "app").canaryWeight == 0 end, 5)
    assert.equal(1, begin.told(run, "New revision detected! Restarting analysis for app.demo"))
    assert.is_not.equal(before, run:status("demo", "app").runId)
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal("podinfo:3", begin.image(run, "app-primary"))
  end)

  it("restarts with a changed configuration", function()
    local run = begin.initialised({ analysis = WEIGHTED,
      objects = "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: conf, namespace: demo}, data: {a: b}}\n" })
    annotate_template(run, { a = "b" })
    run.world:patch("Deployment", "demo", "app", { spec = { template = { spec = { volumes = {
      { name = "v", configMap = { name = "conf" } } } } } } })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.world:patch("ConfigMap", "demo", "conf", { data = { a = "c" } })
    run:wait(function() return run:status("demo", "app").canaryWeight == 0 end, 5)
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal("c", run.world:get("ConfigMap", "demo", "conf-primary").data.a)
  end)

  it("whose canary exceeds its deadline is rolled back without a failed check", function()
    local run = begin.initialised({ analysis = WEIGHTED, deployment = {} })
    run.world:patch("Deployment", "demo", "app", { spec = { progressDeadlineSeconds = 30 } })
    run:pass(1)
    annotate_template(run, { ["sim/ready"] = "false" })
    run:wait_for_phase("demo", "app", "Progressing")
    run:wait_for_phase("demo", "app", "Failed")
    local texts = table.concat(run:messages("demo"), "\n")
    assert.truthy(texts:find('canary deployment app.demo not ready: deployment "app" exceeded its progress deadline',
      1, true), texts)
    assert.is_nil(texts:find("failed checks threshold", 1, true))
  end)

  it("waits for its canary's pods without counting", function()
    local run = begin.initialised({ analysis = WEIGHTED, spec = "" })
    run.world:patch("Canary", "demo", "app", { spec = { progressDeadlineSeconds = 600 } })
    run.world:patch("Deployment", "demo", "app", { spec = { progressDeadlineSeconds = 600 } })
    run.world:break_pods("demo", "app-*")
    run.world:set_image("demo", "app", "podinfo:2")
    run:wait_for_phase("demo", "app", "Progressing")
    run:pass(120)
    local status = run:status("demo", "app")
    assert.same({ "Progressing", 0, 0 }, { status.phase, status.canaryWeight, status.failedChecks })
  end)
end)

describe("a canary whose pods all fail", function()
  local function failing(provider, analysis)
    local run = begin.progressing({ provider = provider, analysis = analysis or WEIGHTED, check = false })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    for _, pod in ipairs(run.world.api:all("v1", "Pod", "demo")) do
      if not pod.metadata.name:find("primary") then run.world:fail_pods("demo", pod.metadata.name) end
    end
    return run
  end

  it("loses its traffic at once, and may start again from the first step", function()
    local run = failing()
    run:pass(1)
    local status = run:status("demo", "app")
    assert.same({ "Progressing", 0, 1 }, { status.phase, status.canaryWeight, status.failedChecks })
    assert.equal(1, #run.world:get("TraefikService", "demo", "app").spec.weighted.services)
    assert.equal(1, begin.told(run, "The canary has no ready pods! Routing all traffic to app-primary.demo"))
  end)

  it("is rolled back when that reaches the threshold", function()
    local run = failing("traefik", (WEIGHTED:gsub("threshold: 3", "threshold: 1")))
    run:wait_for_phase("demo", "app", "Failed", 5)
  end)
end)

describe("a canary whose target is deleted", function()
  local function deleted(provider)
    local run = begin.progressing({ provider = provider, analysis = WEIGHTED, check = false })
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    local target = run.world:get("Deployment", "demo", "app")
    run.world:delete("Deployment", "demo", "app")
    run:pass(1)
    return run, target
  end

  for _, provider in ipairs({ "traefik", "istio", "contour" }) do
    it(("leaves no traffic where no pods are: %s"):format(provider), function()
      local run = deleted(provider)
      local status = run:status("demo", "app")
      assert.same({ "Progressing", 0 }, { status.phase, status.canaryWeight })
      assert.equal(1, begin.told(run, "The target is gone! Routing all traffic to app-primary.demo"))
      assert.equal("TargetMissing", run:condition("demo", "app", "Stalled").reason)
      local lost = run.world.traffic.lost
      run:pass(120)
      assert.equal(lost, run.world.traffic.lost)
      assert.equal(1, begin.told(run, "The target is gone! Routing all traffic to app-primary.demo"))
    end)
  end

  it("is released from the first step when the target is back", function()
    local run, target = deleted("traefik")
    target.metadata.resourceVersion, target.metadata.uid, target.status = nil, nil, nil
    run.world:apply(require("json").encode(target))
    run:wait_for_phase("demo", "app", "Succeeded", 600)
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
  end)
end)

describe("an idle canary", function()
  it("is woken by nothing but a revision no run has seen", function()
    local run = begin.initialised({ analysis = WEIGHTED })
    run.world:patch("Deployment", "demo", "app", { metadata = { labels = { other = "x" } } })
    run.world:patch("Deployment", "demo", "app", { spec = { revisionHistoryLimit = 3 } })
    run:pass(60)
    assert.equal("Initialized", run:status("demo", "app").phase)
  end)

  it("that failed tries again when its template is touched", function()
    local run = begin.initialised({ analysis = WEIGHTED })
    run.world:set_image("demo", "app", "podinfo:2-err50")
    run:wait_for_phase("demo", "app", "Failed")
    run:pass(20)
    annotate_template(run, { ["serin.dev/again"] = "1" })
    run:wait_for_phase("demo", "app", "Progressing")
  end)

  it("that failed keeps a change it could not act on yet (gaps 3.11)", function()
    local run = begin.initialised({ analysis = WEIGHTED, hooks = { "confirm-rollout" } })
    run.world:set_image("demo", "app", "podinfo:2-err50")
    run:wait_for_phase("demo", "app", "Failed")
    run:pass(20)
    run.world.api.fault = function(call)
      return call.write and call.ref.kind == "Deployment" and { before = "UNREACHABLE" } or nil
    end
    run.world:set_image("demo", "app", "podinfo:3")
    run:pass(60)
    run.world.api.fault = nil
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal("podinfo:3", begin.image(run, "app-primary"))
  end)

  it("that failed writes nothing while nothing happens", function()
    local run = begin.initialised({ analysis = WEIGHTED })
    run.world:set_image("demo", "app", "podinfo:2-err50")
    run:wait_for_phase("demo", "app", "Failed")
    run:pass(60)
    local calls = #run.world.api.calls
    run:pass(300)
    assert.equal(calls, #run.world.api.calls)
  end)
end)

describe("a promotion", function()
  it("waits for the primary's rollout before traffic goes back", function()
    local run = begin.progressing({ analysis = WEIGHTED })
    run:wait_for_phase("demo", "app", "Promoting")
    local old_pods = 0
    run:wait(function()
      if run:status("demo", "app").phase ~= "Promoting" then return true end
      old_pods = math.max(old_pods, run.world:get("Deployment", "demo", "app-primary").status.updatedReplicas or 0)
      assert.equal(50, run:status("demo", "app").canaryWeight)
    end)
    assert.equal(2, old_pods)
  end)

  it("copies exactly the revision that was analysed (gaps 3.10)", function()
    local run = begin.progressing({ analysis = WEIGHTED })
    run:wait(function() return run:status("demo", "app").canaryWeight == 50 end)
    -- somebody pushes while the last check is under way
    run.world.prometheus.answer = function()
      if begin.image(run, "app") == "podinfo:2" then run.world:set_image("demo", "app", "podinfo:3-err50") end
      return 100
    end
    run:wait_for_phase("demo", "app", "Promoting")
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
    run.world.prometheus.answer = nil
    run:wait_for_phase("demo", "app", "Failed")
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
  end)

  it("leaves no traffic on a canary that has become another revision meanwhile (gaps 3.10)", function()
    local run = begin.progressing({ analysis = WEIGHTED })
    run:wait_for_phase("demo", "app", "Promoting")
    run.world:break_pods("demo", "app-primary-*") -- so that it stays in this phase
    run.world:set_image("demo", "app", "podinfo:3-err50")
    run:pass(5)
    assert.equal("Promoting", run:status("demo", "app").phase)
    assert.equal(0, run:status("demo", "app").canaryWeight)
    assert.equal(1, #run.world:get("TraefikService", "demo", "app").spec.weighted.services)
  end)

  it("that is overtaken by a newer revision is finished, and the newer one gets its own run", function()
    local run = begin.progressing({ analysis = WEIGHTED })
    run:wait_for_phase("demo", "app", "Promoting")
    run.world:set_image("demo", "app", "podinfo:3-err50")
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
    run:wait_for_phase("demo", "app", "Failed")
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
  end)
end)

describe("two canaries", function()
  it("of one namespace go their own ways", function()
    local run = begin.progressing({ analysis = WEIGHTED })
    run.world:apply(manifests.deployment("other") .. manifests.canary("other", { analysis = WEIGHTED }))
    run:wait_for_phase("demo", "other", "Initialized")
    run.world:set_image("demo", "other", "podinfo:2-err50")
    run:wait_for_phase("demo", "other", "Failed")
    run:wait_for_phase("demo", "app", "Succeeded")
  end)
end)
