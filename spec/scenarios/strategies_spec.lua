--- How traffic moves in each strategy (state-machine §3.2, §6.5 to §6.9, §17).

local begin = require("spec.support.begin")

local function steps(run)
  run:wait_for_phase("demo", "app", "Succeeded", 1200)
  run:pass(15)
  local out = {}
  for _, step in ipairs(run:steps("demo", "app")) do
    if not step:find("^Initiali") then out[#out + 1] = step end
  end
  return out
end

local function weights(analysis, spec)
  local out, last = {}, nil
  local run = begin.progressing({ analysis = "interval: 10s, threshold: 3, " .. analysis, spec = spec })
  for _, step in ipairs(steps(run)) do
    local weight = step:match("^Progressing (%d+)")
    if weight and weight ~= last then out[#out + 1], last = math.tointeger(weight), weight end
  end
  return out
end

describe("the canary strategy", function()
  it("goes up by stepWeight and may overshoot maxWeight by the last step", function()
    assert.same({ 0, 20, 40, 60 }, weights("stepWeight: 20, maxWeight: 50"))
    assert.same({ 0, 50, 100 }, weights("stepWeight: 50, maxWeight: 100"))
  end)

  it("goes through stepWeights; the last of them is the maximum, 100 at most", function()
    assert.same({ 0, 1, 2, 10, 80 }, weights("stepWeights: [1, 2, 10, 80]"))
    assert.same({ 0, 1, 2, 10, 100 }, weights("stepWeights: [1, 2, 10, 200]"))
  end)

  it("goes to 100 when no maximum is given", function()
    assert.same({ 0, 40, 80, 100 }, weights("stepWeight: 40"))
  end)

  it("ticks every 10 s at least, and every minute without an interval that can be read", function()
    local run = begin.progressing({ analysis = "interval: 1s, threshold: 1, stepWeight: 50" })
    run:wait(function() return run:status("demo", "app").canaryWeight == 50 end)
    local at = run.world.now
    run:wait(function() return run:status("demo", "app").canaryWeight == 100 end)
    assert.is_true(run.world.now - at >= 9.9)
  end)

  it("goes on from the nearest step above when stepWeights are edited meanwhile (gaps 3.14)", function()
    local run = begin.progressing({ analysis = "interval: 10s, threshold: 3, stepWeights: [10, 30, 60]" })
    run:wait(function() return run:status("demo", "app").canaryWeight == 30 end)
    run.world:patch("Canary", "demo", "app", { spec = { analysis = { stepWeights = { 20, 40, 50 } } } })
    run:wait(function() return run:status("demo", "app").canaryWeight > 30 end)
    assert.equal(40, run:status("demo", "app").canaryWeight)
  end)

  it("mirrors one step before the first weight", function()
    local run = begin.progressing({ provider = "istio",
      analysis = "interval: 10s, threshold: 3, stepWeight: 50, maxWeight: 50, mirror: true" })
    local mirrored = false
    run:wait(function()
      local route = run.world:get("VirtualService", "demo", "app").spec.http[1]
      if route.mirror then
        mirrored = true
        assert.equal(0, run:status("demo", "app").canaryWeight)
        assert.equal("app-canary", route.mirror.host)
      end
      return run:status("demo", "app").canaryWeight == 50
    end)
    assert.is_true(mirrored)
    assert.is_nil(run.world:get("VirtualService", "demo", "app").spec.http[1].mirror)
  end)
end)

describe("blue/green", function()
  it("runs its iterations without traffic, then routes all of it to the canary, then promotes", function()
    local run = begin.progressing({ analysis = "interval: 10s, threshold: 3, iterations: 3" })
    local shares, last = {}, nil
    run:wait(function()
      local services = run.world:get("TraefikService", "demo", "app").spec.weighted.services
      local share = 0
      for _, item in ipairs(services) do if item.name == "app-canary" then share = item.weight end end
      if share ~= last then shares[#shares + 1], last = share, share end
      return run:status("demo", "app").phase == "Succeeded"
    end)
    assert.same({ 0, 100, 0 }, shares)
    assert.same({ "Progressing 0 0", "Progressing 0 1", "Progressing 0 2", "Progressing 0 3", "Progressing 0 4",
      "Promoting 0 4", "Finalising 0 0", "Succeeded 0 0" }, steps(run))
    for i = 1, 3 do assert.equal(1, begin.told(run, ("Advance app.demo canary iteration %d/3"):format(i))) end
    assert.equal(1, begin.told(run, "Routing all traffic to canary"))
  end)

  it("mirrors during its iterations", function()
    local run = begin.progressing({ provider = "istio",
      analysis = "interval: 10s, threshold: 3, iterations: 2, mirror: true" })
    run:wait(function() return run:status("demo", "app").iterations == 1 end)
    assert.equal("app-canary", run.world:get("VirtualService", "demo", "app").spec.http[1].mirror.host)
    steps(run)
    assert.equal(1, begin.told(run, "Stop traffic mirroring and route all traffic to canary"))
    assert.is_nil(run.world:get("VirtualService", "demo", "app").spec.http[1].mirror)
  end)

  it("by Services alone says what it cannot do, once, and takes ten iterations where none are given", function()
    local run = begin.progressing({ provider = "kubernetes", analysis = "interval: 10s, threshold: 3, stepWeight: 10" })
    assert.equal("Progressing 0 10", steps(run)[11])
    assert.equal(1, begin.told(run, "Progressive traffic is not supported when using the kubernetes provider"))
    assert.equal(1, begin.told(run, "Setting canaryAnalysis.iterations: 10"))
  end)
end)

describe("A/B testing", function()
  local AB = "interval: 10s, threshold: 3, iterations: 2, match: [{headers: {x-canary: {exact: insider}}}]"

  it("sends who matches to the canary for its iterations, nobody else, and promotes", function()
    local run = begin.progressing({ provider = "istio", analysis = AB })
    run:wait(function() return run:status("demo", "app").iterations == 1 end)
    local share = {}
    for _, who in ipairs({ "insider", "outsider" }) do
      local request = { path = "/", method = "GET", headers = { ["x-canary"] = who } }
      for _, part in ipairs((run.world.traffic:shares("demo", "app", request))) do
        if part.service == "app-canary" then share[who] = part.share end
      end
    end
    assert.same({ insider = 1.0 }, share)
    assert.same({ "Progressing 0 0", "Progressing 0 1", "Progressing 0 2", "Promoting 0 2", "Finalising 0 0",
      "Succeeded 0 0" }, steps(run))
  end)

  it("ends although the iterations are edited below what was done", function()
    local run = begin.progressing({ provider = "istio", analysis = AB:gsub("iterations: 2", "iterations: 5") })
    run:wait(function() return run:status("demo", "app").iterations == 4 end)
    run.world:patch("Canary", "demo", "app", { spec = { analysis = { iterations = 2 } } })
    run:wait_for_phase("demo", "app", "Succeeded")
  end)

  it("is refused in words by a provider that cannot match", function()
    local run = begin.applied({ provider = "traefik", analysis = AB })
    run:pass(30)
    assert.equal("spec.analysis.match: expected a provider that routes by headers, found traefik",
      run:condition("demo", "app", "Stalled").message)
  end)
end)

describe("the way back to the primary", function()
  it("is one step, or steps of stepWeightPromotion", function()
    local run = begin.progressing({ analysis = "interval: 10s, threshold: 3, stepWeight: 50, maxWeight: 50" })
    steps(run)
    assert.equal(1, begin.told(run, "Routing all traffic to primary"))
    run = begin.progressing({
      analysis = "interval: 10s, threshold: 3, stepWeight: 50, maxWeight: 50, stepWeightPromotion: 20" })
    steps(run)
    for _, weight in ipairs({ 70, 90, 100 }) do
      assert.equal(1, begin.told(run, ("Advance app.demo primary weight %d"):format(weight)))
    end
  end)

  it("ends when the route already stands at the primary (gaps 3.5)", function()
    local run = begin.progressing({
      analysis = "interval: 10s, threshold: 3, stepWeight: 50, maxWeight: 50, stepWeightPromotion: 20" })
    run:wait_for_phase("demo", "app", "Promoting")
    local services = { { name = "app-primary", namespace = "demo", port = 80, weight = 100 } }
    run.world:patch("TraefikService", "demo", "app", { spec = { weighted = { services = services } } })
    run:wait_for_phase("demo", "app", "Succeeded")
  end)
end)

describe("skipAnalysis", function()
  it("promotes a revision as it is, without a request to it", function()
    local run = begin.progressing({ spec = "  skipAnalysis: true" })
    local list = steps(run)
    assert.same({ "Progressing 0 0", "Promoting 0 0", "Finalising 0 0", "Succeeded 0 0" }, list)
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
    assert.equal(1, begin.told(run, "Promotion completed! Canary analysis was skipped for app.demo"))
  end)

  it("switched on during a run takes traffic off the canary and promotes", function()
    local run = begin.progressing()
    run:wait(function() return run:status("demo", "app").canaryWeight == 25 end)
    run.world:patch("Canary", "demo", "app", { spec = { skipAnalysis = true } })
    run:wait_for_phase("demo", "app", "Succeeded")
    assert.equal(0, begin.told(run, "Advance app.demo canary weight 50"))
    assert.equal("podinfo:2", begin.image(run, "app-primary"))
  end)
end)
