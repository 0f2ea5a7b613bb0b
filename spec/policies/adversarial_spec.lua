--- lua/policytest on every policy of policies/, and on policies that are wrong in the ways it looks for.

local json = require("json")
local lfs = require("lfs")
local suite = require("policytest.suite")

-- Parameters beside the defaults with which each is tried, so that every branch is met.
local MORE = {
  sequential = { { slow = 100, min_requests = 1, promote_from = 0, max_resets = 0 },
    { slow = 500, slo = 99, patience = "30s" } },
  kayenta = { { points = 5, slow = 100 } },
  burn_rate = { { slow = 100, min_requests = 1, slo = 50,
    windows = json.array({ { long = "1m", short = "30s", factor = 1 } }) } },
  steps = { { steps = json.array({ { weight = 0 }, { weight = 100, dwell = "1s", approve = "qa" } }) } },
}

local function failures(module, params)
  local out = {}
  for _, one in ipairs(suite.run(module, params)) do
    if not one.ok then out[#out + 1] = one.name .. ": " .. one.message end
  end
  return out
end

for file in lfs.dir("policies") do
  local name = file:match("^([%w_]+)%.lua$")
  for index, params in ipairs(name and { {}, table.unpack(MORE[name] or {}) } or {}) do
    describe(("the policy %s (%d)"):format(name, index), function()
      for _, one in ipairs(suite.run(require("policies." .. name), params)) do
        it("survives " .. one.name, function() assert.is_true(one.ok, one.message) end)
      end
    end)
  end
end

--- A policy that promotes as soon as a thing is true.
local function promoting(when, more)
  local module = { name = "mine", params = {}, samples = true, strategies = { "canary" }, decide = function(ctx)
    if not ctx.now.passed then return { action = "hold", reason = "x" } end
    if ctx.now.weight == 0 then return { action = "shift", weight = 10, reason = "x" } end
    return { action = when(ctx) and "promote" or "hold", reason = "x", state = { seen = true } }
  end }
  for key, value in pairs(more or {}) do module[key] = value end
  return module
end

local function finds(pattern, module)
  local found = table.concat(failures(module), "\n")
  assert.truthy(found:find(pattern), found)
end

describe("the suite", function()
  it("finds a policy that promotes whatever comes", function()
    finds("canary: no samples at all: look 2: promoted: x", promoting(function() return true end))
  end)

  it("finds one that takes nothing for a success", function()
    finds("canary: an empty list: look 2: promoted", promoting(function(ctx)
      return type(ctx.samples) == "table" and #ctx.samples == 0 end))
  end)

  it("finds one that takes totals for increments", function()
    finds("canary: counters that stand still: look 2: promoted", promoting(function(ctx)
      local one = type(ctx.samples) == "table" and ctx.samples[1]
      return type(one) == "table" and type(one.counts) == "table" and type(one.counts.total) == "number"
        and one.counts.total > 1000
    end))
  end)

  it("finds one that raises", function()
    finds("canary: no samples at all: look 2: raised .*attempt to get length of a nil value", promoting(function(ctx)
      return #ctx.samples < 0 end))
  end)

  it("finds one that compares with NaN", function()
    finds("canary: NaN for a number: look 2: promoted", promoting(function(ctx)
      local one = type(ctx.samples) == "table" and ctx.samples[1]
      local total = type(one) == "table" and type(one.counts) == "table" and one.counts.total
      local small = type(total) ~= "number" or total <= 5
      return not small
    end))
  end)

  it("finds one that promotes beside a failing check", function()
    finds("canary: checks that fail beside healthy samples: look 1: action: expected hold or rollback",
      { name = "mine", params = {}, samples = true, strategies = { "canary" },
        decide = function() return { action = "shift", weight = 50, reason = "x" } end })
  end)

  it("finds one whose decisions depend on more than it is shown", function()
    local count = 0
    finds("the same observation twice: look 1: two decisions", promoting(function() return false end, {
      decide = function()
        count = count + 1
        return { action = "hold", reason = "look " .. count }
      end }))
  end)

  it("finds one that cares for the order of samples", function()
    finds("samples doubled and in another order: look 3: expected hold 10", promoting(function(ctx)
      local one = type(ctx.samples) == "table" and ctx.samples[1]
      return type(one) == "table" and one.arm == "primary"
    end))
  end)

  it("says what is wrong with parameters", function()
    assert.same({ 'parameters: params.x: expected a known parameter, found "x"' },
      failures(promoting(function() end), { x = 1 }))
  end)
end)
