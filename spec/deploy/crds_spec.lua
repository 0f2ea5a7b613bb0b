local json = require("json")
local yaml = require("yaml")

local function documents(path)
  local file <close> = assert(io.open(path))
  return assert(yaml.decode(file:read("a")))
end

local function crd(plural)
  return documents(("deploy/crd-%s.yaml"):format(plural))[1]
end

local function schema(plural)
  return crd(plural).spec.versions[1].schema.openAPIV3Schema
end

--- Fields of `value` that an API server with this schema would silently drop.
local function pruned(value, at, path, found)
  if at["x-kubernetes-preserve-unknown-fields"] or type(value) ~= "table" then return found end
  if json.is_array(value) then
    for _, item in ipairs(value) do pruned(item, at.items or {}, path .. "[]", found) end
    return found
  end
  for key, item in pairs(value) do
    local below = at.properties and at.properties[key] or at.additionalProperties
    if below then pruned(item, below, path .. "." .. key, found) else found[#found + 1] = path .. "." .. key end
  end
  return found
end

local function recorded(name)
  for _, object in ipairs(documents(("spec/fixtures/recorded/%s/input.yaml"):format(name))) do
    if object.kind == "Canary" then return object end
  end
end

describe("deploy/crd-*.yaml", function()
  for _, case in ipairs({
    { "canaries", "Canary" }, { "metrictemplates", "MetricTemplate" }, { "alertproviders", "AlertProvider" },
  }) do
    it("serves " .. case[2] .. " as flagger.app/v1beta1 with a status subresource, in category all", function()
      local found = crd(case[1])
      local version = found.spec.versions[1]
      assert.equal(case[1] .. ".flagger.app", found.metadata.name)
      assert.same({ "Namespaced", case[2], case[2] .. "List", "all" },
        { found.spec.scope, found.spec.names.kind, found.spec.names.listKind, found.spec.names.categories[1] })
      assert.same({ "v1beta1", true, true }, { version.name, version.served, version.storage })
      assert.is_table(version.subresources.status)
    end)
  end

  it("prints the columns of a Canary in the order users know", function()
    local names = {}
    for _, column in ipairs(crd("canaries").spec.versions[1].additionalPrinterColumns) do
      names[#names + 1] = column.name .. (column.priority and " wide" or "")
    end
    assert.same({ "Status", "Weight", "Suspended wide", "FailedChecks wide", "Interval wide", "Mirror wide",
      "StepWeight wide", "StepWeights wide", "MaxWeight wide", "LastTransitionTime" }, names)
  end)

  for _, name in ipairs({ "contour", "gwapi", "istio", "istio-ab", "istio-full", "k8s-bg", "linkerd", "nginx",
    "traefik" }) do
    it("drops no field of the recorded canary " .. name, function()
      local object = recorded(name)
      assert.same({}, pruned({ spec = object.spec }, schema("canaries"), "", {}))
    end)
  end

  it("drops a field that nobody declared", function()
    assert.same({ ".spec.analysis.interwal" },
      pruned({ spec = { analysis = { interwal = "1m" } } }, schema("canaries"), "", {}))
  end)

  it("lets any provider and any kind of target in", function()
    local spec = schema("canaries").properties.spec.properties
    assert.is_nil(spec.provider.enum)
    assert.is_nil(spec.targetRef.properties.kind.enum)
  end)

  it("asks for exactly one of iterations, stepWeight and stepWeights, or else for a policy", function()
    local last = {}
    for _, choice in ipairs(schema("canaries").properties.spec.properties.analysis.oneOf) do
      last[#last + 1] = table.concat(choice.required, " ")
    end
    assert.same({ "interval threshold iterations", "interval threshold stepWeight", "interval threshold stepWeights",
      "interval threshold policy" }, last)
    local none = schema("canaries").properties.spec.properties.analysis.oneOf[4]["not"].anyOf
    assert.same({ "iterations", "stepWeight", "stepWeights" },
      { none[1].required[1], none[2].required[1], none[3].required[1] })
  end)

  it("stores numbers that only the engine can judge", function()
    local analysis = schema("canaries").properties.spec.properties.analysis.properties
    for _, field in ipairs({ "threshold", "iterations", "maxWeight", "stepWeight", "stepWeightPromotion" }) do
      assert.same({ "number", nil, nil }, { analysis[field].type, analysis[field].minimum, analysis[field].maximum })
    end
    assert.equal("number", analysis.stepWeights.items.type)
  end)

  it("stores every field of a status that the engine writes", function()
    local status = { phase = "Progressing", failedChecks = 0, canaryWeight = 5, iterations = 0, observedGeneration = 3,
      lastCheckTime = "x", lastTransitionTime = "x", runId = "x", lastAppliedSpec = "x", lastPromotedSpec = "x",
      pendingHooks = "x",
      trackedConfigs = { ["configmap/a"] = "x" }, waiting = { ["for"] = "x", since = "x", deadline = "x",
        position = 1, detail = "x" }, runStartedAt = "x", paused = true,
      intent = { value = "x", outcome = "x", at = "x" },
      checks = json.array({ { name = "a", verdict = "pass", value = 1.5, rule = "x", query = "x", at = "x" } }),
      approvals = json.array({ "qa" }),
      shadow = { policy = "x", action = "x", reason = "x", obeyed = "x", disagreements = 1,
        checks = json.array({ { name = "a", verdict = "pass", value = "x", rule = "x", at = "x" } }) },
      policyState = { any = { thing = 1 } }, scripts = json.array({ { name = "a", sha256 = "x" } }),
      conditions = json.array({ { type = "Stalled", status = "True", reason = "x", message = "x",
        lastUpdateTime = "x", lastTransitionTime = "x" } }) }
    assert.same({}, pruned({ status = status }, schema("canaries"), "", {}))
  end)

  it("knows the provider lua of a MetricTemplate", function()
    local types = schema("metrictemplates").properties.spec.properties.provider.properties.type.enum
    assert.equal("lua", types[#types])
  end)
end)
