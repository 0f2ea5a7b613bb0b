local json = require("json")
local prometheus = require("sandbox.prometheus")
local world = require("sandbox.world")

local START = 1767225600

--- A world `seconds` after its start with given series: { { name, labels, { { seconds, value }, ... } }, ... }.
local function given(seconds, series)
  local w = world.new({ start = START })
  for _, one in ipairs(series) do
    local samples = {}
    for index, sample in ipairs(one[3]) do samples[index] = { START + sample[1], sample[2] } end
    w.prometheus:push(one[1], one[2], samples)
  end
  w:advance(seconds)
  return w.prometheus
end

--- A counter that is scraped each second and grows by `rate`.
local function growing(rate, from, to)
  local out = {}
  for second = from or 0, to or 60 do out[#out + 1] = { second, rate * (second - (from or 0)) } end
  return out
end

local function value(p, query)
  local result, message = p:query(query)
  if type(result) == "number" then return result end
  return result and (result[1] and result[1].value) or message
end

local function labels(p, query)
  local out = {}
  for index, item in ipairs(p:query(query)) do out[index] = item.labels end
  return out
end

local function near(wanted, found)
  assert.is_number(found)
  assert.is_true(math.abs(wanted - found) < 1e-6, ("wanted %g, found %g"):format(wanted, found))
end

describe("sandbox.prometheus", function()
  local two = {
    { "hits", { pod = "a", code = "200" }, growing(2) }, { "hits", { pod = "b", code = "500" }, growing(3) },
  }

  for query, wanted in pairs({
    ["vector(1)"] = 1, ["1 + 2 * 3"] = 7, ["(1 + 2) * 3"] = 9, ["2 ^ 3 ^ 2"] = 512, ["-2 ^ 2"] = -4, ["7 % 4"] = 3,
    ["1e3"] = 1000, ["0x10"] = 16, ["8 - 3 - 2"] = 3, ["1 < bool 2"] = 1, ["1 > bool 2"] = 0,
    ["sum(hits)"] = 300, ['hits{pod="a"}'] = 120, ['hits{pod!="a"}'] = 180, ['hits{code=~"5.."}'] = 180,
    ['hits{code!~"5.."}'] = 120, ['hits{pod=~"a|c"}'] = 120, ['hits{pod=~"a.+"} or vector(0)'] = 0,
    ["avg(hits)"] = 150, ["min(hits)"] = 120, ["max(hits)"] = 180, ["count(hits)"] = 2, ["hits > 150"] = 180,
    ['sum(rate(hits{code="500"}[1m])) / sum(rate(hits[1m])) * 100'] = 60, ["irate(hits[10s])"] = 2,
    ["absent(nosuch)"] = 1, ["scalar(sum(hits)) + 1"] = 301, ["abs(-1)"] = 1, ["ceil(vector(1.2))"] = 2,
    ["floor(vector(1.8))"] = 1, ["round(vector(1.5))"] = 2, ["clamp_max(sum(hits), 10)"] = 10,
    ["clamp_min(sum(hits), 1000)"] = 1000, ["time()"] = START + 60, ["-sum(hits)"] = -300,
    ["100 - sum(hits)"] = -200, ["600 / sum(hits)"] = 2, ["sum(hits) - 100"] = 200,
  }) do
    it("answers " .. query, function() near(wanted, value(given(60, two), query)) end)
  end

  it("gives the rate per second over a range", function()
    near(2, value(given(60, two), 'rate(hits{pod="a"}[30s])'))
  end)

  it("stretches an increase to the borders of its range, as Prometheus does", function()
    near(60, value(given(60, two), 'increase(hits{pod="a"}[30s])'))
  end)

  it("stretches an increase by half a step where samples lack", function()
    local samples = {}
    for second = 20, 30 do samples[#samples + 1] = { second, 1000 + 2 * second } end
    near(20 * 11 / 10, value(given(60, { { "hits", {}, samples } }), "increase(hits[1m])"))
  end)

  it("does not stretch a counter that has just begun below zero", function()
    local p = given(60, { { "hits", {}, growing(2, 50) } })
    near(20, value(p, "increase(hits[1m])"))
  end)

  it("counts on across a reset", function()
    local p = given(40, { { "hits", {}, { { 0, 0 }, { 10, 10 }, { 20, 20 }, { 30, 5 }, { 40, 15 } } } })
    near(25 * 40 / 30 / 40, value(p, "rate(hits[40s])"))
  end)

  it("has no rate of one sample", function()
    assert.same({}, given(10, { { "hits", {}, { { 9, 1 } } } }):query("rate(hits[1m])"))
  end)

  it("does not see what is older than five minutes", function()
    assert.same({}, given(400, { { "hits", {}, { { 10, 1 } } } }):query("hits"))
  end)

  it("groups by the labels that are named", function()
    assert.same({ { code = "200" }, { code = "500" } }, labels(given(60, two), "sum(hits) by (code)"))
  end)

  it("groups by the labels that are not named", function()
    assert.same({ { code = "200" }, { code = "500" } }, labels(given(60, two), "sum without (pod) (hits)"))
  end)

  it("divides series of equal labels", function()
    local p = given(60, { { "good", { pod = "a" }, growing(1) }, { "all", { pod = "a" }, growing(4) },
      { "all", { pod = "b" }, growing(4) } })
    assert.same({ { labels = { pod = "a" }, value = 0.25 } }, p:query("good / all"))
  end)

  it("matches on the labels that are named", function()
    local p = given(60, { { "good", { pod = "a", x = "1" }, growing(1) },
      { "all", { pod = "a", x = "2" }, growing(2) } })
    near(0.5, value(p, "good / on (pod) all"))
    near(0.5, value(p, "good / ignoring (x) all"))
  end)

  it("gives NaN for nothing divided by nothing", function()
    local found = value(given(60, { { "none", {}, { { 60, 0 } } } }), "none / none")
    assert.is_true(found ~= found)
  end)

  describe("histogram_quantile", function()
    local function buckets(counts)
      local series = {}
      for le, count in pairs(counts) do series[#series + 1] = { "t_bucket", { le = le }, { { 60, count } } } end
      return given(60, series)
    end

    it("is between the bounds of its bucket, in proportion", function()
      near(0.15, value(buckets({ ["0.1"] = 50, ["0.2"] = 100, ["+Inf"] = 100 }), "histogram_quantile(0.75, t_bucket)"))
    end)

    it("is the highest bound when it is above all", function()
      near(0.2, value(buckets({ ["0.1"] = 0, ["0.2"] = 0, ["+Inf"] = 10 }), "histogram_quantile(0.99, t_bucket)"))
    end)

    it("is NaN when nothing was counted", function()
      local found = value(buckets({ ["0.1"] = 0, ["+Inf"] = 0 }), "histogram_quantile(0.99, t_bucket)")
      assert.is_true(found ~= found)
    end)

    it("takes sums of rates by bound", function()
      local p = given(60, { { "t_bucket", { pod = "a", le = "0.1" }, growing(1) },
        { "t_bucket", { pod = "b", le = "0.1" }, growing(1) }, { "t_bucket", { pod = "a", le = "+Inf" }, growing(2) },
        { "t_bucket", { pod = "b", le = "+Inf" }, growing(2) } })
      near(0.05, value(p, "histogram_quantile(0.25, sum(rate(t_bucket[1m])) by (le))"))
    end)
  end)

  describe("over HTTP", function()
    local function http(query, p)
      local answer = (p or given(60, two)):http(query)
      return json.decode(answer.body), answer.status
    end

    it("gives a vector with names, labels and texts for values", function()
      local body, status = http('hits{pod="a"}')
      assert.equal(200, status)
      assert.same({ { metric = { __name__ = "hits", pod = "a", code = "200" }, value = { START + 60, "120" } } },
        body.data.result)
    end)

    it("gives a scalar", function()
      assert.same({ resultType = "scalar", result = { START + 60, "2" } }, http("1 + 1").data)
    end)

    it("gives an empty list for nothing", function()
      assert.equal("[]", json.encode(http("nosuch").data.result))
    end)

    for number, text in pairs({ [0.1] = "0.1", [1e300] = "1e+300", [math.huge] = "+Inf", [-math.huge] = "-Inf",
      [1 / 3] = "0.3333333333333333", [5.0] = "5" }) do
      it("writes " .. text, function() assert.equal(text, prometheus.number(number)) end)
    end

    it("writes NaN", function() assert.equal("NaN", prometheus.number(0 / 0)) end)

    for query, words in pairs({
      [""] = "no expression found", ["sum("] = "unexpected end of input", ["sum(hits"] = 'expected ")"',
      ['hits{pod="a'] = "unterminated quoted string", ["hits{pod=a}"] = "expected string",
      ["hits[5x]"] = "bad duration", ["hits[5m]"] = "range vector", ["rate(hits)"] = "expected type range vector",
      ["nosuch(hits)"] = "unknown function", ["hits{"] = "unexpected end of input", ["hits }"] = "unexpected }",
      ["1 +"] = "unexpected end of input", ["{}"] = "must contain a metric name", ["1 < 2"] = "must use BOOL",
      ["sum(1)"] = "expected type instant vector", ["hits and 1"] = "not allowed in binary scalar expression",
      ['hits{pod=~"("}'] = "error parsing regexp", ["#"] = "unexpected character", ["rate(hits[1m], 2)"] = "expected 1",
      ["histogram_quantile(hits, hits)"] = "expected type scalar", ["hits / on (nosuch) hits"] = "many-to-many",
    }) do
      it(("refuses %q"):format(query), function()
        local body, status = http(query)
        assert.same({ 400, "error", "bad_data" }, { status, body.status, body.errorType })
        assert.truthy(body.error:find(words, 1, true), body.error)
      end)
    end

    for name, query in pairs({ parentheses = ("("):rep(3000) .. "1", signs = ("-"):rep(3000) .. "1",
      calls = ("abs("):rep(3000), powers = ("1^"):rep(3000) .. "1" }) do
      it("refuses a query that is deep in " .. name, function()
        local body, status = http(query)
        assert.same({ 400, true }, { status, body.error:find("nested too deeply", 1, true) ~= nil })
      end)
    end

    it("answers a query that is long", function()
      assert.equal("4001", http(("1+"):rep(4000) .. "1").data.result[2])
    end)

    it("refuses a query that is longer still", function()
      assert.truthy(http(("1+"):rep(1e6) .. "1").error:find("too long", 1, true))
    end)

    it("says when it is down", function()
      local p = given(60, two)
      p.down = true
      assert.equal(503, p:http("vector(1)").status)
    end)
  end)

  describe("whose answers a scenario gives", function()
    local function told(...)
      local p, results = given(60, two), table.pack(...)
      p.answer = function() return table.unpack(results, 1, results.n) end
      return p
    end

    it("gives the number", function() assert.equal(42, value(told(42), "hits")) end)
    it("gives nothing", function() assert.same({}, told(nil):query("hits")) end)
    it("gives NaN", function() assert.equal("NaN", prometheus.number(value(told("nan"), "hits"))) end)
    it("fails", function() assert.same({ nil, "sorry", "internal" }, { told(nil, "sorry"):query("hits") }) end)
    it("lets a query pass", function() assert.equal(120, value(told(prometheus.pass), 'hits{pod="a"}')) end)
  end)
end)
