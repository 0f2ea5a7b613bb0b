--- Flagger is stopped at each step, with what it leaves on a real API server, and Serin goes on.

local json = require("json")
local support = require("spec.cluster.support")
local takeover = require("spec.support.takeover")

local METRICS_PORT, HOOKS_PORT = 19191, 19190 -- the latter is written in the recorded inputs

--- Where each must end, and the steps of its status on the way.
local ENDS = {
  ["Initializing 0 0"] = { "Initialized", "Initializing 0 0; Initialized 0 0" },
  ["Initialized 0 0"] = { "Initialized", "Initialized 0 0" },
  ["Progressing 0 0"] = { "Succeeded", "Progressing 0 0; Progressing 25 0; Progressing 50 0; Promoting 50 0; " ..
    "Finalising 0 0; Succeeded 0 0" },
  ["Progressing 25 0"] = { "Succeeded", "Progressing 25 0; Progressing 50 0; Promoting 50 0; Finalising 0 0; " ..
    "Succeeded 0 0" },
  ["Progressing 50 0"] = { "Succeeded", "Progressing 50 0; Promoting 50 0; Finalising 0 0; Succeeded 0 0" },
  ["Promoting 50 0"] = { "Succeeded", "Promoting 50 0; Finalising 0 0; Succeeded 0 0" },
  ["Finalising 0 0"] = { "Succeeded", "Finalising 0 0; Succeeded 0 0" },
  ["Succeeded 0 0"] = { "Succeeded", "Succeeded 0 0" },
  ["Waiting"] = { "Succeeded", "Waiting 0 0; Progressing 0 0; Progressing 25 0; Progressing 50 0; Promoting 50 0; " ..
    "Finalising 0 0; Succeeded 0 0" },
  ["WaitingPromotion"] = { "Succeeded", "WaitingPromotion 0 -1; WaitingPromotion 50 0; Promoting 50 0; " ..
    "Finalising 0 0; Succeeded 0 0" },
  ["Failed"] = { "Failed", "Failed 0 0" },
  ["Failed promotion"] = { "Succeeded", "Failed 100 0; Promoting 100 0; Finalising 0 0; Succeeded 0 0" },
}

--- The hooks that are still to come; `event` is left out.
local REST = "rollout confirm-traffic-increase confirm-promotion post-rollout"
local HOOKS = {
  ["Progressing 0 0"] = "pre-rollout confirm-traffic-increase rollout confirm-traffic-increase " .. REST,
  ["Progressing 25 0"] = "rollout confirm-traffic-increase " .. REST,
  ["Progressing 50 0"] = REST,
  ["Promoting 50 0"] = "post-rollout",
  ["Finalising 0 0"] = "post-rollout",
  ["Waiting"] = "confirm-rollout pre-rollout confirm-traffic-increase rollout confirm-traffic-increase " .. REST,
  ["WaitingPromotion"] = "rollout confirm-promotion post-rollout",
  ["Failed promotion"] = "post-rollout",
}

describe("a takeover from Flagger", function()
  local engine, answers, runs = nil, nil, {}

  --- Puts everything there as Flagger left it; the engine is not running.
  local function leave(step, namespace)
    support.kubectl("create", "namespace", namespace)
    local list = json.array()
    for _, object in ipairs(takeover.input("istio")) do
      if object.kind ~= "Namespace" then
        object.metadata.namespace = namespace
        list[#list + 1] = object
      end
    end
    support.apply(json.encode({ apiVersion = "v1", kind = "List", items = list }))
    local objects = takeover.objects("istio", step, namespace)
    local canary = table.remove(objects, 1)
    local status = canary.status
    canary.status = nil
    support.apply(json.encode(canary))
    local uid = support.get("canary", namespace, "app").metadata.uid
    list = json.array()
    for index, object in ipairs(objects) do list[index] = takeover.own(object, uid) end
    if #list > 0 then support.apply(json.encode({ apiVersion = "v1", kind = "List", items = list })) end
    support.kubectl("-n", namespace, "patch", "canary", "app", "--type=merge", "--subresource=status", "-p",
      json.encode({ status = status }))
  end

  local function phase(namespace)
    local canary = support.get("canary", namespace, "app")
    return canary and canary.status and canary.status.phase
  end

  local function hooks_of(namespace)
    local out = {}
    for line in io.lines(support.path("hooks.txt")) do
      local call = assert(json.decode(line))
      local ours = call.body:find('"namespace":"' .. namespace .. '"', 1, true)
      if ours and call.name ~= "event" then out[#out + 1] = call.name end
    end
    return table.concat(out, " ")
  end

  setup(function()
    support.install()
    local interpreter = support.read("/proc/self/cmdline"):match("^[^%z]+")
    answers = support.start("answers.log", ("exec %s spec/cluster/answers.lua %d %d %s %s"):format(interpreter,
      METRICS_PORT, HOOKS_PORT, support.path("queries.txt"), support.path("hooks.txt")))
    local suffix = ("%x"):format(os.time())
    for index, step in ipairs(takeover.steps) do
      runs[step] = { namespace = ("take-%d-%s"):format(index, suffix) }
      leave(step, runs[step].namespace)
    end
    for _, step in ipairs(takeover.steps) do
      runs[step].watch = support.record("canaries", runs[step].namespace, nil,
        "{.status.phase} {.status.canaryWeight} {.status.iterations}")
      local image = support.get("deployment", runs[step].namespace, "app").spec.template.spec.containers[1].image
      runs[step].image = image
    end
    support.sleep(8) -- their pods become ready
    engine = support.engine("-metrics-server", ("http://127.0.0.1:%d"):format(METRICS_PORT))
    for _, step in ipairs(takeover.steps) do
      support.wait_until(("what was left at %s is %s"):format(step, ENDS[step][1]), 180, function()
        return phase(runs[step].namespace) == ENDS[step][1]
      end, function() return support.run("kubectl", "-n", runs[step].namespace, "describe", "canary", "app") end)
    end
    support.sleep(15)
  end)

  teardown(function()
    if engine then engine.stop() end
    if answers then answers.stop() end
    for _, run in pairs(runs) do
      if run.watch then run.watch.stop() end
      support.run("kubectl", "delete", "namespace", run.namespace, "--wait=false")
    end
  end)

  for _, step in ipairs(takeover.steps) do
    it("at " .. step .. " goes through what was left to do, and nothing twice", function()
      local steps = {}
      for _, line in ipairs(runs[step].watch.lines()) do
        if line:find("^%a+ %d+ %-?%d+$") and line ~= steps[#steps] then steps[#steps + 1] = line end
      end
      assert.equal(ENDS[step][2], table.concat(steps, "; "))
    end)

    it("at " .. step .. " calls the hooks that were still to come", function()
      assert.equal(HOOKS[step] or "", hooks_of(runs[step].namespace))
    end)
  end

  it("ends each release with the analysed revision on the primary", function()
    for step, ends in pairs(ENDS) do
      if ends[1] == "Succeeded" then
        local primary = support.get("deployment", runs[step].namespace, "app-primary")
        assert.equal("podinfo:2", primary.spec.template.spec.containers[1].image, step)
      end
    end
  end)

end)
