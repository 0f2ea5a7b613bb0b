local json = require("json")
local client = require("spec.support.client")
local world = require("sandbox.world")

local DEPLOYMENTS, WEB = "/apis/apps/v1/namespaces/demo/deployments", "/apis/apps/v1/namespaces/demo/deployments/web"
local MAPS, MAP = "/api/v1/namespaces/demo/configmaps", "/api/v1/namespaces/demo/configmaps/a"
local TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
local PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
local PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

local DEPLOYMENT = [[
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: demo}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "podinfo:1"}, {name: side, image: "side:1"}]}
]]

local function cluster(manifests, options)
  local w = world.new(options)
  if manifests then w:apply(manifests) end
  return client.new(w), w
end

local function map(name, more)
  local object = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = name }, data = { x = "1" } }
  for key, value in pairs(more or {}) do object[key] = value end
  return object
end

--- A cluster with ConfigMaps of these names.
local function maps(...)
  local c, w = cluster()
  for _, name in ipairs({ ... }) do c:ask("POST", MAPS, { body = map(name) }) end
  return c, w
end

local function names(list)
  local out = {}
  for index, item in ipairs(list.items) do out[index] = item.metadata.name end
  return table.concat(out, " ")
end

local function find(list, key, value)
  for _, item in ipairs(list) do
    if item[key] == value then return item end
  end
end

