local json = require("json")
local world = require("sandbox.world")

local WORKLOADS = [[
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: demo}
spec:
  replicas: 2
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: "podinfo:2"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app-primary, namespace: demo}
spec:
  replicas: 2
  selector: {matchLabels: {app: app-primary}}
  template:
    metadata: {labels: {app: app-primary}}
    spec: {containers: [{name: app, image: "podinfo:1"}]}
---
{apiVersion: v1, kind: Service, metadata: {name: app, namespace: demo},
 spec: {selector: {app: app-primary}, ports: [{name: http, port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: app-primary, namespace: demo},
 spec: {selector: {app: app-primary}, ports: [{name: http, port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: app-canary, namespace: demo},
 spec: {selector: {app: app}, ports: [{name: http, port: 80}]}}
]]

-- Reader -> its route objects with 70 % to the primary and 30 % to the canary.
local ROUTES = {
  istio = [[
{apiVersion: networking.istio.io/v1beta1, kind: VirtualService, metadata: {name: app, namespace: demo},
 spec: {hosts: [app], http: [{route: [{destination: {host: app-primary}, weight: 70},
   {destination: {host: app-canary.demo}, weight: 30}]}]}}]],
  gatewayapi = [[
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: app, namespace: demo},
 spec: {rules: [{backendRefs: [{name: app-primary, port: 80, weight: 70},
   {name: app-canary, port: 80, weight: 30}]}]}}]],
  traefik = [[
{apiVersion: traefik.io/v1alpha1, kind: TraefikService, metadata: {name: app, namespace: demo},
 spec: {weighted: {services: [{name: app-primary, port: 80, weight: 70}, {name: app-canary, port: 80, weight: 30}]}}}]],
  contour = [[
{apiVersion: projectcontour.io/v1, kind: HTTPProxy, metadata: {name: app, namespace: demo},
 spec: {routes: [{conditions: [{prefix: /}], services: [{name: app-primary, port: 80, weight: 70},
   {name: app-canary, port: 80, weight: 30}]}]}}]],
  smi = [[
{apiVersion: split.smi-spec.io/v1alpha2, kind: TrafficSplit, metadata: {name: app, namespace: demo},
 spec: {service: app, backends: [{service: app-primary, weight: 70}, {service: app-canary, weight: 30}]}}]],
  nginx = [[
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: app, namespace: demo},
 spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]}}]}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: app-canary, namespace: demo, annotations:
   {nginx.ingress.kubernetes.io/canary: "true", nginx.ingress.kubernetes.io/canary-weight: "30"}},
 spec: {rules: [{http: {paths: [{path: /, pathType: Prefix,
   backend: {service: {name: app-canary, port: {number: 80}}}}]}}]}}]],
  skipper = [[
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: app, namespace: demo},
 spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]}}]}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: app-canary, namespace: demo, annotations:
   {zalando.org/backend-weights: '{"app-primary": 70, "app-canary": 30}'}}, spec: {rules: []}}]],
  alb = [[
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: demo, annotations:
   {alb.ingress.kubernetes.io/actions.app: '{"type": "forward", "forwardConfig": {"targetGroups":
     [{"serviceName": "app-primary", "servicePort": 80, "weight": 70},
      {"serviceName": "app-canary", "servicePort": 80, "weight": 30}]}}'}},
 spec: {rules: [{http: {paths: [{path: /, pathType: Prefix,
   backend: {service: {name: app, port: {name: use-annotation}}}}]}}]}}]],
  gloo = [[
{apiVersion: gateway.solo.io/v1, kind: RouteTable, metadata: {name: app, namespace: demo},
 spec: {routes: [{matchers: [{prefix: /}], routeAction: {multi: {destinations: [
   {destination: {upstream: {name: demo-app-primaryupstream-80, namespace: demo}}, weight: 70},
   {destination: {upstream: {name: demo-app-canaryupstream-80, namespace: demo}}, weight: 30}]}}}]}}]],
  apisix = [[
{apiVersion: apisix.apache.org/v2, kind: ApisixRoute, metadata: {name: app-app-canary, namespace: demo},
 spec: {http: [{name: main, backends: [{serviceName: app-primary, servicePort: 80, weight: 70},
   {serviceName: app-canary, servicePort: 80, weight: 30}]}]}}]],
  kuma = [[
{apiVersion: kuma.io/v1alpha1, kind: TrafficRoute, metadata: {name: app},
 spec: {destinations: [{match: {kuma.io/service: app_demo_svc_80}}],
   conf: {split: [{weight: 70, destination: {kuma.io/service: app-primary_demo_svc_80}},
   {weight: 30, destination: {kuma.io/service: app-canary_demo_svc_80}}]}}}]],
  ["appmesh v1beta1"] = [[
{apiVersion: appmesh.k8s.aws/v1beta1, kind: VirtualService, metadata: {name: app.demo, namespace: demo},
 spec: {routes: [{name: app, http: {match: {prefix: /}, action: {weightedTargets: [
   {virtualNodeName: app-primary, weight: 70}, {virtualNodeName: app-canary, weight: 30}]}}}]}}]],
  appmesh = [[
{apiVersion: appmesh.k8s.aws/v1beta2, kind: VirtualRouter, metadata: {name: app, namespace: demo},
 spec: {routes: [{name: app, priority: 10, httpRoute: {match: {prefix: /}, action: {weightedTargets: [
   {virtualNodeRef: {name: app-primary}, weight: 70}, {virtualNodeRef: {name: app-canary}, weight: 30}]}}}]}}]],
}

