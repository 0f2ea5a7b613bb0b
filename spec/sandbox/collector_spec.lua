local json = require("json")
local world = require("sandbox.world")

local function owned(uid)
  return { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "a", namespace = "demo",
    ownerReferences = json.array({ { apiVersion = "v1", kind = "ConfigMap", name = "owner", uid = uid } }) } }
end

local function cluster()
  local w = world.new()
  return w, w:apply({ apiVersion = "v1", kind = "ConfigMap", metadata = { name = "owner", namespace = "demo" } })[1]
end

describe("sandbox.collector", function()
  it("takes away what names an owner that is not there", function()
    local w = cluster()
    w:apply(owned("nobody"))
    assert.is_table(w:get("ConfigMap", "demo", "a"))
    w:advance(1)
    assert.is_nil(w:get("ConfigMap", "demo", "a"))
  end)

  it("takes away what comes after its owner has gone", function()
    local w, owner = cluster()
    w:delete("ConfigMap", "demo", "owner")
    w:apply(owned(owner.metadata.uid))
    w:advance(1)
    assert.is_nil(w:get("ConfigMap", "demo", "a"))
  end)

  it("leaves what has its owner", function()
    local w, owner = cluster()
    w:apply(owned(owner.metadata.uid))
    w:advance(1)
    assert.is_table(w:get("ConfigMap", "demo", "a"))
  end)

  it("leaves what is disowned in time", function()
    local w = cluster()
    w:apply(owned("nobody"))
    w:patch("ConfigMap", "demo", "a", { metadata = { ownerReferences = json.null } })
    w:advance(1)
    assert.is_table(w:get("ConfigMap", "demo", "a"))
  end)
end)