describe("discovery", function()
  it("tells the version", function()
    assert.truthy(cluster():get("/version").gitVersion:find("^v1%.%d+%."))
  end)

  it("names the core's versions", function()
    assert.same({ "v1" }, cluster():get("/api").versions)
  end)

  it("names groups with their versions and the preferred one", function()
    local group = find(cluster():get("/apis").groups, "name", "networking.istio.io")
    assert.same({ 3, "networking.istio.io/v1" }, { #group.versions, group.preferredVersion.groupVersion })
  end)

  it("describes one group", function()
    assert.equal("apps", cluster():get("/apis/apps").name)
  end)

  it("lists resources with scope, short names and subresources", function()
    local list = cluster():get("/apis/apps/v1")
    local entry = find(list.resources, "name", "deployments")
    assert.same({ "apps/v1", "Deployment", true, "deploy" },
      { list.groupVersion, entry.kind, entry.namespaced, entry.shortNames[1] })
    assert.is_table(find(list.resources, "name", "deployments/status"))
    assert.equal("Scale", find(list.resources, "name", "deployments/scale").kind)
  end)

  it("lists the core's resources", function()
    assert.is_false(find(cluster():get("/api/v1").resources, "name", "namespaces").namespaced)
  end)

  it("leaves out what is not installed", function()
    local c, w = cluster()
    w.api.kinds:uninstall("TraefikService")
    w.api.kinds:uninstall("IngressRoute")
    assert.is_nil(find(c:get("/apis").groups, "name", "traefik.io"))
    assert.equal(404, select(2, c:get("/apis/traefik.io/v1alpha1")))
  end)

  it("says that the server checks fields itself, which kubectl apply asks", function()
    local c = cluster()
    local path = c:get("/openapi/v3").paths["apis/apps/v1"].serverRelativeURL
    assert.equal("fieldValidation", c:get(path).paths["/deployments"].patch.parameters[1].name)
  end)

  for _, path in ipairs({ "/healthz", "/livez", "/readyz", "/-/healthy", "/-/ready" }) do
    it("is well at " .. path, function()
      assert.equal(200, cluster():raw("GET", path).status)
    end)
  end

  it("refuses to be written to", function()
    local status, code = cluster():ask("POST", "/version")
    assert.same({ 405, "MethodNotAllowed" }, { code, status.reason })
  end)
end)

describe("a path that leads nowhere", function()
  for _, path in ipairs({ "", "/", "//", "/nope", "/api", "/api/v2", "/api/v1/nosuch", "/api/v1//pods",
    "/apis/apps/v9/deployments", "/apis/nosuch/v1/things", "/api/v1/namespaces/demo/nodes", "/api/v1/pods/web",
    "/api/v1/nodes/a/b/c", WEB .. "/nosuch", WEB .. "/status/more", MAP .. "/status", "/apis/apps",
    "/openapi/v3/nosuch", "/api/v1/a/b/c/d/e/f", "/apis/" .. ("x/"):rep(5000) }) do
    it(("is answered without a crash: %.60s"):format(path), function()
      local answer = cluster():raw("GET", path)
      assert.is_true(answer.status == 200 or json.decode(answer.body).kind == "Status")
    end)
  end

  for _, path in ipairs({ "/apis/apps/v9/namespaces/demo/deployments", "/apis/apps/v9/namespaces/demo/deployments/web",
    "/api/v1/namespaces/demo/nodes", "/apis/apps/v1/deployments/web", WEB .. "/nosuch", MAP .. "/status",
    MAP .. "/scale" }) do
    it(("is not found: %s"):format(path), function()
      assert.equal(404, cluster(DEPLOYMENT):raw("GET", path).status)
    end)
  end

  it("is not found, and says so in a Status", function()
    local status, code = cluster():get("/api/v1/namespaces/demo/nosuch/web")
    assert.same({ 404, "Status", "Failure", "NotFound", 404 },
      { code, status.kind, status.status, status.reason, status.code })
  end)
end)

describe("GET", function()
  it("gives an object under the version that was asked for", function()
    local c, w = cluster()
    w:apply("{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: a, namespace: demo}}")
    local object = c:get("/apis/networking.istio.io/v1beta1/namespaces/demo/virtualservices/a")
    assert.same({ "networking.istio.io/v1beta1", "VirtualService" }, { object.apiVersion, object.kind })
  end)

  it("names what is not there", function()
    local status = cluster():get(WEB)
    assert.equal('deployments.apps "web" not found', status.message)
    assert.same({ name = "web", group = "apps", kind = "deployments" }, status.details)
  end)

  it("gives metadata only", function()
    local object = maps("a"):get(MAP, {}, PARTIAL)
    assert.same({ "PartialObjectMetadata", "a", nil }, { object.kind, object.metadata.name, object.data })
  end)

  it("gives the first form of those accepted that it has", function()
    local object = maps("a"):get(MAP, {}, "application/vnd.kubernetes.protobuf, application/json")
    assert.equal("ConfigMap", object.kind)
  end)

  it("refuses when it has none of the forms", function()
    local status, code = maps("a"):get(MAP, {}, "application/vnd.kubernetes.protobuf")
    assert.same({ 406, "NotAcceptable" }, { code, status.reason })
  end)

  it("gives /scale", function()
    local scale = cluster(DEPLOYMENT):get(WEB .. "/scale")
    assert.same({ "Scale", 2, "app=web" }, { scale.kind, scale.spec.replicas, scale.status.selector })
  end)

  it("gives /status", function()
    assert.equal("Deployment", cluster(DEPLOYMENT):get(WEB .. "/status").kind)
  end)
end)

describe("a list", function()
  it("has the version from which to watch", function()
    local list = maps("b", "a"):get(MAPS)
    assert.same({ "ConfigMapList", "v1", "a b", "2" },
      { list.kind, list.apiVersion, names(list), list.metadata.resourceVersion })
  end)

  it("of a compiled kind has items without their kind", function()
    assert.is_nil(maps("a"):get(MAPS).items[1].kind)
  end)

  it("of a custom resource has items with their kind", function()
    local c, w = cluster()
    w:apply("{apiVersion: flagger.app/v1beta1, kind: MetricTemplate, metadata: {name: a, namespace: demo}, "
      .. "spec: {provider: {type: prometheus}, query: x}}")
    assert.equal("MetricTemplate", c:get("/apis/flagger.app/v1beta1/metrictemplates").items[1].kind)
  end)

  it("of routes of the Gateway API has items with their kind, as those are custom resources", function()
    local c, w = cluster()
    w:apply("{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a, namespace: d}, spec: {}}")
    assert.equal("HTTPRoute", c:get("/apis/gateway.networking.k8s.io/v1/httproutes").items[1].kind)
  end)

  it("of nothing is a list", function()
    local answer = cluster():raw("GET", MAPS)
    assert.truthy(answer.body:find('"items":[]', 1, true))
  end)

  it("comes in pages", function()
    local c = maps("a", "b", "c")
    local first = c:get(MAPS, { limit = "2" })
    local second = c:get(MAPS, { limit = "2", continue = first.metadata.continue })
    assert.same({ "a b", "c", nil }, { names(first), names(second), second.metadata.continue })
  end)

  it("refuses a bad continue token", function()
    local status, code = maps("a"):get(MAPS, { limit = "1", continue = "rubbish" })
    assert.same({ 400, "BadRequest" }, { code, status.reason })
  end)

  it("ends when a continue token is too old", function()
    local c, w = cluster(nil, { history = 2 })
    for _, name in ipairs({ "a", "b" }) do c:ask("POST", MAPS, { body = map(name) }) end
    local token = c:get(MAPS, { limit = "1" }).metadata.continue
    for index = 1, 5 do w:apply(map("n" .. index)) end
    local status, code = c:get(MAPS, { limit = "1", continue = token })
    assert.same({ 410, "Expired" }, { code, status.reason })
  end)

  it("holds what selectors choose", function()
    local c = maps("a", "b")
    c:ask("POST", MAPS, { body = map("c", { metadata = { name = "c", labels = { app = "x" } } }) })
    assert.equal("c", names(c:get(MAPS, { labelSelector = "app=x" })))
    assert.equal("b", names(c:get(MAPS, { fieldSelector = "metadata.name=b" })))
  end)

  it("refuses a selector that cannot be read", function()
    local status, code = maps("a"):get(MAPS, { fieldSelector = "data.x=1" })
    assert.same({ 400, "field label not supported: data.x" }, { code, status.message })
  end)

  for version, wanted in pairs({ ["0"] = 200, ["1"] = 200, ["99"] = 504, x = 400 }) do
    it(("at resourceVersion %s is answered with %d"):format(version, wanted), function()
      assert.equal(wanted, (select(2, maps("a"):get(MAPS, { resourceVersion = version }))))
    end)
  end

  it("at exactly a version that is past has ended", function()
    local _, code = maps("a", "b"):get(MAPS, { resourceVersion = "1", resourceVersionMatch = "Exact" })
    assert.equal(410, code)
  end)

  it("gives metadata only", function()
    local list = maps("a"):get(MAPS, {}, PARTIAL_LIST)
    assert.same({ "PartialObjectMetadataList", "PartialObjectMetadata", nil },
      { list.kind, list.items[1].kind, list.items[1].data })
  end)

  it("is a table for people", function()
    local c, w = cluster(DEPLOYMENT)
    w:advance(130)
    local rows = c:get(DEPLOYMENTS, {}, TABLE)
    local titles = {}
    for index, column in ipairs(rows.columnDefinitions) do titles[index] = column.name end
    assert.same({ "Name", "Ready", "Up-to-date", "Available", "Age" }, titles)
    assert.same({ "web", "2/2", 2, 2, "2m10s" }, rows.rows[1].cells)
    assert.equal("web", rows.rows[1].object.metadata.name)
  end)

  it("is a table of every kind there is", function()
    local c, w = cluster(DEPLOYMENT)
    w:advance(5)
    for _, entry in ipairs(w.api.kinds.order) do
      local prefix = entry.group == "" and "/api/v1/" or ("/apis/%s/%s/"):format(entry.group, entry.version)
      assert.equal("Table", c:get(prefix .. entry.plural, {}, TABLE).kind)
    end
  end)
end)

describe("POST", function()
  it("creates in the namespace of the path", function()
    local c = cluster()
    local object, status = c:ask("POST", MAPS, { body = map("a") })
    assert.same({ 201, "demo" }, { status, object.metadata.namespace })
    assert.equal(200, select(2, c:get(MAP)))
  end)

  it("takes YAML", function()
    local _, status = cluster():ask("POST", MAPS, { body = "metadata: {name: a}",
      headers = { ["Content-Type"] = "application/yaml" } })
    assert.equal(201, status)
  end)

  it("says that a name is taken", function()
    local status, code = maps("a"):ask("POST", MAPS, { body = map("a") })
    assert.same({ 409, "AlreadyExists", "a" }, { code, status.reason, status.details.name })
  end)

  it("says what is invalid, where kubectl looks for it", function()
    local status, code = cluster():ask("POST", DEPLOYMENTS, { body = { metadata = { name = "web" }, spec = {} } })
    assert.same({ 422, "Invalid" }, { code, status.reason })
    assert.truthy(status.details.causes[1].message:find("spec.selector: Required value", 1, true))
  end)

  for what, body in pairs({
    ["no JSON"] = "{", ["an empty text"] = "", ["a list"] = "[]", ["a number"] = "5", ["null"] = "null",
    ["another kind"] = { apiVersion = "v1", kind = "Secret", metadata = { name = "a" } },
    ["another version"] = { apiVersion = "v2", metadata = { name = "a" } },
    ["another namespace"] = { metadata = { name = "a", namespace = "other" } },
    ["metadata that is a text"] = { metadata = "x" },
    ["a deep list"] = ("["):rep(100000),
  }) do
    it("refuses " .. what, function()
      local status, code = cluster():ask("POST", MAPS, { body = body })
      assert.same({ 400, "BadRequest" }, { code, status.reason })
    end)
  end

  for what, metadata in pairs({ ["a name that is a number"] = { name = 5 }, ["no name"] = {},
    ["a name in capitals"] = { name = "A" }, ["labels that are a text"] = { name = "a", labels = "x" },
    ["owners that are texts"] = { name = "a", ownerReferences = json.array({ "x" }) } }) do
    it("refuses " .. what, function()
      assert.equal(422, (select(2, cluster():ask("POST", MAPS, { body = { metadata = metadata } }))))
    end)
  end

  it("refuses other media", function()
    local status, code = cluster():ask("POST", MAPS, { body = "x",
      headers = { ["Content-Type"] = "application/vnd.kubernetes.protobuf" } })
    assert.same({ 415, "UnsupportedMediaType" }, { code, status.reason })
  end)

  it("refuses to pretend", function()
    local c = cluster()
    local status = c:ask("POST", MAPS, { body = map("a"), query = { dryRun = "All" } })
    assert.equal("dryRun is not supported here", status.message)
    assert.equal(404, select(2, c:get(MAP)))
  end)

  for _, path in ipairs({ "/api/v1/configmaps", MAP }) do
    it("is not allowed at " .. path, function()
      assert.equal(405, (select(2, cluster():ask("POST", path, { body = map("a") }))))
    end)
  end
end)

describe("PATCH", function()
  it("merges", function()
    local object, status = maps("a"):patch(MAP, { data = { x = json.null, y = "2" } })
    assert.same({ 200, { y = "2" } }, { status, object.data })
  end)

  it("is refused when the object has changed", function()
    local status, code = maps("a"):patch(MAP, { metadata = { resourceVersion = "9" } })
    assert.same({ 409, "Conflict" }, { code, status.reason })
  end)

  it("of the status leaves the rest", function()
    local object = cluster(DEPLOYMENT):patch(WEB .. "/status", { status = { replicas = 9 }, spec = { replicas = 9 } })
    assert.same({ 9, 2 }, { object.status.replicas, object.spec.replicas })
  end)

  it("of the scale sets the replicas", function()
    local c = cluster(DEPLOYMENT)
    assert.equal(5, c:patch(WEB .. "/scale", { spec = { replicas = 5 } }).spec.replicas)
    assert.equal(5, c:get(WEB).spec.replicas)
  end)

  it("carries out JSON patches", function()
    local patch = json.array({ { op = "replace", path = "/data/x", value = "2" } })
    assert.equal("2", maps("a"):patch(MAP, patch, "application/json-patch+json").data.x)
  end)

  it("merges containers by name in strategic patches", function()
    local containers = json.array({ { name = "app", image = "podinfo:2" } })
    local object = cluster(DEPLOYMENT):patch(WEB, { spec = { template = { spec = { containers = containers } } } },
      "application/strategic-merge-patch+json")
    containers = object.spec.template.spec.containers
    assert.same({ "podinfo:2", "side:1" }, { containers[1].image, containers[2].image })
  end)

  it("takes strategic patches of compiled kinds only", function()
    local _, code = cluster():patch("/apis/flagger.app/v1beta1/namespaces/demo/canaries/a", {},
      "application/strategic-merge-patch+json")
    assert.equal(415, code)
  end)

  it("says which media it takes", function()
    local status, code = maps("a"):patch(MAP, "x: 1", "application/apply-patch+yaml")
    assert.equal(415, code)
    assert.truthy(status.message:find("application/merge-patch+json", 1, true))
  end)

  for _, body in ipairs({ "", "{", "[]", "1", "null", '"x"' }) do
    it(("refuses %q"):format(body), function()
      assert.equal(400, (select(2, maps("a"):patch(MAP, body))))
    end)
  end

  it("is not allowed on a collection", function()
    assert.equal(405, (select(2, maps("a"):patch(MAPS, {}))))
  end)
end)

describe("PUT", function()
  it("puts an object in the place of another", function()
    local object, status = maps("a"):ask("PUT", MAP, { body = map("a", { data = { y = "2" } }) })
    assert.same({ 200, { y = "2" } }, { status, object.data })
  end)

  it("is refused when the object has changed", function()
    local body = map("a", { metadata = { name = "a", resourceVersion = "9" } })
    assert.equal(409, (select(2, maps("a"):ask("PUT", MAP, { body = body }))))
  end)

  it("is refused for another name", function()
    local status = maps("a"):ask("PUT", MAP, { body = map("b") })
    assert.equal("the name of the object (b) does not match the name on the URL (a)", status.message)
  end)

  it("of the scale sets the replicas", function()
    local c = cluster(DEPLOYMENT)
    local scale = c:get(WEB .. "/scale")
    scale.spec.replicas = 4
    assert.equal(4, c:ask("PUT", WEB .. "/scale", { body = scale }).spec.replicas)
  end)

  it("of a scale without a number is refused", function()
    local c = cluster(DEPLOYMENT)
    assert.equal(422, (select(2, c:ask("PUT", WEB .. "/scale", { body = { spec = { replicas = "x" } } }))))
  end)
end)

describe("DELETE", function()
  it("says what went", function()
    local c = maps("a")
    local uid = c:get(MAP).metadata.uid
    local status, code = c:ask("DELETE", MAP)
    assert.same({ 200, "Success", "a", uid }, { code, status.status, status.details.name, status.details.uid })
    assert.equal(404, select(2, c:get(MAP)))
  end)

  it("gives the object when finalizers hold it", function()
    local c = cluster()
    c:ask("POST", MAPS, { body = map("a", { metadata = { name = "a", finalizers = json.array({ "x" }) } }) })
    local object = c:ask("DELETE", MAP)
    assert.same({ "ConfigMap", "string" }, { object.kind, type(object.metadata.deletionTimestamp) })
  end)

  it("keeps to the preconditions in its body", function()
    local c = maps("a")
    local options = { kind = "DeleteOptions", apiVersion = "v1", preconditions = { uid = "other" } }
    local status, code = c:ask("DELETE", MAP, { body = options })
    assert.same({ 409, "Conflict" }, { code, status.reason })
    assert.equal(200, select(2, c:get(MAP)))
  end)

  it("leaves dependents when it is asked to orphan them", function()
    local c, w = cluster(DEPLOYMENT)
    w:advance(5)
    c:ask("DELETE", WEB, { body = { propagationPolicy = "Orphan" } })
    assert.equal(2, #c:get("/api/v1/pods").items)
  end)

  it("of a collection takes what its selector chooses", function()
    local c = maps("a", "b")
    c:ask("DELETE", MAPS, { query = { fieldSelector = "metadata.name=a" } })
    assert.equal("b", names(c:get(MAPS)))
  end)

  it("refuses a body that cannot be read", function()
    assert.equal(400, (select(2, maps("a"):ask("DELETE", MAP, { body = "{" }))))
  end)

  it("refuses to pretend", function()
    local c = maps("a")
    assert.equal(400, (select(2, c:ask("DELETE", MAP, { body = { dryRun = json.array({ "All" }) } }))))
    assert.equal(200, select(2, c:get(MAP)))
  end)
end)

describe("a method that nobody knows", function()
  it("is not allowed", function()
    assert.equal(405, (select(2, maps("a"):ask("BREW", MAP))))
  end)
end)

describe("Prometheus", function()
  for method, request in pairs({ GET = { query = { query = "1 + 1" } }, POST = { body = "query=1+%2B+1&time=5" } }) do
    it("answers a query by " .. method, function()
      local body = cluster():ask(method, "/api/v1/query", request)
      assert.same({ "success", "2" }, { body.status, body.data.result[2] })
    end)
  end

  it("refuses a query that it cannot read", function()
    local body, status = cluster():ask("GET", "/api/v1/query", { query = { query = "sum(" } })
    assert.same({ 400, "bad_data" }, { status, body.errorType })
  end)

  it("refuses to be asked for nothing", function()
    assert.equal(400, (select(2, cluster():ask("GET", "/api/v1/query"))))
  end)

  it("notes what it is asked, and breaks as a scenario says", function()
    local c, w = cluster()
    w.http_fault = function() return "reset" end
    assert.equal("reset", c:raw("GET", "/api/v1/query", { query = { query = "1" } }).fault)
    assert.equal("/api/v1/query", w.requests[1].url)
  end)
end)

describe("a fault", function()
  local function answer(fault)
    local c, w = maps("a")
    w.api.fault = function() return fault end
    return c:raw("GET", MAP), w
  end

  for fault, wanted in pairs({ reset = "reset", truncate = "truncate", silence = "silence", UNREACHABLE = "reset",
    TIMEOUT = "silence" }) do
    it("of " .. fault .. " breaks the connection", function()
      assert.equal(wanted, answer({ before = fault }).fault)
    end)
  end

  for code, status in pairs({ CONFLICT = 409, NOT_FOUND = 404, GONE = 410, INVALID = 422, FORBIDDEN = 403,
    BAD_ANSWER = 500, THROTTLED = 429 }) do
    it("of " .. code .. " is an answer", function()
      assert.equal(status, answer({ before = code }).status)
    end)
  end

  it("of throttling says for how long", function()
    local out = answer({ before = { code = "THROTTLED", retry_after = 7 } })
    assert.same({ "7", 7 }, { out.headers["Retry-After"], json.decode(out.body).details.retryAfterSeconds })
  end)

  it("of somebody else's object is an answer", function()
    assert.equal("somebody-else", json.decode(answer({ after = "wrong" }).body).metadata.name)
  end)

  it("after a write lets the write be", function()
    local c, w = maps("a")
    w.api.fault = function(call) return call.verb == "patch" and { after = "reset" } or nil end
    assert.equal("reset", c:raw("PATCH", MAP, { body = { data = { x = "2" } },
      headers = { ["Content-Type"] = "application/merge-patch+json" } }).fault)
    assert.equal("2", c:get(MAP).data.x)
  end)

  it("may meet a watch", function()
    local c, w = maps("a")
    w.api.fault = function(call) return call.verb == "watch" and { before = "GONE" } or nil end
    assert.equal(410, c:raw("GET", MAPS, { query = { watch = "true" } }).status)
  end)
end)
