local client = require("spec.support.client")
local world = require("sandbox.world")

local MAPS = "/api/v1/namespaces/demo/configmaps"
local TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
local PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"

local function cluster(options)
  local w = world.new(options)
  return client.new(w), w
end

local function put(w, name, labels)
  w:apply({ apiVersion = "v1", kind = "ConfigMap", metadata = { name = name, namespace = "demo", labels = labels } })
end

describe("a watch over HTTP", function()
  it("begins with what is there", function()
    local c, w = cluster()
    put(w, "a")
    assert.same({ "ADDED a" }, client.told(c:watch(MAPS)))
  end)

  it("goes on from a version", function()
    local c, w = cluster()
    put(w, "a")
    put(w, "b")
    local watch = c:watch(MAPS, { resourceVersion = "1" })
    w:delete("ConfigMap", "demo", "a")
    assert.same({ "ADDED b", "DELETED a" }, client.told(watch))
  end)

  it("tells objects with version and kind", function()
    local c, w = cluster()
    put(w, "a")
    local object = c:watch(MAPS).events[1].object
    assert.same({ "v1", "ConfigMap", "1" }, { object.apiVersion, object.kind, object.metadata.resourceVersion })
  end)

  it("is told what its selectors choose", function()
    local c, w = cluster()
    local watch = c:watch(MAPS, { labelSelector = "x=1" })
    put(w, "a", { x = "1" })
    put(w, "b")
    assert.same({ "ADDED a" }, client.told(watch))
  end)

  it("refuses selectors that cannot be read before it begins", function()
    local answer = cluster():raw("GET", MAPS, { query = { watch = "1", fieldSelector = "x=1" } })
    assert.same({ 400, nil }, { answer.status, answer.stream })
  end)

  it("refuses a version that is none", function()
    assert.equal(400, cluster():raw("GET", MAPS, { query = { watch = "1", resourceVersion = "x" } }).status)
  end)

  it("from a version that is gone is an error event with code 410, and ends", function()
    local c, w = cluster({ history = 2 })
    for index = 1, 5 do put(w, "c" .. index) end
    local watch = c:watch(MAPS, { resourceVersion = "1" })
    local event = watch.events[1]
    assert.same({ 200, "ERROR", 410, "Expired", false },
      { watch.status, event.type, event.object.code, event.object.reason, watch.open })
  end)

  it("of metadata tells nothing else", function()
    local c, w = cluster()
    put(w, "a")
    local object = c:watch(MAPS, {}, PARTIAL).events[1].object
    assert.same({ "PartialObjectMetadata", nil }, { object.kind, object.data })
  end)

  it("for people is a table per event", function()
    local c, w = cluster()
    put(w, "a")
    local object = c:watch(MAPS, {}, TABLE).events[1].object
    assert.same({ "Table", "a" }, { object.kind, object.rows[1].cells[1] })
  end)

  it("marks now and then how far it is, if asked", function()
    local c, w = cluster()
    put(w, "a")
    local asked, silent = c:watch(MAPS, { allowWatchBookmarks = "true" }), c:watch(MAPS)
    w:advance(61)
    assert.same({ "ADDED a", "BOOKMARK " }, client.told(asked))
    assert.equal("1", asked.events[2].object.metadata.resourceVersion)
    assert.same({ "ADDED a" }, client.told(silent))
  end)

  it("marks the end of what was there, if asked", function()
    local c, w = cluster()
    put(w, "a")
    local watch = c:watch(MAPS, { sendInitialEvents = "true", allowWatchBookmarks = "true" })
    assert.equal("true", watch.events[2].object.metadata.annotations["k8s.io/initial-events-end"])
  end)

  it("ends after the seconds that it was given, and not before", function()
    local c, w = cluster()
    local watch = c:watch(MAPS, { timeoutSeconds = "30" })
    w:advance(29)
    assert.is_true(watch.open)
    w:advance(2)
    assert.is_false(watch.open)
  end)

  it("ends some time without being told to", function()
    local c, w = cluster()
    local watch = c:watch(MAPS)
    w:advance(1801)
    assert.is_false(watch.open)
  end)

  it("leaves nothing behind when its client goes", function()
    local c, w = cluster()
    local listeners = #w.api.store.watchers
    local watch = c:watch(MAPS, { allowWatchBookmarks = "true" })
    watch.close()
    put(w, "a")
    w:advance(120)
    assert.same({ {}, listeners }, { watch.events, #w.api.store.watchers })
  end)
end)
