--- The table of README.md: every rule of the lifecycle has a scenario, and each scenario that it names is there.

local PATH = "spec/scenarios/README.md"

-- Every numbered step and rule; "4 step 1-29" stands for 29 of them.
local RULES = [[
1; 2.1-5; 3 step 1-6; 3.1 cross-namespace; 3.1 knative; 3.1 affinity; 3.2 analysis; 3.2 interval; 3.2 threshold;
3.2 progress deadline; 3.2 ready threshold; 3.2 metric interval; 3.2 skipAnalysis; 3.2 strategy; 3.2 total weight;
3.2 maxWeight; 3.2 provider; 4 step 1-29; 5 active; 5 Failed; 5 otherwise; 6.1 step 1-8; 6.2; 6.3; 6.4 step 1-3; 6.5;
6.6; 6.7; 6.8; 6.9; 7 rule 1-8; 7 DaemonSet; 7 Service; 7 Knative; 8.1-4; 8.5 post-rollout; 8.5 pre-rollout;
8.5 confirm-traffic-increase; 9.1-5; 10.1-3; 11.1-4; 12 HPA; 12 ScaledObject; 13; 14; 15; 16 interval; 16 service;
16 service.name; 16 targetRef; 16 stepWeights; 16 threshold; 16 suspend; 16 skipAnalysis; 16 provider; 16 retry; 17
]]

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function rules()
  local out = {}
  for item in RULES:gsub("%s+", " "):gmatch("([^;]+)") do
    item = item:match("^%s*(.-)%s*$")
    local head, first, last = item:match("^(.-)(%d+)%-(%d+)$")
    if not head then out[#out + 1] = item end
    for number = math.tointeger(first or 1), math.tointeger(last or 0) do out[#out + 1] = head .. number end
  end
  return out
end

--- { rule, file, title } of each row.
local function rows()
  local out = {}
  for rule, file, title in read(PATH):gmatch("\n| §([^|]-) | [^|]- | `([^`]+)` | ([^\n]-) |") do
    out[#out + 1] = { rule = rule, file = file, title = title }
  end
  return out
end

describe("the table of scenarios", function()
  it("has every rule of the lifecycle, once, in order", function()
    local have = {}
    for index, row in ipairs(rows()) do have[index] = row.rule end
    assert.same(rules(), have)
  end)

  it("names scenarios that are there", function()
    for _, row in ipairs(rows()) do
      local text = read("spec/" .. row.file)
      assert.truthy(text:find('"' .. row.title, 1, true), ("§%s: %s: %s"):format(row.rule, row.file, row.title))
    end
  end)
end)
