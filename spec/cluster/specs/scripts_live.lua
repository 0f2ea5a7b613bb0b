--- Releases by scripts of a user's own (spec/cluster/scripts, written from the pages alone): a policy, checks and a
--- router, on the real control plane, with hostile ones (spec/cluster/hostile) beside them.

local json = require("json")
local rfc3339 = require("util.rfc3339")
local story = require("spec.cluster.story")
local support = require("spec.cluster.support")

local GOOD, BAD, SPENT = "podinfo:6.0.1", "podinfo:6.0.2-err20", "podinfo:6.0.3"
local BUDGET_PORT = 9617 -- spec/cluster/scripts/checks/budget.lua
local HEALTH = "http://127.0.0.1:18080/healthz"
local SETTLING = 1.5 -- seconds after a patch until the proxy goes by it
local WINDOW = 7     -- seconds that are looked at then: less than an interval, as after a promotion both arms are new
local POINTS = 4     -- a share of the requests between two patches may be off by so many

-- Granted by whoever lets users bring a router for it, as lua/scripts/routers.md says.
local ROLE = [[
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: serin-ingressroutes}
rules:
- {apiGroups: [traefik.io], resources: [ingressroutes], verbs: [get, list, watch, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: serin-ingressroutes}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: serin-ingressroutes}
subjects: [{kind: ServiceAccount, name: serin, namespace: serin-system}]
]]

local TENANT = [[
apiVersion: v1
kind: Namespace
metadata: {name: $(namespace)}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: checks, namespace: $(namespace)}
data:
  ready.lua: |
    local ready = { name = "ready", api = 1, params = { least = { type = "integer", default = 1 } } }
    function ready.run(ctx)
      $(body)
      local query = ('count(http_requests_total{namespace="%s"})'):format(ctx.canary.namespace)
      local value, message = prom.query(nil, query)
      if not value then return verdict.nodata{ rule = "an answer", message = message, query = query } end
      local word = value >= ctx.params.least and verdict.pass or verdict.fail
      return word{ value = value, rule = ">= " .. ctx.params.least, query = query }
    end
    return ready
]]
local PRYING = 'local secret = kube.get("v1", "Secret", "token")'

local function interpreter()
  return (support.read("/proc/self/cmdline"):match("^[^%z]+"))
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

local function tenant(namespace, body)
  support.apply((TENANT:gsub("%$%((%w+)%)", { namespace = namespace, body = body })))
end

