local frozen = require("spec.support.frozen")
local json = require("json")
local lfs = require("lfs")
local series = require("metrics.series")

local function canary(provider)
  return { provider = provider, name = "web", namespace = "demo", target = { name = "app", kind = "Deployment" },
    names = { apex = "app" }, service = {}, analysis = { metrics = {} } }
end

local function plan(provider, histograms)
  return series.plan(frozen(canary(provider)), { metrics_server = "http://prom:9090" }, 100, histograms)
end

local function reply(result) return { status = 200, headers = {}, body = json.encode({ status = "success",
  data = { resultType = "vector", result = json.array(result) } }) } end

local function element(labels, value) return { metric = labels, value = json.array({ 1000.5, value }) } end

describe("metrics.series", function()
  it("asks for the counters of both arms, process by process", function()
    local items = plan("istio")
    assert.same({ "request-success-rate of the canary", "request-success-rate of the primary" },
      { items[1].name, items[2].name })
    for index, workload in ipairs({ "app", "app-primary" }) do
      local url = items[index].request.url
      assert.truthy(url:find("http://prom:9090/api/v1/query?query=sum%20by%20%28instance%2C%20pod", 1, true), url)
      assert.truthy(url:find("destination_workload%3D%22" .. workload .. "%22%20", 1, true), url)
    end
  end)

  it("asks for histograms when they are wanted", function()
    local items = plan("traefik", true)
    assert.equal(4, #items)
    assert.truthy(items[4].request.url:find("demo-app-primary-", 1, true))
    assert.truthy(items[4].request.url:find("le%29", 1, true))
  end)

  it("says which providers cannot tell the arms apart", function()
    assert.is_true(series.supports(canary("contour"), {}))
    assert.same({ nil, "expected a provider whose telemetry counts the requests of both arms, found skipper" },
      { series.supports(canary("skipper"), {}) })
  end)

  for file in lfs.dir("lua/metrics/queries") do
    local name = file:match("^([%w_]+)%.lua$")
    local queries = name and require("metrics.queries." .. name)
    if queries and queries.counts then
      it("keeps the arms of " .. name .. " apart, and their processes", function()
        assert.not_equal(queries.arms.canary, queries.arms.primary)
        for _, field in ipairs({ "counts", "buckets" }) do
          local query = queries[field] and queries[field].query or "workload by (instance"
          assert.truthy(query:find("workload", 1, true) and query:find("by (instance", 1, true), field)
        end
      end)
    end
  end

  local function counts_of(result) return plan("istio")[1].judge(reply(result)) end

  it("adds the outcomes of a process up, and no two processes", function()
    local list = counts_of({ element({ pod = "a", response_code = "200" }, "90"),
      element({ pod = "b", response_code = "200" }, "7"), element({ pod = "a", response_code = "503" }, "10") })
    local function sample(pod, total, failed)
      return { name = "request-success-rate", arm = "canary", t = 1000.5, series = "pod=" .. pod,
        counts = { total = total, failed = failed } }
    end
    assert.same({ sample("a", 100, 10), sample("b", 7, 0) }, list)
  end)

  it("gives no sample for an answer without series, and no zero", function()
    assert.same({}, counts_of({}))
    assert.same({ nil, "no values found" }, { plan("istio")[1].judge({ status = 200, body = '{"status":"success"}' }) })
  end)

  it("leaves out what is no count", function()
    for _, value in ipairs({ "NaN", "+Inf", "-Inf", "-1" }) do
      assert.same({}, counts_of({ element({ pod = "a", response_code = "200" }, value) }))
    end
  end)

  it("makes whole numbers whose failures never grow faster than their total", function()
    local before = { total = 0, failed = 0 }
    for step = 1, 200 do
      local list = counts_of({ element({ response_code = "200" }, ("%.3f"):format(step * 0.377)),
        element({ response_code = "500" }, ("%.3f"):format(step * 0.123)) })
      local now = list[1].counts
      assert.is_true(now.total - before.total >= now.failed - before.failed and now.failed >= before.failed)
      before = now
    end
  end)

  it("reads bounds as milliseconds, in order, each bucket a whole number", function()
    local list = plan("traefik", true)[3].judge(reply({ element({ le = "+Inf" }, "10.9"),
      element({ le = "0.1" }, "4.5"), element({ le = "1.2" }, "9.2"), element({ le = "0.3" }, "4.5") }))
    assert.same({ { 100, 4 }, { 300, 4 }, { 1200, 8 }, { math.huge, 9 } }, list[1].buckets)
  end)

  it("leaves out a histogram with a bound that is none", function()
    for _, le in ipairs({ "x", "", "NaN" }) do
      local given = reply({ element({ le = le }, "1"), element({ le = "+Inf" }, "2") })
      assert.same({}, plan("traefik", true)[3].judge(given))
    end
  end)

  for name, body in pairs({ ["no JSON"] = "x", ["an error"] = '{"status":"error","error":"boom"}',
    ["a scalar"] = '{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}',
    ["no object"] = '{"status":"success","data":{"result":[7]}}',
    ["no value"] = '{"status":"success","data":{"result":[{"metric":{}}]}}',
    ["no number"] = '{"status":"success","data":{"result":[{"metric":{},"value":[1,"x"]}]}}',
    ["a matrix"] = '{"status":"success","data":{"resultType":"matrix","result":[]}}' }) do
    it("says what is wrong with " .. name, function()
      local list, message = plan("istio")[1].judge({ status = 200, headers = {}, body = body })
      assert.is_nil(list)
      assert.is_string(message)
    end)
  end

  it("says that there was no answer", function()
    assert.same({ nil, "request failed: timeout" }, { plan("istio")[1].judge(nil, "timeout", "TIMEOUT") })
  end)
end)
