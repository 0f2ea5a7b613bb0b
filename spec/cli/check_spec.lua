local json = require("json")
local verb = require("spec.support.verb")

local GOOD = [[
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: demo}
spec:
  provider: istio
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  service: {port: 80}
  analysis:
    interval: 1m
    threshold: 5
    maxWeight: 50
    stepWeight: 10
    metrics:
    - name: errors
      templateRef: {name: errors}
      thresholdRange: {max: 1}
      interval: 1m
---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: errors, namespace: demo}
spec:
  provider: {type: prometheus, address: "http://prometheus:9090"}
  query: sum(rate(errors{namespace="{{ namespace }}"}[{{ interval }}]))
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: demo}
]]

local function findings(text, ...)
  local path = verb.file(text)
  local code, out = verb.call("check", "--output", "json", path, ...)
  return json.decode(out).findings, code
end

describe("serin check", function()
  after_each(verb.clean)

  it("finds nothing in what is right, and counts what it does not look at", function()
    local code, out, err = verb.call("check", verb.file(GOOD))
    assert.same({ 0, "2 objects checked, 0 findings; not looked at: 1 Deployment\n", "" }, { code, out, err })
  end)

  it("names file, line, object, field, what was expected and found, and the nearest name", function()
    local path = verb.file((GOOD:gsub("stepWeight: 10", "stepWieght: 10")))
    local code, out = verb.call("check", path)
    assert.equal(1, code)
    assert.truthy(out:find(path .. ":12: Canary demo/app: spec.analysis.stepWieght: expected a known field, found "
      .. "stepWieght (did you mean stepWeight?)\n", 1, true), out)
  end)

  for name, case in pairs({
    ["a number that is a text"] = { "threshold: 5", 'threshold: "5"', 10, "spec.analysis.threshold",
      'expected a number, found "5"' },
    ["a weight out of range"] = { "stepWeight: 10", "stepWeight: 101", 12, "spec.analysis.stepWeight",
      "expected an integer from 0 to 100, found 101" },
    ["a target that no file serves"] = { "kind: Deployment, name: app}\n  service",
      "kind: Deploy, name: app}\n  service",
      6, "spec.targetRef.kind", "expected one of DaemonSet, Deployment, Service, StatefulSet, "
        .. "serving.knative.dev/Service, found Deploy" },
    ["a template that is not there"] = { "templateRef: {name: errors}", "templateRef: {name: error}", 15,
      "spec.analysis.metrics[0].templateRef", "expected the MetricTemplate demo/error among the files, found none "
        .. "(did you mean demo/errors?)" },
    ["a provider of metrics that is not there"] = { "type: prometheus", "type: promtheus", 23, "spec.provider.type",
      "expected one of prometheus, influxdb, datadog, externalmetrics, stackdriver, cloudwatch, newrelic, graphite, "
        .. 'dynatrace, keptn, splunk, lua, found "promtheus" (did you mean prometheus?)', more = true },
    ["an unknown parameter of a policy"] = { "threshold: 5",
      "threshold: 5\n    policy: {name: sequential, params: {toleranse: 1}}",
      11, "spec.analysis.policy.params.toleranse",
        "expected a known parameter (did you mean tolerance?), found \"toleranse\"" },
    ["a fraction that the route does not carry"] = { "threshold: 5",
      "threshold: 5\n    policy: {name: steps, params: {steps: [{weight: 0.5}]}}",
      11, "spec.analysis.policy.params.steps[0].weight",
      "expected a whole number with provider appmesh, whose route carries no fraction, found 0.5",
      provider = "appmesh" },
    ["pods of a step that a scaler counts"] = { "  service:",
      "  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: app}\n  service:", 13,
      "spec.analysis.policy.params.steps[0].replicas",
      "expected none beside spec.autoscalerRef, which counts the canary's pods, found 1",
      analysis = "policy: {name: steps, params: {steps: [{weight: 5, replicas: 1}]}}" },
    ["pods of a step where the target has no number of pods"] = { "kind: Deployment, name: app}\n  service",
      "kind: DaemonSet, name: app}\n  service", 12, "spec.analysis.policy.params.steps[0].replicas",
      "expected none with a DaemonSet, which has no number of pods, found 1",
      analysis = "policy: {name: steps, params: {steps: [{weight: 5, replicas: 1}]}}" },
    ["a field that is missing, at the line of what it is missing from"] = { "    - name: errors\n      templateRef",
      "    - templateRef", 14, "spec.analysis.metrics[0].name", "expected a text, found nothing", more = true },
    ["an unknown policy"] = { "threshold: 5", "threshold: 5\n    policy: {name: sequental}", 11,
      "spec.analysis.policy.name", "expected one of burn_rate, flagger, kayenta, sequential, steps, found sequental "
        .. "(did you mean sequential?)" },
    ["session affinity where the provider cannot"] = { "threshold: 5",
      "threshold: 5\n    sessionAffinity: {cookieName: a}", 11, "spec.analysis.sessionAffinity",
      "expected a provider with session affinity, found traefik", provider = "traefik" },
    ["a window of no known weekday"] = { "namespace: demo}\nspec:\n  provider: istio",
      "namespace: demo, annotations: {serin.dev/freeze: \"0 9 * * fry for 8h\"}}\nspec:\n  provider: istio", 3,
      "metadata.annotations.serin.dev/freeze", "weekday: expected values from 0 to 7, found fry" },
    ["a hook without an address"] = { "threshold: 5", "threshold: 5\n    webhooks: [{name: x, url: 'no url'}]", 11,
      "spec.analysis.webhooks[0].url", 'expected a URL like http://host/path, found "no url"' },
    ["a misspelt kind of ours"] = { "kind: MetricTemplate", "kind: MetricTemplat", 20, "kind",
      "expected one of AlertProvider, Canary, MetricTemplate, found MetricTemplat (did you mean MetricTemplate?)",
      more = true },
  }) do
    it("finds " .. name, function()
      local text, count = GOOD:gsub(case[1]:gsub("%p", "%%%0"), (case[2]:gsub("%%", "%%%%")), 1)
      assert.equal(1, count)
      if case.analysis then text = text:gsub("stepWeight: 10", case.analysis, 1) end
      if case.provider then text = text:gsub("provider: istio", "provider: " .. case.provider, 1) end
      local found = findings(text)
      local seen
      for _, finding in ipairs(found) do
        if finding.field == case[4] then seen = finding end
      end
      assert.is_table(seen, json.encode(found))
      assert.same({ case[3], case[5] }, { seen.line, seen.message })
      if not case.more then assert.equal(1, #found, json.encode(found)) end
    end)
  end

  it("finds mirroring where the provider cannot", function()
    local text = GOOD:gsub("provider: istio", "provider: contour"):gsub("threshold: 5",
      "threshold: 5\n    mirror: true")
    local found = findings(text)
    assert.same({ 1, 11, "spec.analysis.mirror", "expected a provider that mirrors in this strategy, found contour" },
      { #found, found[1].line, found[1].field, found[1].message })
  end)

  it("names an unknown variable of a query, whoever refers to the template", function()
    assert.same({ 24,
      "spec.query", 'query render error: line 1: function "namspace" not defined (did you mean namespace?)' },
      { table.unpack((function()
        local found = findings((GOOD:gsub("{{ namespace }}", "{{ namspace }}")))
        for _, finding in ipairs(found) do
          if finding.object:find("MetricTemplate") then return { finding.line, finding.field, finding.message } end
        end
      end)()) })
  end)

  it("says that a text which is no YAML is none, with its line", function()
    assert.same({ 2, "", "line 2, column 3: mapping values are not allowed in this context" },
      { table.unpack((function()
        local found = findings("a: b\n c: d\n")
        return { found[1].line, found[1].field, found[1].message }
      end)()) })
  end)

  it("finds a second Canary of one target, and of one name", function()
    local second = GOOD:match("^(.-)%-%-%-"):gsub("name: app, namespace", "name: other, namespace", 1)
    local found = findings(GOOD .. "---\n" .. second)
    assert.same({ 1, "expected a target of its own, found that of Canary demo/app" }, { #found, found[1].message })
    found = findings(GOOD .. "---\n" .. GOOD:match("^(.-)%-%-%-"))
    assert.same({ 1, "expected one of this name, found another one before it" }, { #found, found[1].message })
  end)

  it("lets a reference lead out of the files with --allow-missing, as a note", function()
    local path = verb.file((GOOD:match("^(.-)%-%-%-")))
    assert.equal(1, (verb.call("check", path)))
    local code, out = verb.call("check", "--allow-missing", path)
    assert.equal(0, code)
    assert.truthy(out:find(":14: note: Canary demo/app: spec.analysis.metrics[0].templateRef: expected the "
      .. "MetricTemplate demo/errors", 1, true) or out:find(":15: note: ", 1, true), out)
  end)

  for text, hint in pairs({ ["--allow-mising"] = "(did you mean --allow-missing?)",
    ["--output=yaml"] = "text or json" }) do
    it("is misused with " .. text, function()
      local code, out, err = verb.call("check", text, "x.yaml")
      assert.same({ 2, "" }, { code, out })
      assert.truthy(err:find(hint, 1, true), err)
    end)
  end

  it("is misused without a file, and with one that is not there", function()
    assert.equal(2, (verb.call("check")))
    local code, _, err = verb.call("check", "/nonexistent.yaml")
    assert.equal(2, code)
    assert.truthy(err:find("/nonexistent.yaml", 1, true))
  end)

  it("has a help text", function()
    local code, out = verb.call("check", "--help")
    assert.equal(0, code)
    assert.truthy(out:find("^usage: serin check"))
  end)
end)

describe("serin check of a script", function()
  it("finds nothing in the examples", function()
    local code, out = verb.call("check", "examples/scripts/policies/business_hours.lua",
      "examples/scripts/checks/either.lua", "examples/scripts/routers/weightfile.lua")
    assert.same({ 0, "3 scripts and 0 objects checked, 0 findings\n" }, { code, out })
  end)

  local function script(text)
    local library = require("spec.support.library")
    local dir = library.folder()
    library.write(dir, "checks/x.lua", text)
    local code, out = verb.call("check", dir .. "/checks/x.lua")
    library.clean()
    return code, (out:match("checks/(x%.lua[^\n]*)"))
  end

  it("names the line of a syntax error", function()
    local code, line = script("return {\n  name = \n")
    assert.equal(1, code)
    assert.truthy(line:find("^x%.lua:%d: script: "), line)
  end)

  it("finds what is wrong in the header, with the nearest name", function()
    local code, line = script('return { name = "x", api = 1, parms = {}, run = function() end }')
    assert.equal(1, code)
    assert.truthy(line:find("expected a known field, found \"parms\" (did you mean params?)", 1, true), line)
  end)

  --- What is found in a check with such a body.
  local function body(text, grants)
    local _, line = script(("return { name = \"x\", api = 1%s, run = function()\n%s\nend }"):format(
      grants and (", grants = { %q }"):format(grants) or "", text))
    return line
  end

  for text, message in pairs({
    ['local v = prom.qurey(nil, "up")'] = "prom.qurey: expected one of query, vector (did you mean query?)",
    ['local v = prom\n.qurey'] = "prom.qurey: expected one of query, vector (did you mean query?)",
    ["return verdit.pass{}"] = "verdit is not defined (did you mean verdict?)",
    ["return function() return verdict.passed{} end"] =
      "verdict.passed: expected one of error, fail, inconclusive, nodata, pass (did you mean pass?)",
    ["value = 1"] = "value: expected a local, found a global",
    ["print(1)"] = "print is not defined",
    ["return string.dump"] = "string.dump: expected one of byte, char, find, format, gmatch, gsub, len, lower, match, "
      .. "pack, packsize, rep, reverse, sub, unpack, upper",
    ['return http.request({ url = "http://x" })'] = "http is not granted: expected it in the header's grants",
  }) do
    it("finds before it is run: " .. text:gsub("\n", " "), function()
      assert.equal("x.lua:2: script: " .. message, body(text, "prom"))
    end)
  end

  it("finds no fault with locals, fields and what is granted", function()
    assert.is_nil(body("local prom = {} local print = prom.x return prom.anything, print, json.null", "prom"))
    assert.is_nil(body('local p = prom p = p.query(nil, "up") return clock.now() + #math.pi, utf8.char(p)', "prom"))
  end)

  it("names the line of what cannot be required", function()
    local _, line = script('-- a\n-- b\nlocal rates = require("lib.rats")\nreturn {}')
    assert.equal("x.lua:3: script: require: expected a script or a shipped module like util.object, found lib.rats",
      line)
  end)

  it("names the nearest grant", function()
    assert.equal("x.lua:1: script: grants[1]: expected prom, prom:URL, http:URL or kube:apiVersion/Kind, found promm "
      .. "(did you mean prom?)", body("return 1", "promm"))
  end)

  it("is made of the text of a MetricTemplate too", function()
    local list = findings([[
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: errors, namespace: demo}
spec:
  provider: {type: lua, address: "http://prometheus:9090"}
  query: |
    local value = prom.qurey(address, canary.name .. variables.x .. interval .. metric)
    return valeu
]])
    assert.same({
      { "spec.query", "line 1: prom.qurey: expected one of query, vector (did you mean query?)" },
      { "spec.query", "line 2: valeu is not defined" },
    }, { { list[1].field, list[1].message }, { list[2].field, list[2].message } })
  end)

  it("is told by the program's exit code", function()
    local program = io.popen("readlink /proc/$PPID/exe"):read("l"):gsub("serin_test$", "serin")
    local pipe = io.popen(program .. " check examples/scripts/checks/either.lua examples/scripts/lib/steps.lua 2>&1; "
      .. "echo exit $?")
    local out = pipe:read("a")
    pipe:close()
    assert.equal("2 scripts and 0 objects checked, 0 findings\nexit 0\n", out)
  end)

  it("finds a default that breaks its own rule", function()
    local code, line = script('return { name = "x", api = 1, params = { a = { type = "number", max = 1, default = 2 } }'
      .. ", run = function() end }")
    assert.equal(1, code)
    assert.truthy(line:find("params.a: expected at most 1, found 2", 1, true), line)
  end)
end)

describe("serin check of manifests that name scripts", function()
  local library = require("spec.support.library")
  local dir

  local FILES = {
    ["checks/burn.lua"] = [[
local burn = { name = "burn", api = 1, params = { most = { type = "number", max = 9, required = true } } }
function burn.run() return verdict.pass{} end
return burn]],
    ["checks/broken.lua"] = 'return {\n  name = "broken", api = 1, rum = tostring }',
    ["policies/ramp.lua"] = [[
local ramp = { name = "ramp", api = 1, own_weights = true, strategies = { "canary" },
  params = { start = { type = "integer", default = 5 }, max = { type = "integer", default = 50 } } }
function ramp.decide() return { action = "hold", reason = "none" } end
function ramp.check(params, path)
  if params.start > params.max then
    return ("%s.start: expected at most %d, found %d"):format(path, params.max, params.start)
  end
end
return ramp]],
    ["routers/file.lua"] = [[
return { name = "file", api = 1, weighted = true, mirrors = false, matches = false, affinity = false, resolution = 10,
  aliases = { "files" }, grants = { "kube:v1/ConfigMap" },
  reads = function() return { file = { apiVersion = "v1", kind = "ConfigMap", name = "x" } } end,
  prepare = tostring, routes = tostring, shift = tostring,
  restore = tostring }]],
    ["notify/card.lua"] = [[
return { name = "card", api = 1, params = { url = { type = "string" } }, render = tostring }]],
  }

  local CANARY = [[
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: demo}
spec:
  provider: file
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  service: {port: 80}
  analysis:
    interval: 1m
    threshold: 5
    policy: {name: ramp, params: {start: 5, max: 40}}
    metrics:
    - {name: burn, script: {name: burn, params: {most: 2}}}
---
apiVersion: flagger.app/v1beta1
kind: AlertProvider
metadata: {name: talk, namespace: demo}
spec: {type: lua, address: "http://chat", script: {name: card, params: {url: x}}}
]]

  before_each(function()
    dir = library.folder()
    for path, text in pairs(FILES) do library.write(dir, path, text) end
  end)

  after_each(function()
    library.clean()
    verb.clean()
  end)

  --- What is found when `from` is `to`.
  local function found(from, to)
    local list = findings((CANARY:gsub(from, to)), "--scripts", dir)
    local out = {}
    for index, item in ipairs(list) do out[index] = item.field .. ": " .. item.message end
    return out
  end

  it("finds nothing in what is right", function()
    assert.same({}, found("nothing", "else"))
    assert.same({}, found("provider: file", "provider: files"))
  end)

  for from, case in pairs({
    ["start: 5,"] = { "strat: 5,", 'spec.analysis.policy.params.strat: expected a known parameter '
      .. '(did you mean start?), found "strat"' },
    ["max: 40"] = { "max: 4", "spec.analysis.policy.params.start: expected at most 4, found 5" },
    ["name: ramp"] = { "name: rmap", "spec.analysis.policy.name: expected one of burn_rate, flagger, kayenta, "
      .. "sequential, steps, ramp, found rmap (did you mean ramp?)" },
    ["most: 2"] = { "most: 20", "spec.analysis.metrics[0].script.params.most: expected at most 9, found 20" },
    ["{most: 2}"] = { "{}", "spec.analysis.metrics[0].script.params.most: expected a value, found none" },
    ["name: burn, p"] = { "name: brun, p", "spec.analysis.metrics[0].script.name: expected the name of a check script, "
      .. "one of burn, found brun (did you mean burn?)" },
    ["name: burn, params: {most: 2}"] = { "name: broken", "spec.analysis.metrics[0].script.name: "
      .. "checks/broken.lua:2: run: expected a function, found none (found rum, did you mean run?)" },
    ["provider: file"] = { "provider: flie", "spec.provider: expected one of alb, apisix, appmesh, "
      .. "appmesh:v1beta2, contour, file, gatewayapi:v1, gatewayapi:v1beta1, gloo, haproxy, istio, knative, kong, "
      .. "kubernetes, kuma, linkerd, nginx, osm, replicas, skipper, smi:v1alpha1, smi:v1alpha2, smi:v1alpha3, "
      .. "traefik, found flie (did you mean file?)" },
    ["name: card"] = { "name: crad", "spec.script.name: expected the name of a notify script, one of card, found crad "
      .. "(did you mean card?)" },
    ["url: x"] = { "ulr: x", 'spec.script.params.ulr: expected a known parameter (did you mean url?), found "ulr"' },
  }) do
    it("finds " .. case[1], function() assert.same({ case[2] }, found(from, case[1])) end)
  end

  it("finds what a script is not made for", function()
    local list = table.concat(found("threshold: 5", "threshold: 5\n    match: [{headers: {x: {exact: y}}}]\n"
      .. "    iterations: 3"), "\n")
    assert.matches("a policy for the strategy ab-testing, found ramp (for canary)", list, 1, true)
    assert.matches("spec.analysis.match: expected a provider that routes by headers, found file", list, 1, true)
  end)

  it("finds a kind that the router's header does not grant", function()
    local file = FILES["routers/file.lua"]
    library.write(dir, "routers/file.lua", (file:gsub("kube:v1", "kube:apps/v1", 1)))
    assert.same({ "spec.provider: routers/file.lua: reads.file: expected a kind that is granted, like "
      .. '"kube:v1/ConfigMap" in the header, and that a router may write, found "ConfigMap"' },
      found("nothing", "else"))
  end)

  it("says where a provider of one's own is shown", function()
    local list = findings((CANARY:gsub("provider: file", "provider: own")))
    assert.matches("traefik, found own; --scripts DIR shows those of your own", list[1].message, 1, true)
  end)

  it("tells that a weight is rounded by the script's resolution", function()
    local list = found("policy: .*metrics", "stepWeight: 25\n    maxWeight: 50\n    metrics")
    assert.same({ "spec.analysis: the provider file moves traffic in steps of 10 %, so that 25 is rounded" }, list)
  end)
end)

describe("a job of the command line that fails", function()
  it("is told, and its exit code says so", function()
    local said = ""
    local code = require("cli.job").guarded(function() error("broken") end,
      { write = function(_, ...) said = said .. table.concat({ ... }) end })
    assert.equal(1, code)
    assert.matches("^serin: .*check_spec.lua:%d+: broken", said)
    assert.equal(0, require("cli.job").guarded(function() return 0 end))
  end)
end)
