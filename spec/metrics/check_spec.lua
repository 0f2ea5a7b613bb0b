local check = require("metrics.check")
local routing = require("spec.support.routing")

local TEMPLATE = { metadata = { name = "t", namespace = "demo" },
  spec = { provider = { type = "prometheus", address = "http://p:9090" }, query = "up{app=\"{{ target }}\"}" } }

local function plan(metrics, templates)
  local canary = routing.canary({ provider = "traefik", analysis = { interval = "10s", threshold = 1, stepWeight = 10,
    metrics = metrics } })
  local settings = { metrics_server = "http://prometheus:9090" }
  return check.plan(canary, settings, templates or { ["demo/t"] = TEMPLATE }, 0, {})
end

describe("metrics.check", function()
  it("puts the templates behind all builtin checks, as Flagger does", function()
    local kinds = {}
    for index, item in ipairs(plan({
      { name = "mine", templateRef = { name = "t" } },
      { name = "request-success-rate", interval = "1m", thresholdRange = { min = 99 } },
      { name = "inline", query = "up" },
    })) do kinds[index] = item.kind .. " " .. item.name end
    assert.same({ "success-rate request-success-rate", "query inline", "template mine" }, kinds)
  end)

  it("asks about calls where the route is one of calls", function()
    local canary = routing.canary({ provider = "gatewayapi:v1", service = { routeKind = "GRPCRoute" },
      analysis = { metrics = { { name = "request-success-rate" }, { name = "request-duration" } } } })
    local asked = ""
    for _, item in ipairs(check.plan(canary, { metrics_server = "http://prometheus:9090" }, {}, 0, {})) do
      asked = asked .. item.judge(nil, "down", "REFUSED").query
    end
    assert.truthy(asked:find('grpc_server_handled_total{', 1, true))
    assert.truthy(asked:find('pod=~"app-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"', 1, true))
    assert.truthy(asked:find('grpc_server_handling_seconds_bucket{', 1, true))
  end)

  it("fails a check whose template is not there, in words, without asking anybody", function()
    local item = plan({ { name = "mine", templateRef = { name = "gone" } } })[1]
    assert.is_nil(item.request)
    local verdict = item.judge()
    assert.equal("error", verdict.verdict)
    assert.truthy(verdict.message:find('"gone" not found', 1, true), verdict.message)
  end)
end)
