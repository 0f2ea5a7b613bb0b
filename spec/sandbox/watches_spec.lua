local json = require("json")
local api = require("sandbox.api")
local watches = require("sandbox.watches")

local REF = { apiVersion = "v1", kind = "ConfigMap" }

local function cluster(history)
  return api.new({ now = function() return 1767225600 end, history = history })
end

local function put(c, name, labels, namespace)
  return c:create({ apiVersion = "v1", kind = "ConfigMap",
    metadata = { name = name, namespace = namespace or "demo", labels = labels } })
end

local function ref(name)
  return { apiVersion = "v1", kind = "ConfigMap", namespace = "demo", name = name }
end

--- The words of a watch as they come, and what `open` returned.
local function open(c, options, of)
  local told = {}
  local watch, message, code = watches.open(c, of or REF, options or {}, function(kind, object)
    told[#told + 1] = kind .. " " .. object.metadata.name
  end)
  return told, watch, message, code
end

describe("sandbox.watches", function()
  it("begins with what is there when no version is given", function()
    local c = cluster()
    put(c, "a")
    assert.same({ "ADDED a" }, (open(c)))
  end)

  it("begins after a version with what was missed", function()
    local c = cluster()
    put(c, "a")
    put(c, "b")
    c:delete(ref("a"))
    assert.same({ "ADDED b", "DELETED a" }, (open(c, { resourceVersion = "1" })))
  end)

  it("goes on with what happens", function()
    local c = cluster()
    local told = open(c)
    put(c, "a")
    c:patch(ref("a"), { data = { x = "1" } })
    c:delete(ref("a"))
    assert.same({ "ADDED a", "MODIFIED a", "DELETED a" }, told)
  end)

  it("is silent once stopped", function()
    local c = cluster()
    local told, watch = open(c)
    watch.stop()
    put(c, "a")
    assert.same({}, told)
  end)

  it("hears nothing of other kinds and namespaces", function()
    local c = cluster()
    local told = open(c, {}, { apiVersion = "v1", kind = "ConfigMap", namespace = "other" })
    put(c, "a")
    c:create({ apiVersion = "v1", kind = "Secret", metadata = { name = "s", namespace = "other" } })
    assert.same({}, told)
  end)

  it("takes an object that leaves its selector for deleted, and one that enters for new", function()
    local c = cluster()
    local told = open(c, { labels = "x=1" })
    put(c, "a")
    c:patch(ref("a"), { metadata = { labels = { x = "1" } } })
    c:patch(ref("a"), { metadata = { labels = { x = "2" } } })
    assert.same({ "ADDED a", "DELETED a" }, told)
  end)

  it("does not tell that what it did not choose was deleted", function()
    local c = cluster()
    local told = open(c, { labels = "x=1" })
    put(c, "a")
    c:delete(ref("a"))
    assert.same({}, told)
  end)

  it("refuses a version that history no longer reaches", function()
    local c = cluster(2)
    for index = 1, 5 do put(c, "c" .. index) end
    local _, watch, message, code = open(c, { resourceVersion = "1" })
    assert.is_nil(watch)
    assert.same({ "too old resource version: 1 (5)", "GONE" }, { message, code })
  end)

  it("refuses a version of the future", function()
    assert.equal("GONE", (select(4, open(cluster(), { resourceVersion = "99" }))))
  end)

  it("gives each listener a copy", function()
    local c = cluster()
    watches.open(c, REF, {}, function(_, object) object.metadata.name = "changed" end)
    put(c, "a")
    assert.equal("a", c:get(ref("a")).metadata.name)
  end)

  it("marks how far it is", function()
    local c = cluster()
    put(c, "a")
    local mark = watches.bookmark(c, REF)
    assert.same({ "ConfigMap", "1", json.null },
      { mark.kind, mark.metadata.resourceVersion, mark.metadata.creationTimestamp })
  end)
end)