local function cluster(routes)
  local w = world.new()
  w:apply(WORKLOADS)
  if routes then w:apply(routes) end
  w:advance(5)
  return w
end

local function users(w, more)
  local source = { namespace = "demo", service = "app", rate = 100 }
  for key, value in pairs(more or {}) do source[key] = value end
  return w.traffic:add(source)
end

--- Requests per second that reach each version now.
local function rates(w)
  w.traffic:refresh()
  local out = {}
  for _, flow in ipairs(w.traffic.order) do
    if flow.version then out[flow.version] = (out[flow.version] or 0) + flow.counter:rate() end
  end
  for version, rate in pairs(out) do out[version] = math.floor(rate + 0.5) end
  return out
end

local function canary_only(w)
  return rates(w)["1"] == nil or rates(w)["1"] == 0
end

describe("sandbox.traffic", function()
  for name, routes in pairs(ROUTES) do
    it("follows the weights of " .. name, function()
      local w = cluster(routes)
      users(w)
      assert.same({ ["1"] = 70, ["2"] = 30 }, rates(w))
    end)

    it("loses what " .. name .. " sends to a canary without pods", function()
      local w = cluster(routes)
      w:patch("Deployment", "demo", "app", { spec = { replicas = 0 } })
      w:advance(5)
      users(w)
      w:advance(10)
      assert.same({ 300, 700 }, { math.floor(w.traffic.lost + 0.5), math.floor(w.traffic.served + 0.5) })
    end)
  end

  it("does not go by an Ingress of skipper's that is switched off", function()
    local w = cluster(ROUTES.skipper)
    users(w)
    w:patch("Ingress", "demo", "app-canary", { metadata = { annotations = {
      ["zalando.org/skipper-predicate"] = "False() && True()" } } })
    assert.same({ ["1"] = 100 }, rates(w))
  end)

  it("goes to the Service itself where there is no route", function()
    local w = cluster()
    users(w)
    assert.same({ ["1"] = 100 }, rates(w))
  end)

  it("passes by the routes when it is direct", function()
    local w = cluster(ROUTES.istio)
    users(w, { direct = true })
    assert.same({ ["1"] = 100 }, rates(w))
  end)

  it("follows a changed route from that moment on", function()
    local w = cluster(ROUTES.traefik)
    users(w)
    w:advance(10)
    w:patch("TraefikService", "demo", "app", { spec = { weighted = { services = json.array({
      { name = "app-primary", port = 80, weight = 0 }, { name = "app-canary", port = 80, weight = 100 } }) } } })
    assert.same({ ["1"] = 0, ["2"] = 100 }, rates(w))
  end)

  it("is divided among the pods that are ready", function()
    local w = cluster()
    users(w)
    w.traffic:refresh()
    local shares = {}
    for _, flow in ipairs(w.traffic.order) do shares[#shares + 1] = flow.counter:rate() end
    assert.same({ 50.0, 50.0 }, shares)
  end)

  it("is lost where all weights are zero", function()
    local w = cluster((ROUTES.traefik:gsub("weight: %d+", "weight: 0")))
    users(w)
    w:advance(10)
    assert.equal(1000, math.floor(w.traffic.lost + 0.5))
  end)

  it("is lost at a Service that does not exist", function()
    local w = cluster()
    users(w, { service = "nosuch" })
    w:advance(2)
    assert.equal(200, math.floor(w.traffic.lost + 0.5))
  end)

  it("loses nothing while a Deployment rolls out", function()
    local w = cluster()
    users(w)
    w:set_image("demo", "app-primary", "podinfo:3")
    w:advance(30)
    assert.same({ 0.0, { ["1"] = 0, ["3"] = 100 } }, { w.traffic.lost, rates(w) })
  end)

  it("fails as often as the image's tag says", function()
    local w = cluster()
    w:set_image("demo", "app-primary", "podinfo:3-err10")
    w:advance(10)
    users(w)
    w:advance(10)
    assert.same({ 1000, 100 }, { math.floor(w.traffic.served + 0.5), math.floor(w.traffic.failed + 0.5) })
  end)

  it("fails as often as a scenario says, until it says no more", function()
    local w = cluster()
    users(w)
    w.traffic:override({ match = "demo/app-primary-*", errors = 0.5 })
    w:advance(10)
    w.traffic:clear_overrides()
    w:advance(10)
    assert.equal(500, math.floor(w.traffic.failed + 0.5))
  end)

  it("changes its rate", function()
    local w = cluster()
    local source = users(w)
    w:advance(10)
    w.traffic:set_rate(source, 10)
    w:advance(10)
    assert.equal(1100, math.floor(w.traffic.served + 0.5))
  end)

  it("varies by chance, the same for the same seed", function()
    local function served(seed)
      local w = world.new({ noise = true, seed = seed })
      w:apply(WORKLOADS)
      w:advance(5)
      users(w)
      w:advance(20)
      return w.prometheus:query("sum(http_requests_total)")[1].value
    end
    assert.equal(served(1), served(1))
    assert.are_not.equal(served(1), served(2))
  end)
end)

describe("a matched request", function()
  local CASES = {
    { "istio by a header", [[
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: app, namespace: demo},
 spec: {hosts: [app], http: [
   {match: [{headers: {x-canary: {regex: "in.*"}}}], route: [{destination: {host: app-canary}, weight: 100}]},
   {route: [{destination: {host: app-primary}, weight: 100}]}]}}]], { ["X-Canary"] = "insider" } },
    { "istio by a cookie", [[
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: app, namespace: demo},
 spec: {hosts: [app], http: [
   {match: [{headers: {Cookie: {regex: ".*flagger-cookie=abc.*"}}}], route: [{destination: {host: app-canary}}]},
   {route: [{destination: {host: app-primary}}]}]}}]], { Cookie = "a=b; flagger-cookie=abc" } },
    { "gatewayapi by a header", [[
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: app, namespace: demo},
 spec: {rules: [{backendRefs: [{name: app-primary, weight: 1}]},
   {matches: [{headers: [{name: x-canary, value: yes-please}]}], backendRefs: [{name: app-canary, weight: 1}]}]}}]],
      { ["X-Canary"] = "yes-please" } },
    { "contour by a header", [[
{apiVersion: projectcontour.io/v1, kind: HTTPProxy, metadata: {name: app, namespace: demo},
 spec: {routes: [
   {conditions: [{prefix: /}, {header: {name: x-canary, exact: insider}}], services: [{name: app-canary, weight: 1}]},
   {conditions: [{prefix: /}], services: [{name: app-primary, weight: 1}]}]}}]], { ["X-Canary"] = "insider" } },
    { "nginx by a header", (ROUTES.nginx:gsub('canary%-weight: "30"',
      'canary-by-header: "x-canary", nginx.ingress.kubernetes.io/canary-by-header-value: "insider"')),
      { ["X-Canary"] = "insider" } },
    { "nginx by a cookie", (ROUTES.nginx:gsub('canary%-weight: "30"', 'canary-by-cookie: "canary"')),
      { Cookie = "canary=always" } },
    { "gloo by a header", [[
{apiVersion: gateway.solo.io/v1, kind: RouteTable, metadata: {name: app, namespace: demo},
 spec: {routes: [
   {matchers: [{headers: [{name: x-canary, value: insider}]}], routeAction: {multi: {destinations: [
     {destination: {upstream: {name: demo-app-canaryupstream-80}}, weight: 100}]}}},
   {matchers: [{prefix: /}], routeAction: {multi: {destinations: [
     {destination: {upstream: {name: demo-app-primaryupstream-80}}, weight: 100}]}}}]}}]],
      { ["X-Canary"] = "insider" } },
    { "appmesh by the beginning, the end and the pattern of headers", [[
{apiVersion: appmesh.k8s.aws/v1beta1, kind: VirtualService, metadata: {name: app.demo, namespace: demo},
 spec: {routes: [
   {name: b, priority: 20, http: {action: {weightedTargets: [{virtualNodeName: app-primary, weight: 1}]}}},
   {name: a, priority: 10, http: {match: {headers: [{name: x-a, match: {prefix: in}}, {name: x-b, match: {suffix: er}},
     {name: x-c, match: {regex: "i.*r"}}]},
     action: {weightedTargets: [{virtualNodeName: app-canary, weight: 1}]}}}]}}]],
      { ["X-A"] = "insider", ["X-B"] = "insider", ["X-C"] = "insider" } },
    { "appmesh by a header", [[
{apiVersion: appmesh.k8s.aws/v1beta2, kind: VirtualRouter, metadata: {name: app, namespace: demo},
 spec: {routes: [
   {name: b, priority: 20, httpRoute: {action: {weightedTargets: [{virtualNodeRef: {name: app-primary}, weight: 1}]}}},
   {name: a, priority: 10, httpRoute: {match: {headers: [{name: x-canary, match: {exact: insider}}]},
     action: {weightedTargets: [{virtualNodeRef: {name: app-canary}, weight: 1}]}}}]}}]],
      { ["X-Canary"] = "insider" } },
  }

  for _, case in ipairs(CASES) do
    it("of " .. case[1] .. " goes to the canary", function()
      local w = cluster(case[2])
      users(w, { headers = case[3] })
      assert.is_true(canary_only(w))
    end)

    it("of " .. case[1] .. " is told from others, which go to the primary", function()
      local w = cluster(case[2])
      users(w, { headers = { ["X-Other"] = "insider" } })
      assert.same({ ["1"] = 100 }, rates(w))
    end)
  end
end)

describe("a mirror", function()
  local MIRRORED = [[
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: app, namespace: demo},
 spec: {hosts: [app], http: [{route: [{destination: {host: app-primary}, weight: 100}],
   mirror: {host: app-canary}, mirrorPercentage: {value: 50}}]}}]]

  it("gets its share on top of what is answered", function()
    local w = cluster(MIRRORED)
    users(w)
    assert.same({ ["1"] = 100, ["2"] = 50 }, rates(w))
  end)

  it("without pods loses nobody's request", function()
    local w = cluster(MIRRORED)
    w:patch("Deployment", "demo", "app", { spec = { replicas = 0 } })
    w:advance(5)
    users(w)
    w:advance(10)
    assert.equal(0.0, w.traffic.lost)
  end)

  it("fails nobody's request", function()
    local w = cluster(MIRRORED)
    w:set_image("demo", "app", "podinfo:3-err50")
    w:advance(10)
    users(w)
    w:advance(10)
    assert.equal(0.0, w.traffic.failed)
  end)
end)
