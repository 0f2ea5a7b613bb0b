--- The builtin queries as they go out, of the providers that no recording of Flagger's knows.

local check = require("metrics.check")
local lfs = require("lfs")
local observer = require("metrics.observer")
local routing = require("spec.support.routing")

local INTERVAL = "1m"

--- The query of the one builtin check `name` of a canary.
local function asked(parts, name)
  local analysis = { interval = "30s", metrics = { { name = name, interval = INTERVAL, minRequests = parts.requests,
    thresholdRange = name == "request-duration" and { max = 500 } or { min = 99 } } } }
  for key, value in pairs(parts.analysis or {}) do analysis[key] = value end
  local canary = routing.canary({ provider = parts.provider, spec = parts.spec, service = parts.service,
    analysis = analysis })
  local item = check.plan(canary, { metrics_server = "http://prom:9090" }, {}, 0, {})[1]
  local query = item.request.url:match("query=([^&]*)"):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return query:gsub("%s+", " "):match("^ ?(.*)$")
end

local AB = { iterations = 2, match = { { headers = { ["x-user"] = { exact = "insider" } } } } }

describe("the builtin queries of kong", function()
  local REFS = { gatewayRefs = { { name = "kong" } } }
  local ROUTE = 'route=~"httproute[.]demo[.]app[.](.+[.])?0[.][0-9]+"'

  it("of A/B tests ask for the rule of those who match", function()
    assert.equal(("sum(rate(kong_http_requests_total{%s,code!~\"5..\"}[1m])) / " ..
      "sum(rate(kong_http_requests_total{%s}[1m])) * 100"):format(ROUTE, ROUTE),
      asked({ provider = "kong", service = REFS, analysis = AB }, "request-success-rate"))
    assert.equal(("histogram_quantile(0.99, sum(rate(kong_request_latency_ms_bucket{%s}[1m])) by (le))"):format(ROUTE),
      asked({ provider = "kong", service = REFS, analysis = AB }, "request-duration"))
  end)

  for name, analysis in pairs({ shares = { stepWeight = 10 }, ["shares of those who match"] = { stepWeight = 10,
    match = AB.match }, ["blue/green"] = { iterations = 2 } }) do
    it("of " .. name .. " ask the canary's pods, since Kong counts both arms as one", function()
      local query = asked({ provider = "kong", service = REFS, analysis = analysis }, "request-success-rate")
      assert.truthy(query:find("http_request_duration_seconds_count", 1, true), query)
      assert.truthy(query:find('kubernetes_pod_name=~"app-', 1, true), query)
    end)
  end
end)

describe("the builtin queries of haproxy", function()
  local spec = { ingressRef = { apiVersion = "networking.k8s.io/v1", kind = "Ingress", name = "web" } }
  local PROXY = 'proxy=~"demo_svc_app-canary_[0-9a-zA-Z-]+"'

  it("ask for the backend of the canary's Service", function()
    assert.equal(("sum(rate(haproxy_backend_http_responses_total{%s,code!=\"5xx\"}[1m])) / " ..
      "sum(rate(haproxy_backend_http_responses_total{%s}[1m])) * 100"):format(PROXY, PROXY),
      asked({ provider = "haproxy", spec = spec }, "request-success-rate"))
  end)

  it("take a mean for the latency, and only while requests come", function()
    assert.equal(("max(haproxy_backend_response_time_average_seconds{%s}) * 1000 and " ..
      "sum(rate(haproxy_backend_http_responses_total{%s}[1m])) > 0"):format(PROXY, PROXY),
      asked({ provider = "haproxy", spec = spec }, "request-duration"))
  end)
end)

describe("a builtin query that wants requests", function()
  local ALL = 'sum( rate( istio_requests_total{ reporter="destination", destination_workload_namespace="demo", '
    .. 'destination_workload=~"app" }[1m] ) )'

  it("has no value where there were fewer in the interval", function()
    local plain = asked({ provider = "istio" }, "request-success-rate")
    assert.equal(plain .. " and " .. ALL .. " * 60 >= 20", asked({ provider = "istio", requests = 20 },
      "request-success-rate"))
    assert.equal(asked({ provider = "istio" }, "request-duration") .. " and " .. ALL .. " * 60 >= 20",
      asked({ provider = "istio", requests = 20 }, "request-duration"))
  end)

  for name in lfs.dir("lua/metrics/queries") do
    local file = name:match("^(%w+)%.lua$")
    if file then
      it("finds all requests below the line of a success rate: " .. file, function()
        local queries = require("metrics.queries." .. file)
        local all = observer.requests(queries)
        assert.truthy(queries.success_rate:find(all, 1, true))
        assert.matches("^%s*sum%(%s*rate%(.+%[{{ interval }}%]%s*%)%s*%)$", all)
        assert.is_nil(all:find("5", 1, true), "only some of the codes")
      end)
    end
  end
end)
