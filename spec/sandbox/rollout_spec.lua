local rollout = require("sandbox.rollout")

local function spec(replicas, surge, missing)
  return { replicas = replicas, strategy = { type = "RollingUpdate",
    rollingUpdate = { maxSurge = surge, maxUnavailable = missing } } }
end

--- Pods from "nnOo": n new, o old; capital letters are available.
local function pods(text)
  local out = {}
  for index = 1, #text do
    local letter = text:sub(index, index)
    local ready = letter:upper() == letter
    out[index] = { name = "p" .. index, hash = letter:lower(), ready = ready, available = ready, born = index }
  end
  return out
end

local function plan(s, text)
  local result = rollout.plan(s, pods(text), "n")
  local gone = {}
  for index, pod in ipairs(result.delete) do gone[index] = pod.name end
  return ("+%d -%s"):format(result.create, table.concat(gone, ","))
end

describe("sandbox.rollout", function()
  for _, case in ipairs({
    { 4, "25%", "25%", 1, 1 }, { 3, "25%", "25%", 1, 0 }, { 1, "25%", "25%", 1, 0 }, { 10, "30%", "0%", 3, 0 },
    { 2, 1, 0, 1, 0 }, { 2, 0, 0, 0, 1 }, { 2, 5, 5, 5, 2 },
  }) do
    it(("allows %d pods with surge %s and unavailable %s to be %d over and %d under"):format(table.unpack(case)),
      function() assert.same({ case[4], case[5] }, { rollout.bounds(spec(case[1], case[2], case[3])) }) end)
  end

  for what, case in pairs({
    ["starts all at first"] = { spec(2, 1, 0), "", "+2 -" },
    ["does nothing when all is done"] = { spec(2, 1, 0), "NN", "+0 -" },
    ["starts as many as may be over"] = { spec(2, 1, 0), "OO", "+1 -" },
    ["waits for a new pod before an old one goes"] = { spec(2, 1, 0), "OOn", "+0 -" },
    ["takes the youngest old pod for a new one that is available"] = { spec(2, 1, 0), "OON", "+1 -p2" },
    ["takes at once what may be missing"] = { spec(4, 0, 1), "OOOO", "+1 -p4" },
    ["takes first what does not run"] = { spec(2, 1, 0), "OooN", "+1 -p3,p2" },
    ["scales down the youngest"] = { spec(1, 1, 0), "NN", "+0 -p2" },
    ["scales to nothing"] = { spec(0, 1, 0), "NN", "+0 -p2,p1" },
    ["recreates when all old ones are gone"] = { { replicas = 2, strategy = { type = "Recreate" } }, "OO",
      "+0 -p1,p2" },
    ["recreates with all at once"] = { { replicas = 2, strategy = { type = "Recreate" } }, "", "+2 -" },
  }) do
    it(what, function() assert.equal(case[3], plan(case[1], case[2])) end)
  end

  it("keeps the time of a condition whose status stays", function()
    local before = rollout.with_condition({}, { type = "A", status = "True", reason = "x" }, "1")
    local after = rollout.with_condition(before, { type = "A", status = "True", reason = "y" }, "2")
    assert.same({ "1", "2" }, { after[1].lastTransitionTime, after[1].lastUpdateTime })
  end)

  it("renews the time of a condition whose status changes", function()
    local before = rollout.with_condition({}, { type = "A", status = "True", reason = "x" }, "1")
    assert.equal("2", rollout.with_condition(before, { type = "A", status = "False" }, "2")[1].lastTransitionTime)
  end)
end)
