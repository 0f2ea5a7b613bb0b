local beta = require("stats.beta")
local gamma = require("stats.gamma")
local near = require("spec.support.near")
local normal = require("stats.normal")
local root = require("stats.root")

-- Values of independent programs (scipy 1.17).
describe("stats.gamma", function()
  it("knows the logarithm of the gamma function", function()
    for x, expected in pairs({ [1e-5] = 11.512919692895825, [0.5] = 0.5723649429247001, [1.5] = -0.12078223763524522,
      [3.3] = 0.98709857789473432, [9.9] = 12.577179904219879, [100] = 359.1342053695754,
      [1e6] = 12815504.569147611 }) do
      near(expected, gamma.ln(x), 1e-13)
    end
  end)

  it("is (n - 1)! at whole numbers", function()
    local product = 1.0
    for n = 1, 30 do
      near(math.log(product), gamma.ln(n), 1e-13)
      product = product * n
    end
  end)

  it("knows both incomplete gamma functions in their tails", function()
    near(0.34527915398142317, gamma.p(0.5, 0.1), 1e-13)
    near(1, gamma.q(1, 5) / math.exp(-5), 1e-12)
    near(1, gamma.q(3, 50) / 2.5093035522010551e-19, 1e-11)
    near(0.15865124955282101, gamma.q(1e4, 1.01e4), 1e-12)
    near(0.84134474647180924, gamma.p(1e8, 1.0001e8), 1e-11)
    assert.equal(0.0, gamma.p(2, 0))
  end)

  it("inverts the incomplete gamma function", function()
    for _, p in ipairs({ 1e-6, 0.025, 0.5, 0.975 }) do near(p, gamma.p(7.5, gamma.quantile(7.5, p)), 1e-12) end
  end)
end)

describe("stats.beta", function()
  it("knows the logarithm of the beta function for small and large arguments", function()
    near(math.log(math.pi), beta.ln(0.5, 0.5), 1e-13)
    near(-29.454179474321659, beta.ln(13, 39), 1e-14)
    near(-61.476650333279288, beta.ln(3, 1e9), 1e-14)
    near(2.3655964586613467, beta.ln(0.18, 0.18), 1e-13)
  end)

  it("knows the incomplete beta function in both tails", function()
    near(1, beta.lower(13, 39, 0.1) / 0.0012261499891986895, 1e-12)
    near(1, beta.upper(13, 39, 0.4) / 0.01022538912324672, 1e-12)
    near(1, beta.upper(2, 3, 0.99) / 3.97e-06, 1e-10)
    near(0.59680154488141868, beta.lower(1e6, 2e6, 0.3334), 1e-10)
    assert.same({ 0.0, 1.0 }, { beta.lower(2, 2, 0), beta.lower(2, 2, 1) })
  end)

  it("inverts the incomplete beta function", function()
    for _, p in ipairs({ 1e-6, 0.025, 0.5, 0.975 }) do near(p, beta.lower(15, 96, beta.quantile(15, 96, p)), 1e-12) end
  end)
end)

describe("stats.normal", function()
  it("knows the tails", function()
    near(1, normal.upper(6.4366) / 6.1089675849287278e-11, 1e-12)
    near(1, normal.upper(20) / 2.7536241186062337e-89, 1e-11)
    near(0.9986501019683699, normal.upper(-3), 1e-14)
    near(0.022750131948179205, normal.lower(-2), 1e-14)
    assert.equal(0.5, normal.upper(0))
  end)

  it("knows the quantiles", function()
    for p, expected in pairs({ [1e-300] = -37.047096299361201, [0.01] = -2.3263478740408408,
      [0.02425] = -1.972961051311885, [0.3] = -0.52440051270804, [0.5] = 0, [0.975] = 1.9599639845400545,
      [0.9999999] = 5.19933758187 }) do
      near(expected, normal.quantile(p), p > 0.99 and 1e-9 or 1e-13)
    end
  end)
end)

describe("stats.root", function()
  it("finds where a function crosses zero", function()
    near(math.sqrt(2), root.find(function(x) return x * x - 2 end, 0, 2, 1e-15), 1e-15)
    near(0.5, root.find(function(x) return x < 0.5 and -1 or 1 end, 0, 1, 1e-12), 1e-12)
  end)

  it("says when there is nothing to find", function()
    local x, message = root.find(function() return 1 end, 0, 1, 1e-9)
    assert.is_nil(x)
    assert.equal("no change of sign between the ends", message)
  end)

  it("finds the lowest point of a valley", function()
    near(0.3, root.minimum(function(x) return (x - 0.3) ^ 2 end, 0, 1, 1e-12), 1e-7)
  end)
end)
