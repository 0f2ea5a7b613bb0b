local json = require("json")
local lfs = require("lfs")
local policies = require("canary.policies")

local function ctx(policy)
  return { revision = "s1-a", now = 100, status = {}, canary = { namespace = "demo", name = "web", provider = "istio",
    target = { name = "app" }, strategy = "canary", analysis = { policy = policy, threshold = 3, step_weight = 10,
    max_weight = 50, interval = 10, iterations = 0, mirror = false } } }
end

describe("canary.policies", function()
  it("knows every file of policies/", function()
    local found = {}
    for file in lfs.dir("policies") do
      local name = file:match("^([%w_]+)%.lua$")
      if name then found[#found + 1] = name end
    end
    table.sort(found)
    assert.same(found, policies.SHIPPED)
    for _, name in ipairs(found) do
      local module = policies.find({ analysis = { policy = { name = name } } })
      assert.same({ name, 1, "table" }, { module.name, module.api, type(module.params) })
    end
  end)

  it("finds no file elsewhere", function()
    for _, name in ipairs({ "../lua/main", "policies.steps", "", "/etc/passwd", "aliases" }) do
      assert.is_nil((policies.find({ analysis = { policy = { name = name } } })))
    end
  end)

  it("tells what is obeyed from what is judged only", function()
    local sequential = { name = "sequential", mode = "active" }
    assert.same({ sequential }, { policies.of(ctx(sequential).canary) })
    sequential = { name = "sequential", mode = "shadow" }
    assert.same({ { name = "flagger" }, sequential }, { policies.of(ctx(sequential).canary) })
  end)

  it("makes routes of a weight", function()
    local it = ctx({ name = "steps", params = { steps = json.array({ { weight = 7 } }) } })
    local answer = policies.decide(it, { policy = it.canary.analysis.policy, checks = {}, now = { t = 100, weight = 0,
      mirrored = false, iterations = 0, failed_checks = 0, passed = true, approvals = {} } })
    assert.same({ primary = 93, canary = 7, mirrored = false }, answer.routes)
  end)

  it("names policy, field, expected and found when there is no decision", function()
    local it = ctx({ name = "steps", params = { steps = json.array({ { weight = 700 } }) } })
    assert.same({ nil, "policy steps: params.steps[0].weight: expected at most 100 %, found 700" },
      { policies.decide(it, { policy = it.canary.analysis.policy, now = {}, checks = {} }) })
  end)

  it("writes of a state what changed, and takes away what is gone", function()
    local it = ctx({ name = "steps" })
    assert.is_nil(policies.state_patch(it, nil))
    assert.same({ a = 1 }, policies.state_patch(it, { a = 1 }))
    it.status.policyState = { a = 1, b = { c = 2, d = 3 } }
    assert.same({ b = { c = 4, d = json.null } }, policies.state_patch(it, { a = 1, b = { c = 4 } }))
    assert.is_nil(policies.state_patch(it, { a = 1, b = { c = 2, d = 3 } }))
    assert.equal(json.null, policies.state_patch(it, nil))
  end)
end)
