local json = require("json")
local api = require("sandbox.api")

local SERVICE = { apiVersion = "v1", kind = "Service", namespace = "demo", name = "web" }
local DEPLOYMENT = { apiVersion = "apps/v1", kind = "Deployment", namespace = "demo", name = "web" }

local function service(name, more)
  local object = { apiVersion = "v1", kind = "Service", metadata = { namespace = "demo", name = name },
    spec = { selector = { app = "web" }, ports = json.array({ { port = 80 } }) } }
  for key, value in pairs(more or {}) do object.metadata[key] = value end
  return object
end

local function deployment(name)
  return { apiVersion = "apps/v1", kind = "Deployment", metadata = { namespace = "demo", name = name },
    spec = { selector = { matchLabels = { app = "web" } }, template = { metadata = { labels = { app = "web" } },
      spec = { containers = json.array({ { name = "app", image = "podinfo:1" } }) } } } }
end

local function cluster()
  return api.new({ now = function() return 1767225600 end })
end

local function code_of(...)
  return (select(3, ...))
end

describe("sandbox.api", function()
  describe("create", function()
    it("stores under a version, a uid and a time of its own", function()
      local metadata = cluster():create(service("web")).metadata
      assert.same({ "1", "2026-01-01T00:00:00Z" }, { metadata.resourceVersion, metadata.creationTimestamp })
      assert.truthy(metadata.uid:find("^%x+%-%x+%-%x+%-%x+%-%x+$"))
    end)

    it("fills in what an API server would", function()
      local spec = cluster():create(deployment("web")).spec
      assert.same({ 1, 600, "RollingUpdate" }, { spec.replicas, spec.progressDeadlineSeconds, spec.strategy.type })
    end)

    it("drops the status of a kind that has a subresource for it", function()
      local object = deployment("web")
      object.status = { replicas = 7 }
      assert.is_nil(cluster():create(object).status.replicas)
    end)

    it("gives a generated name", function()
      local object = service(nil, { generateName = "web-" })
      assert.truthy(cluster():create(object).metadata.name:find("^web%-%w%w%w%w%w$"))
    end)

    it("says that a name is taken", function()
      local c = cluster()
      c:create(service("web"))
      local _, message, code = c:create(service("web"))
      assert.same({ 'services "web" already exists', "EXISTS" }, { message, code })
    end)

    it("refuses what a schema would, with every reason", function()
      local object = deployment("web")
      object.spec.selector.matchLabels.app, object.spec.replicas = "other", -1
      local _, message, code = cluster():create(object)
      assert.equal("INVALID", code)
      assert.truthy(message:find("`selector` does not match template `labels`, spec.replicas: Invalid value", 1, true))
    end)

    it("refuses a kind that is not installed", function()
      local c = cluster()
      c.kinds:uninstall("Service")
      assert.equal("NOT_FOUND", code_of(c:create(service("web"))))
    end)

    it("leaves what it was given alone and keeps a copy", function()
      local c, sent = cluster(), service("web")
      c:create(sent).spec.selector.app = "changed"
      assert.is_nil(sent.metadata.uid)
      assert.equal("web", c:get(SERVICE).spec.selector.app)
    end)
  end)

  describe("patch", function()
    it("merges objects, replaces lists and removes what is null", function()
      local c = cluster()
      c:create(service("web", { labels = { a = "1", b = "2" } }))
      local out = c:patch(SERVICE, { metadata = { labels = { a = json.null, c = "3" } },
        spec = { ports = json.array({ { port = 81 } }) } })
      assert.same({ b = "2", c = "3" }, out.metadata.labels)
      assert.equal(1, #out.spec.ports)
    end)

    it("that changes nothing makes no new version", function()
      local c = cluster()
      c:create(service("web"))
      assert.equal("1", c:patch(SERVICE, { spec = { selector = { app = "web" } } }).metadata.resourceVersion)
    end)

    it("is refused when its resourceVersion is not the stored one", function()
      local c = cluster()
      c:create(service("web"))
      local _, message, code = c:patch(SERVICE, { metadata = { resourceVersion = "7" }, spec = { type = "NodePort" } })
      assert.equal("CONFLICT", code)
      assert.truthy(message:find('Operation cannot be fulfilled on services "web"', 1, true))
      assert.equal("ClusterIP", c:get(SERVICE).spec.type)
    end)

    it("is carried out when its resourceVersion is the stored one", function()
      local c = cluster()
      c:create(service("web"))
      assert.equal("2", c:patch(SERVICE, { metadata = { resourceVersion = "1", labels = { a = "b" } } })
        .metadata.resourceVersion)
    end)

    it("raises the generation with the spec, not with labels", function()
      local c = cluster()
      c:create(deployment("web"))
      assert.equal(1, c:patch(DEPLOYMENT, { metadata = { labels = { a = "b" } } }).metadata.generation)
      assert.equal(2, c:patch(DEPLOYMENT, { spec = { replicas = 3 } }).metadata.generation)
    end)

    it("raises the generation of a Deployment with its annotations", function()
      local c = cluster()
      c:create(deployment("web"))
      assert.equal(2, c:patch(DEPLOYMENT, { metadata = { annotations = { a = "b" } } }).metadata.generation)
    end)

    it("does not touch the status", function()
      local c = cluster()
      c:create(deployment("web"))
      assert.is_nil(c:patch(DEPLOYMENT, { status = { replicas = 4 } }).status.replicas)
    end)

    it("of the status touches nothing else", function()
      local c = cluster()
      c:create(deployment("web"))
      local out = c:patch(DEPLOYMENT, { status = { replicas = 4 }, spec = { replicas = 9 } },
        { subresource = "status" })
      assert.same({ 4, 1, 1 }, { out.status.replicas, out.spec.replicas, out.metadata.generation })
    end)

    it("changes neither name, uid nor time of creation", function()
      local c = cluster()
      local before = c:create(service("web")).metadata
      local after = c:patch(SERVICE, { metadata = { name = "x", uid = "y", creationTimestamp = "z" } }).metadata
      assert.same(before, after)
    end)

    it("of what does not exist is refused", function()
      assert.equal("NOT_FOUND", code_of(cluster():patch(SERVICE, {})))
    end)

    it("that would make the object invalid is refused", function()
      local c = cluster()
      c:create(deployment("web"))
      local _, message, code = c:patch(DEPLOYMENT, { spec = { selector = { matchLabels = { app = "x" } } } })
      assert.equal("INVALID", code)
      assert.truthy(message:find("field is immutable", 1, true))
    end)

    for path, patch in pairs({ metadata = { metadata = json.null }, spec = { spec = 5 },
      ["spec.template"] = { spec = { template = "x" } }, ["metadata.labels"] = { metadata = { labels = "x" } },
      ["metadata.labels.a"] = { metadata = { labels = { a = 1 } } },
      ["spec.template.spec.containers[0]"] = {
        spec = { template = { spec = { containers = json.array({ 1 }) } } } } }) do
      it("is refused when it gives " .. path .. " a wrong type", function()
        local c = cluster()
        c:create(deployment("web"))
        local _, message, code = c:patch(DEPLOYMENT, patch)
        assert.equal("INVALID", code)
        assert.equal(path, message:match("^([^:]+):"))
      end)
    end
  end)

  describe("update", function()
    it("puts a whole object in place", function()
      local c = cluster()
      local object = c:create(service("web", { labels = { a = "1" } }))
      object.metadata.labels = nil
      assert.is_nil(c:update(object).metadata.labels)
    end)

    it("is refused when the object has changed since", function()
      local c = cluster()
      local object = c:create(service("web"))
      c:patch(SERVICE, { metadata = { labels = { a = "1" } } })
      assert.equal("CONFLICT", code_of(c:update(object)))
    end)

    it("does not create", function()
      assert.equal("NOT_FOUND", code_of(cluster():update(service("web"))))
    end)
  end)

  describe("delete", function()
    it("takes the object away and gives its last state", function()
      local c = cluster()
      c:create(service("web"))
      assert.equal("web", c:delete(SERVICE).metadata.name)
      assert.equal("NOT_FOUND", code_of(c:get(SERVICE)))
    end)

    for key, value in pairs({ uid = "other", resourceVersion = "9" }) do
      it("is refused when the " .. key .. " is another one", function()
        local c = cluster()
        c:create(service("web"))
        assert.equal("CONFLICT", code_of(c:delete(SERVICE, { [key] = value })))
        assert.is_table(c:get(SERVICE))
      end)
    end

    it("only marks what finalizers hold, until the last one goes", function()
      local c = cluster()
      c:create(service("web", { finalizers = json.array({ "a", "b" }) }))
      c:delete(SERVICE)
      assert.equal("2026-01-01T00:00:00Z", c:get(SERVICE).metadata.deletionTimestamp)
      c:patch(SERVICE, { metadata = { finalizers = json.array({ "b" }) } })
      assert.is_table(c:get(SERVICE))
      c:patch(SERVICE, { metadata = { finalizers = json.null } })
      assert.is_nil(c:get(SERVICE))
    end)

    it("of what is going already changes nothing", function()
      local c = cluster()
      c:create(service("web", { finalizers = json.array({ "a" }) }))
      c:delete(SERVICE)
      local before = c:get(SERVICE)
      c:delete(SERVICE)
      assert.same(before, c:get(SERVICE))
    end)
  end)
end)

describe("ownership", function()
  local function owned(owners)
    local references = json.array()
    for index, owner in ipairs(owners) do
      references[index] = { apiVersion = "apps/v1", kind = "Deployment", name = owner.metadata.name,
        uid = owner.metadata.uid }
    end
    return service("web", { ownerReferences = references })
  end

  it("lets what is owned go with its owner", function()
    local c = cluster()
    c:create(owned({ c:create(deployment("web")) }))
    c:delete(DEPLOYMENT)
    assert.is_nil(c:get(SERVICE))
  end)

  it("lets what has another owner stay until that one goes", function()
    local c = cluster()
    c:create(owned({ c:create(deployment("web")), c:create(deployment("two")) }))
    c:delete(DEPLOYMENT)
    assert.is_table(c:get(SERVICE))
    c:delete({ apiVersion = "apps/v1", kind = "Deployment", namespace = "demo", name = "two" })
    assert.is_nil(c:get(SERVICE))
  end)

  it("is let go of when the owner is deleted alone", function()
    local c = cluster()
    c:create(owned({ c:create(deployment("web")) }))
    c:delete(DEPLOYMENT, { propagation = "Orphan" })
    assert.is_nil(c:get(SERVICE).metadata.ownerReferences)
  end)

  it("of a namespace ends with it", function()
    local c = cluster()
    c:create({ apiVersion = "v1", kind = "Namespace", metadata = { name = "demo" } })
    c:create(service("web"))
    c:delete({ apiVersion = "v1", kind = "Namespace", name = "demo" })
    assert.is_nil(c:get(SERVICE))
  end)
end)

describe("a list", function()
  local function three()
    local c = cluster()
    for index, name in ipairs({ "b", "c", "a" }) do
      c:create(service(name, { labels = { n = tostring(index), odd = index % 2 == 1 and "yes" or nil } }))
    end
    return c
  end

  local function names(c, options)
    local out = {}
    for index, object in ipairs(c:list({ apiVersion = "v1", kind = "Service", namespace = "demo" }, options).items) do
      out[index] = object.metadata.name
    end
    return table.concat(out, " ")
  end

  for selector, wanted in pairs({ [""] = "a b c", ["n=1"] = "b", ["n!=1"] = "a c", ["n in (1, 3)"] = "a b",
    ["n notin (1,3)"] = "c", odd = "a b", ["!odd"] = "c", ["odd,n!=3"] = "b" }) do
    it(("holds what the labels %q choose, in the order of names"):format(selector), function()
      assert.equal(wanted, names(three(), { labels = selector }))
    end)
  end

  it("holds what the fields choose", function()
    assert.equal("c", names(three(), { fields = "metadata.name=c" }))
  end)

  it("refuses fields that nobody indexes", function()
    local _, message = three():list({ apiVersion = "v1", kind = "Service" }, { fields = "spec.type=x" })
    assert.equal("field label not supported: spec.type", message)
  end)

  it("comes in pages that carry the version of the first", function()
    local c, ref = three(), { apiVersion = "v1", kind = "Service" }
    local first = c:list(ref, { limit = 2 })
    c:patch(SERVICE, {})
    c:create(service("d"))
    local second = c:list(ref, { limit = 2, continue = first.continue })
    assert.same({ 2, 2, "3", "3" }, { #first.items, #second.items, first.resourceVersion, second.resourceVersion })
    assert.is_nil(second.continue)
  end)

  it("cannot be continued when history has moved on", function()
    local c = api.new({ now = function() return 0 end, history = 2 })
    for index = 1, 3 do c:create(service("s" .. index)) end
    local page = c:list({ apiVersion = "v1", kind = "Service" }, { limit = 1 })
    for index = 4, 9 do c:create(service("s" .. index)) end
    assert.equal("GONE", code_of(c:list({ apiVersion = "v1", kind = "Service" }, { continue = page.continue })))
  end)

  it("of all namespaces names each", function()
    local c = three()
    c:create(service("z", { namespace = "other" }))
    assert.equal(4, #c:list({ apiVersion = "v1", kind = "Service" }).items)
  end)
end)

describe("a call through the door", function()
  local function call(c, verb)
    return c:call({ verb = verb or "create", ref = SERVICE, run = function() return c:create(service("web")) end })
  end

  it("is counted, and as a write if it is one", function()
    local c = cluster()
    call(c)
    c:call({ verb = "get", ref = SERVICE, run = function() return c:get(SERVICE) end })
    assert.same({ 2, 1 }, { #c.calls, c:writes() })
  end)

  it("that meets a fault before it is not carried out", function()
    local c = cluster()
    c.fault = function() return { before = "CONFLICT" } end
    assert.equal("CONFLICT", code_of(call(c)))
    assert.is_nil(c:get(SERVICE))
  end)

  it("that meets a fault after it is carried out all the same", function()
    local c = cluster()
    c.fault = function() return { after = "reset" } end
    local _, message, code = call(c)
    assert.same({ "connection reset by peer", "UNREACHABLE" }, { message, code })
    assert.is_table(c:get(SERVICE))
  end)

  for _, moment in ipairs({ "before", "after" }) do
    it("can be answered with somebody else's object, said as " .. moment, function()
      local c = cluster()
      c.fault = function() return { [moment] = "wrong" } end
      assert.equal("somebody-else", call(c).metadata.name)
      assert.equal("web", c:get(SERVICE).metadata.name)
    end)
  end

  it("that is throttled says for how long", function()
    local c = cluster()
    c.fault = function() return { before = { code = "THROTTLED", retry_after = 3 } } end
    assert.equal(3, select(4, call(c)).retry_after)
  end)
end)

describe("a custom resource definition", function()
  local NAME = "widgets.example.com"

  local function definition()
    return { apiVersion = "apiextensions.k8s.io/v1", kind = "CustomResourceDefinition", metadata = { name = NAME },
      spec = { group = "example.com", scope = "Cluster", names = { kind = "Widget", plural = "widgets" },
        versions = json.array({ { name = "v1", served = true } }) } }
  end

  it("makes its kind known", function()
    local c = cluster()
    c:create(definition())
    local entry = c.kinds:resource("example.com", "widgets")
    assert.same({ "Widget", false }, { entry.kind, entry.namespaced })
  end)

  it("takes its objects with it", function()
    local c = cluster()
    c:create(definition())
    local ref = { apiVersion = "example.com/v1", kind = "Widget", name = "a" }
    c:create({ apiVersion = ref.apiVersion, kind = ref.kind, metadata = { name = "a" } })
    c:delete({ apiVersion = "apiextensions.k8s.io/v1", kind = "CustomResourceDefinition", name = NAME })
    assert.equal("the server could not find the requested resource", select(2, c:get(ref)))
  end)
end)
