--- Every function of lua/stats takes any arguments: it answers or gives nil and a message, soon.

local lfs = require("lfs")
local random = require("sandbox.random")

local RUNS = 400
local INSTRUCTIONS = 20000000 -- of the interpreter, for one call

local NAN, INF = 0 / 0, math.huge
local VALUES = { "nothing", NAN, INF, -INF, -1, 0, 1, 2, 3, 10, 100, 0.01, 0.05, 0.5, 0.9999, 1e-300, 1e300, 2 ^ 53,
  2 ^ 60, math.maxinteger, math.mininteger, "x", true, {}, { NAN }, { 1, 2, 3 }, { 0.2, 0.3, 0.5 }, { {} }, { 1, "a" },
  { INF, 1 },
  { { 1, 2 }, { INF, 5 } }, { { 1, NAN }, { INF, 5 } }, { y_c = 1, n_c = 2, y_b = NAN, n_b = 4 },
  { y_c = 1, n_c = 2, y_b = 0, n_b = 4 }, { { y = 1, n = 2 }, { y = 0, n = 3 } }, { w = 0.1, a = 3, b = 2 ^ 53 },
  { ln_e = 0, n = 3, sum = 1, squares = 1 }, { r0 = 2, ratios = { 3 } }, { prior = { 0, 1 } },
  { pull = 10, side = "less" }, { kind = "normal", v_opt = 100, alpha_opt = 0.05 },
  { kind = "beta-binomial", v_opt = 1, alpha_opt = 0.9, g = 1, h = 1 } }

-- Not for callers with data: a root's function is the caller's own, others are called after the checks. What
-- policies build on gets foreign data through samples and state only; spec/policies/adversarial_spec.lua does that.
local INNER = { check = true, root = true, boundary = true, counters = true, comparison = true, windows = true,
  ["gamma.log1p"] = true, ["gamma.correction"] = true }

local function arguments(draw)
  local out = { n = math.floor(draw() * 7) }
  for index = 1, out.n do
    local value = VALUES[math.floor(draw() * #VALUES) + 1]
    if value ~= "nothing" then out[index] = value end
  end
  return out
end

local function call(f, args)
  debug.sethook(function() error("does not end") end, "", INSTRUCTIONS)
  local results = table.pack(pcall(f, table.unpack(args, 1, args.n)))
  debug.sethook()
  return results
end

local function shown(args)
  local out = {}
  for index = 1, args.n do out[index] = tostring(args[index]) end
  return table.concat(out, ", ")
end

local function proper(results)
  if not results[1] then return false, tostring(results[2]) end
  for index = 2, results.n do
    if results[index] ~= results[index] then return false, "NaN" end
  end
  if results.n > 2 and results[2] == nil and type(results[results.n]) ~= "string" then return false, "no message" end
  return true
end

local function each_function(f)
  for file in lfs.dir("lua/stats") do
    local name = file:match("^([%w_]+)%.lua$")
    if name and not INNER[name] then
      for key, value in pairs(require("stats." .. name)) do
        if type(value) == "function" and not INNER[name .. "." .. key] then f(name .. "." .. key, value) end
      end
    end
  end
end

describe("lua/stats", function()
  each_function(function(name, f)
    it("takes anything in " .. name, function()
      local draw = random.new(#name * 131 + name:byte(-1))
      for _ = 1, RUNS do
        local args = arguments(draw)
        local ok, why = proper(call(f, args))
        assert(ok, ("%s(%s): %s"):format(name, shown(args), why))
      end
    end)
  end)

  it("really was met", function()
    local count = 0
    each_function(function() count = count + 1 end)
    assert.is_true(count > 40)
  end)
end)