--- When the engine wrote a story's IngressRoute, in seconds.
local function patches(one)
  local out = {}
  for _, entry in ipairs(support.audit(function(entry)
    local ref = entry.objectRef or {}
    return entry.verb == "patch" and ref.resource == "ingressroutes" and ref.namespace == one.namespace
  end)) do
    out[#out + 1] = assert(rfc3339.parse(entry.stageTimestamp))
  end
  return out
end

--- The share of a version, in percent, in what was answered after each patch from number `first` on.
local function shares(one, version, first)
  local times, out = patches(one), {}
  for index = first, #times do
    local from, all, of_version = 1000 * (times[index] + SETTLING), 0, 0
    local till = from + 1000 * WINDOW
    for _, request in ipairs(one.users.requests()) do
      if request.at >= from and request.at < till then
        all, of_version = all + 1, of_version + (request.version == version and 1 or 0)
      end
    end
    out[#out + 1] = all > 0 and 100 * of_version / all or 0
  end
  return out
end

describe("scripts of a user's own on the real control plane", function()
  local engine, budget, health, budgets
  local stories, runs = {}, {}

  --- What the budget service says of the canary that asks it.
  local function left(percent)
    write(budgets, json.encode({ [stories.ramp.namespace] = { left = percent, requests = 1000 } }))
  end

  --- Releases an image to each of them at once. Their ends: { [name] = { phase, least requests? } }.
  local function release(names, image, phase)
    local results = {}
    for _, name in ipairs(names) do stories[name]:release(image) end
    for _, name in ipairs(names) do stories[name]:wait_for(phase, 240) end
    for _, name in ipairs(names) do
      results[name] = { checks = stories[name]:status().checks, scripts = stories[name]:status().scripts }
    end
    support.sleep(2)
    for _, name in ipairs(names) do stories[name]:close() end
    for _, name in ipairs(names) do
      for key, value in pairs(stories[name]:report()) do results[name][key] = value end
    end
    return results
  end

  local function watch_health()
    return support.start("health.log",
      "while :; do curl -s -m 10 -o /dev/null -w '%{time_total} %{http_code}\\n' " .. HEALTH .. "; sleep 0.2; done")
  end

  setup(function()
    support.install()
    support.apply(ROLE)
    budgets = support.path("budgets.json")
    budget = support.start("budget.log", ("exec %s spec/cluster/budget.lua %d %s"):format(interpreter(), BUDGET_PORT,
      support.quote(budgets)))
    engine = support.engine("-scripts=spec/cluster/scripts", "-scripts=spec/cluster/hostile", "-tenant-scripts")
    health = watch_health()
    local run = ("%x"):format(os.time())
    for name, analysis in pairs({ ramp = "ramped", split = "split", hostile = "hostile",
      stuck = "stuck" }) do
      stories[name] = story.new(name, run, analysis)
    end
    tenant(("live-tenant-tenant-%s"):format(run), "")
    stories.tenant = story.new("tenant", run, "tenant")
    left(80)
    for _, one in pairs(stories) do one:wait_for("Initialized", 120) end
    for _, name in ipairs({ "hostile", "stuck" }) do stories[name]:release(GOOD) end
    local before = #patches(stories.split)
    runs.good = release({ "ramp", "split", "tenant" }, GOOD, "Succeeded")
    runs.shares = shares(stories.split, "6.0.1", before + 1)
    runs.bad = release({ "ramp", "split" }, BAD, "Failed")
    left(10)
    tenant(stories.tenant.namespace, PRYING)
    runs.spent = release({ "ramp", "tenant" }, SPENT, "Failed")
    stories.hostile:wait_for("Failed", 240)
    runs.pried = stories.hostile:status().checks
    runs.stalled = stories.stuck:status()
    stories.stuck:ask("abort")
    stories.stuck:wait_for("Failed", 60)
    for _, name in ipairs({ "hostile", "stuck" }) do
      stories[name]:close()
      runs[name] = stories[name]:report()
    end
  end)

  teardown(function()
    for _, one in pairs(stories) do one:stop() end
    for _, process in ipairs({ health or false, engine or false, budget or false }) do
      if process then process.stop() end
    end
    for _, one in pairs(stories) do
      support.run("kubectl", "delete", "namespace", one.namespace, "--wait=false")
    end
    support.run("kubectl", "delete", "clusterrole,clusterrolebinding", "serin-ingressroutes")
  end)

  for _, name in ipairs({ "ramp", "split" }) do
    it("doubles the weight as the policy says, and promotes: " .. name, function()
      assert.same({ 0, 10, 20, 40, 0 }, runs.good[name].weights)
      assert.same({ 100 }, runs.good[name].sums)
      assert.equal(GOOD, runs.good[name].image)
    end)

    it("loses no request while it promotes, and lets both revisions answer: " .. name, function()
      local seen = runs.good[name].traffic
      assert.equal(0, seen.errors)
      assert.is_true(seen.versions["6.0.0"].total > 0 and seen.versions["6.0.1"].total > 0)
    end)

    it("ends a bad revision at the second failure in a row, long before the threshold: " .. name, function()
      local bad = runs.bad[name]
      assert.same({ 0, 10, 0 }, bad.weights)
      assert.matches("arms failed 2 times in a row", bad.events)
      for version, counts in pairs(bad.traffic.versions) do
        if version ~= "6.0.2" then assert.equal(0, counts.errors, version) end
      end
    end)
  end

  it("sends the shares of the router's weights", function()
    for index, weight in ipairs({ 10, 20, 40 }) do
      local share = runs.shares[index]
      assert.is_true(math.abs(share - weight) <= POINTS, ("%.2f %% arrived, the weight is %d"):format(share, weight))
    end
  end)

  it("shows in the status which scripts a run works with", function()
    local names = {}
    for _, script in ipairs(runs.good.split.scripts) do names[#names + 1] = script.name end
    assert.same({ "checks/arms.lua", "policies/ramp.lua", "routers/ingressroute.lua" }, names)
  end)

  it("ends a release whose error budget is spent, says its service", function()
    assert.matches("budget failed 2 times in a row: 10, expected >= 25 %% of the budget left",
      runs.spent.ramp.events)
    assert.equal(0, runs.spent.ramp.traffic.errors)
  end)

  it("promotes by a tenant's check, and not by one that asks for what it was not given", function()
    assert.equal(GOOD, runs.good.tenant.image)
    local events = runs.spent.tenant.events
    assert.matches("checks/ready%.lua:3: kube is not granted", events)
  end)

  it("rolls back what hostile checks judge, at the threshold", function()
    assert.equal("Failed", runs.hostile.phases[#runs.hostile.phases])
    assert.equal(0, runs.hostile.traffic.errors)
    assert.matches("checks/spin%.lua:%d+: used 100 ms of CPU", runs.hostile.events)
    assert.matches("checks/hoard%.lua.*memory", runs.hostile.events)
    assert.matches("checks/flood%.lua: its result: value is too large", runs.hostile.events)
  end)

  it("shows nobody what was not granted", function()
    local said
    for _, check in ipairs(runs.pried) do said = check.name == "pry" and check or said end
    assert.same({ "nothing", "fail" }, { said.value, said.verdict })
  end)

  it("gives no traffic to what a policy never decides about, says so, and takes a person's word", function()
    local said
    for _, item in ipairs(runs.stalled.conditions) do said = item.type == "Stalled" and item.message or said end
    assert.matches("policies/stuck%.lua:%d+: used 100 ms of CPU", said)
    assert.same({ "Progressing", 0 }, { runs.stalled.phase, runs.stalled.canaryWeight })
    assert.equal("Failed", runs.stuck.phases[#runs.stuck.phases])
    assert.equal(0, runs.stuck.traffic.errors)
  end)

  it("answers all the while", function()
    local count, longest = 0, 0
    for seconds, code in support.read(health.path):gmatch("([%d.]+) (%d+)\n") do
      count, longest = count + 1, math.max(longest, tonumber(seconds))
      assert.equal("200", code)
    end
    print(("/healthz: %d answers, the longest after %.0f ms"):format(count, 1000 * longest))
    assert.is_true(count > 100)
  end)
end)
