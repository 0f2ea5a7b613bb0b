--- The recorded runs again, on a real API server: the same steps, objects, events and queries.

local json = require("json")
local recorded = require("spec.support.recorded")
local support = require("spec.cluster.support")

local NAMES = { "istio", "istio-full", "istio-ab", "k8s-bg", "gwapi", "traefik", "nginx", "contour" }
local METRICS_PORT, HOOKS_PORT = 19191, 19190 -- the latter is written in the recorded inputs
local STATUS = "{.status.phase} {.status.canaryWeight} {.status.iterations}"

--- The interpreter that runs this spec.
local function interpreter()
  return (support.read("/proc/self/cmdline"):match("^[^%z]+"))
end

--- "Service" or "VirtualService.v1beta1.networking.istio.io", as kubectl wants it.
local function resource(kind, api_version)
  local group, version = api_version:match("^(.+)/(.+)$")
  return group and ("%s.%s.%s"):format(kind, version, group) or kind
end

local function demo(value, namespace)
  if type(value) == "string" then return (value:gsub(namespace:gsub("%-", "%%-"), "demo")) end
  if type(value) ~= "table" then return value end
  local out = {}
  for key, item in pairs(value) do out[key] = demo(item, namespace) end
  return out
end

describe("the recorded run", function()
  local engine, answers, runs, queries = nil, nil, {}, {}

  local function phase(run)
    local canary = support.get("canary", run.namespace, "app")
    return canary and canary.status and canary.status.phase
  end

  local function wait_for(wanted)
    for _, name in ipairs(NAMES) do
      local run = runs[name]
      support.wait_until(("%s is %s"):format(name, wanted), 300, function() return phase(run) == wanted end,
        function() return support.run("kubectl", "-n", run.namespace, "describe", "canary", "app") end)
    end
  end

  local function steps(run)
    local out = {}
    for _, line in ipairs(run.watch.lines()) do
      if line:find("^%a+ %d+ %d+$") and line ~= out[#out] then out[#out + 1] = line end
    end
    return out
  end

  setup(function()
    support.install()
    answers = support.start("answers.log", ("exec %s spec/cluster/answers.lua %d %d %s"):format(interpreter(),
      METRICS_PORT, HOOKS_PORT, support.path("queries.txt") .. " " .. support.path("hooks.txt")))
    engine = support.engine("-metrics-server", ("http://127.0.0.1:%d"):format(METRICS_PORT))
    local suffix = ("%x"):format(os.time())
    for _, name in ipairs(NAMES) do
      local run = { golden = recorded.load(name), namespace = ("t-%s-%s"):format(name, suffix) }
      runs[name] = run
      support.kubectl("create", "namespace", run.namespace)
      run.watch = support.record("canaries", run.namespace, nil, STATUS)
    end
    support.sleep(1)
    for _, name in ipairs(NAMES) do
      support.apply((runs[name].golden.input:gsub("namespace: demo", "namespace: " .. runs[name].namespace)))
    end
    wait_for("Initialized")
    for _, name in ipairs(NAMES) do
      support.kubectl("-n", runs[name].namespace, "set", "image", "deployment/app", "app=podinfo:2")
    end
    wait_for("Succeeded")
    support.sleep(3)
    for line in io.lines(support.path("queries.txt")) do queries[#queries + 1] = line end
  end)

  teardown(function()
    if engine then engine.stop() end
    if answers then answers.stop() end
    for _, run in pairs(runs) do
      run.watch.stop()
      support.run("kubectl", "delete", "namespace", run.namespace, "--wait=false")
    end
  end)

  for _, name in ipairs(NAMES) do
    it(name .. " goes through the same phases, weights and iterations", function()
      assert.same(runs[name].golden.steps, steps(runs[name]))
    end)

    it(name .. " leaves the same objects, field by field", function()
      local run, differences = runs[name], {}
      for id, expected in pairs(run.golden.finals) do
        local kind, object_name = id:match("^(%w+)/(.+)$")
        local object = support.get(resource(kind, run.golden.apis[id]), run.namespace, object_name)
        local found = object and recorded.comparable(kind, demo(object, run.namespace))
        for _, line in ipairs(found and recorded.compare(expected, found) or { " is missing" }) do
          differences[#differences + 1] = id .. line
        end
      end
      table.sort(differences)
      assert.same({}, differences)
    end)

    it(name .. " tells the same events", function()
      local messages = {}
      for line in support.kubectl("-n", runs[name].namespace, "get", "events", "--field-selector",
        "involvedObject.kind=Canary", "-o", 'jsonpath={range .items[*]}{.message}{"\\n"}{end}'):gmatch("[^\n]+") do
        messages[#messages + 1] = demo(line, runs[name].namespace)
      end
      assert.same(runs[name].golden.events, recorded.event_texts(messages))
    end)

    if recorded.load(name).calls then
      it(name .. " calls the same webhooks in the same order, with the same bodies and headers", function()
        local calls, namespace = {}, runs[name].namespace
        for line in io.lines(support.path("hooks.txt")) do
          local call = assert(json.decode(line))
          local ours = call.body:find('"namespace":"' .. namespace .. '"', 1, true)
          if ours then calls[#calls + 1] = demo(call, namespace) end
        end
        assert.same(runs[name].golden.calls, recorded.call_texts(calls))
      end)
    end

    it(name .. " asks the same queries", function()
      local own, namespace = {}, runs[name].namespace
      for _, query in ipairs(queries) do
        if query:find(namespace, 1, true) then own[#own + 1] = demo(query, namespace) end
      end
      assert.same(runs[name].golden.queries, recorded.query_texts(own))
    end)
  end
end)
