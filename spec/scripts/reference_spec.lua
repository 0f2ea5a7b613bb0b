--- The reference page is current, and lists what scripts really have.

local T = require("T")
local calls = require("scripts.calls")
local grants = require("scripts.grants")
local reference = require("spec.tools.script_reference")
local script = require("script")
local tree = require("spec.tools.tree")

local function listed()
  local out = {}
  for _, path in ipairs(reference.SOURCES) do
    for _, item in ipairs(reference.functions(tree.text(path))) do out[item.name] = item end
  end
  return out
end

local ALL = { "prom", "http:https://a", "kube:v1/ConfigMap" }

local function granted()
  return calls.of({ log = {}, clock = {} }, { label = "x", grants = assert(grants.read(ALL)) })
end

describe("the reference of scripts", function()
  it("is current: serin_test spec/tools/script_reference.lua writes it", function()
    assert.equal(reference.page(), tree.text(reference.PAGE))
  end)

  it("has everything that can be granted, and since when", function()
    for name in pairs(granted()) do assert.is_truthy(listed()[name] and listed()[name].since, name) end
  end)

  it("has nothing that is not there", function()
    T.log_to("/dev/null")
    local names = {}
    for name in pairs(listed()) do names[#names + 1] = name end
    local options = { calls = granted() }
    local source = "return function(names) local out = {} for _, name in ipairs(names) do "
      .. "local a, b = name:match('^(%w+)%.?([%w_]*)$') local v = _G[a] "
      .. "if b ~= '' then v = v and v[b] end if not v then out[#out + 1] = name end end return json.array(out) end"
    local missing = T.run(function() return script.run(source, "", names, options) end)
    table.sort(missing)
    -- what lua/scripts/glue.lua adds; spec/scenarios/scripts_spec.lua uses them
    assert.same({ "require", "verdict.error", "verdict.fail", "verdict.inconclusive", "verdict.nodata",
      "verdict.pass" }, missing)
    script.setup({})
    T.log_to()
  end)
end)
