local T = require("T")
local engine, json, kube = require("engine"), require("json"), require("kube")
local api = require("spec.support.api")
local run = require("spec.support.run")

local function in_job(fn, ...)
  local args = table.pack(...)
  return T.run(function() return fn(table.unpack(args, 1, args.n)) end)
end

describe("kube", function()
  after_each(run.stop)

  it("answers a look from the cache without a request", function()
    local e = run.start({ objects = { { "services", run.service("web") } } })
    in_job(kube.get, run.ref("Service", "web"))
    local before = #e.api.log
    local service = in_job(kube.get, run.ref("Service", "web"))
    assert.same({ n = 1 }, service.spec)
    assert.equal(before, #e.api.log)
  end)

  it("gives objects from lists their apiVersion and kind", function()
    run.start({ objects = { { "services", run.service("web") } } })
    local service = in_job(kube.get, run.ref("Service", "web"))
    assert.same({ "v1", "Service" }, { service.apiVersion, service.kind })
  end)

  it("gives every caller a copy of its own", function()
    run.start({ objects = { { "services", run.service("web") } } })
    in_job(kube.get, run.ref("Service", "web")).spec.n = 7
    assert.equal(1, in_job(kube.get, run.ref("Service", "web")).spec.n)
  end)

  it("leaves out the bookkeeping of field owners and keeps lists, integers and null", function()
    local object = run.service("web", { list = json.array(), n = 9007199254740993, nothing = json.null })
    object.metadata.managedFields = json.array({ { manager = "x" } })
    run.start({ objects = { { "services", object } } })
    local service = in_job(kube.get, run.ref("Service", "web"))
    assert.is_nil(service.metadata.managedFields)
    assert.equal('{"list":[],"n":9007199254740993,"nothing":null}', json.encode(service.spec))
  end)

  it("knows that an object is not there without asking for it", function()
    local e = run.start()
    local object, message, code = in_job(kube.get, run.ref("Service", "nope"))
    assert.is_nil(object)
    assert.same({ "Service nope.d not found", "NOT_FOUND" }, { message, code })
    assert.equal(0, e.api:count("/services/nope"))
  end)

  it("tells a kind that is not installed from an object that is not there", function()
    run.start()
    local ref = { apiVersion = "x.dev/v1", kind = "Gateway", namespace = "d", name = "web" }
    local _, message, code = in_job(kube.get, ref)
    assert.same({ "kind Gateway is not installed", "NOT_FOUND" }, { message, code })
  end)

  it("guesses the plural of an undeclared kind", function()
    local e = run.start()
    for kind, plural in pairs({ Gateway = "gateways", Proxy = "proxies", Mesh = "meshes", Class = "classes" }) do
      in_job(kube.get, { apiVersion = "x.dev/v1", kind = kind, namespace = "d", name = "web" })
      assert.is_true(e.api:count("^GET /apis/x.dev/v1/" .. plural .. "$") > 0)
    end
  end)

  it("reads its own write back at once, also when the watch is silent", function()
    local e = run.start({ objects = { { "services", run.service("web") } } })
    in_job(kube.get, run.ref("Service", "web"))
    e.api.quiet = true
    local n = in_job(function()
      kube.patch(run.ref("Service", "web"), { spec = { n = 2 } })
      return kube.get(run.ref("Service", "web")).spec.n
    end)
    assert.equal(2, n)
    assert.equal(0, e.api:count("^GET .*/services/web"))
  end)

  it("sends a merge patch, and one of a subresource to its path", function()
    local e, seen = run.start({ objects = { { "canaries", run.canary("web") } } }), nil
    e.api.lie = function(request)
      if request.method == "PATCH" then seen = request.headers("Content-Type") end
    end
    in_job(kube.patch, run.ref("Canary", "web"), { status = { phase = "x" } }, { subresource = "status" })
    assert.equal("application/merge-patch+json", seen)
    assert.equal(1, e.api:count("^PATCH /apis/flagger.app/v1beta1/namespaces/d/canaries/web/status$"))
  end)

  it("says CONFLICT when the version in the patch is not the newest", function()
    run.start({ objects = { { "services", run.service("web") } } })
    local _, message, code = in_job(kube.patch, run.ref("Service", "web"), { metadata = { resourceVersion = "1" } })
    assert.same({ "the object has been modified", "CONFLICT" }, { message, code })
  end)

  it("reads what cannot be watched, at each call anew", function()
    local e, n, seen = run.start(), 0, nil
    e.api.lie = function(request)
      if not request.path:find("external", 1, true) then return nil end
      n, seen = n + 1, request.query.labelSelector
      return api.answer(200, ('{"items": [], "n": %d}'):format(n))
    end
    local path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/d/m?labelSelector=a%3Db"
    assert.same({ items = {}, n = 1 }, in_job(kube.read, path))
    assert.equal(2, in_job(kube.read, path).n)
    assert.equal("a=b", seen)
  end)

  it("says why it cannot be read", function()
    local e = run.start()
    assert.equal("NOT_FOUND", select(3, in_job(kube.read, "/apis/x.y/v1/none")))
    e.api.lie = function(request) return request.path:find("x.y", 1, true) and api.failure(403, "no") or nil end
    assert.same({ "no", "FORBIDDEN" }, { select(2, in_job(kube.read, "/apis/x.y/v1/none")) })
    e.api.lie = function(request) return request.path:find("x.y", 1, true) and api.answer(200, "{") or nil end
    assert.equal("BAD_ANSWER", select(3, in_job(kube.read, "/apis/x.y/v1/none")))
  end)

  it("reads nothing outside of the API", function()
    local e = run.start()
    for _, path in ipairs({ "", "/", "/metrics", "/apis/", "/apis/../metrics", "/apis/%2e%2e/metrics", "/apis//x",
      "/apis/x y", "/apis/x#y", "/apis/x\n", "/apis/" .. ("x"):rep(4096), "/api/./v1" }) do
      assert.equal("INVALID", select(3, in_job(kube.read, path)), path)
    end
    assert.equal(0, e.api:count("metrics"))
    assert.has_error(function() in_job(kube.read, {}) end)
  end)

  it("creates, and returns what the server stored", function()
    run.start()
    local stored = in_job(kube.create, run.service("new"))
    assert.truthy(stored.metadata.uid)
    assert.equal("new", in_job(kube.get, run.ref("Service", "new")).metadata.name)
  end)

  it("knows its own deletion at once", function()
    local e = run.start({ objects = { { "services", run.service("web") } } })
    in_job(kube.get, run.ref("Service", "web"))
    e.api.quiet = true
    assert.is_true(in_job(kube.delete, run.ref("Service", "web"), { propagation = "Background" }))
    assert.equal("NOT_FOUND", select(3, in_job(kube.get, run.ref("Service", "web"))))
  end)

  it("lists what is watched from the start, by namespace or all", function()
    local other = run.canary("elsewhere")
    other.metadata.namespace = "dd"
    run.start({ objects = { { "canaries", run.canary("web") }, { "canaries", other } } })
    local all = in_job(kube.list, { apiVersion = "flagger.app/v1beta1", kind = "Canary" })
    local one = in_job(kube.list, { apiVersion = "flagger.app/v1beta1", kind = "Canary", namespace = "d" })
    assert.same({ 2, 1, "web" }, { #all, #one, one[1].metadata.name })
  end)

  it("raises when a kind that is not watched from the start is listed", function()
    run.start()
    assert.has_error(function() in_job(kube.list, run.ref("Service", "web")) end)
  end)

  it("writes events without waiting, and patches them", function()
    local e = run.start()
    in_job(kube.event, { apiVersion = "v1", kind = "Event", message = "m",
      metadata = { namespace = "d", name = "e1" } })
    run.await(function() return e.api.kinds.events["d/e1"] end, "the event")
    in_job(kube.event, { namespace = "d", name = "e1", patch = { count = 2 } })
    run.await(function() return e.api.kinds.events["d/e1"].count == 2 end, "its patch")
  end)

  for _, name in ipairs({ "", "a/b", "..", "../services", "a b", "a%2fb", ("x"):rep(300) }) do
    it(("refuses %q as a name before it sends anything"):format(name:sub(1, 12)), function()
      local e = run.start()
      local _, _, code = in_job(kube.patch, run.ref("Service", name), { spec = {} })
      assert.equal("INVALID", code)
      assert.equal(0, e.api:count("^PATCH"))
    end)
  end

  it("escapes a name that is legal but not plain", function()
    local e = run.start({ objects = { { "services", run.service("a:b?c") } } })
    in_job(kube.patch, run.ref("Service", "a:b?c"), { spec = { n = 2 } })
    assert.equal(2, e.api.kinds.services["d/a:b?c"].spec.n)
  end)

  local strangers = {
    ["another name"] = function(object) object.metadata.name = "other" end,
    ["another namespace"] = function(object) object.metadata.namespace = "other" end,
    ["another kind"] = function(object) object.kind = "Other" end,
    ["another uid"] = function(object) object.metadata.uid = "other" end,
  }
  for what, change in pairs(strangers) do
    it("takes no answer about " .. what, function()
      local e = run.start({ objects = { { "services", run.service("web") } } })
      local version = in_job(kube.get, run.ref("Service", "web")).metadata.resourceVersion
      e.api.lie = function(request)
        if request.method ~= "PATCH" then return nil end
        local object = run.service("web", { n = 666 })
        object.metadata.uid, object.metadata.resourceVersion = e.api.kinds.services["d/web"].metadata.uid, "9999"
        change(object)
        return api.answer(200, json.encode(object))
      end
      local patch = { metadata = { resourceVersion = version }, spec = { n = 2 } }
      assert.equal("BAD_ANSWER", select(3, in_job(kube.patch, run.ref("Service", "web"), patch)))
      assert.equal(1, in_job(kube.get, run.ref("Service", "web")).spec.n)
    end)
  end

  it("survives an answer that is no JSON", function()
    local e = run.start({ objects = { { "services", run.service("web") } } })
    e.api.lie = function(request) return request.method == "PATCH" and api.answer(200, "<html>") or nil end
    assert.equal("BAD_ANSWER", select(3, in_job(kube.patch, run.ref("Service", "web"), { spec = {} })))
  end)

  it("works inside jobs only", function()
    run.start()
    for _, name in ipairs({ "get", "list", "patch", "create", "delete", "event" }) do
      assert.has_error(function() kube[name](run.service("web"), {}) end)
    end
  end)

  it("says CANCELLED when the engine is not started", function()
    assert.equal("CANCELLED", select(3, in_job(kube.get, run.ref("Service", "web"))))
  end)

  it("names the field that has a wrong type", function()
    run.start()
    local ok, message = pcall(in_job, kube.get, { apiVersion = 1, kind = "Service", name = "x" })
    assert.is_false(ok)
    assert.truthy(message:find("apiVersion", 1, true))
  end)

  it("keeps to one namespace when told so, and still reads single objects elsewhere", function()
    local far = run.service("far")
    far.metadata.namespace = "e"
    local e = run.start({ namespace = "d", objects = { { "services", run.service("web") }, { "services", far } } })
    assert.equal("web", in_job(kube.get, run.ref("Service", "web")).metadata.name)
    assert.equal("far", in_job(kube.get, run.ref("Service", "far", "e")).metadata.name)
    assert.equal(0, e.api:count("^GET /api/v1/services"))
    assert.equal(1, e.api:count("^GET /api/v1/namespaces/d/services$"))
  end)

  it("counts its requests", function()
    run.start({ objects = { { "services", run.service("web") } } })
    in_job(kube.get, run.ref("Service", "web"))
    local before = engine.stats()
    in_job(kube.patch, run.ref("Service", "web"), { spec = { n = 2 } })
    in_job(kube.patch, run.ref("Service", "nope"), { spec = { n = 2 } })
    local after = engine.stats()
    assert.same({ 2, 1 }, { after.requests - before.requests, after.request_errors - before.request_errors })
  end)
end)
