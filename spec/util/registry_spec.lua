local lfs = require("lfs")
local registry = require("util.registry")

describe("util.registry", function()
  before_each(function()
    package.loaded["things.first"] = { name = "first", aliases = { "other", "first:v2" } }
    package.loaded["things.second"] = { name = "second" }
    package.loaded["things.aliases"] = { other = "first" }
    package.loaded["things.helper"] = {}
  end)

  after_each(function()
    for name in pairs(package.loaded) do
      if name:find("^things%.") then package.loaded[name] = nil end
    end
  end)

  local function found(name)
    local module = registry.find("things", name)
    return module and module.name
  end

  it("finds a file by its own name", function()
    assert.equal("second", found("second"))
  end)

  it("finds a file by the part before the colon, where the file claims the whole", function()
    assert.equal("first", found("first:v2"))
    assert.equal("first", found("first:v2:more"))
    assert.is_nil(found("first:v3"))
    assert.is_nil(found("first:v22"))
  end)

  it("finds a file by the folder's aliases", function()
    assert.equal("first", found("other"))
  end)

  it("says what nothing serves", function()
    assert.same({ nil, 'nothing in things serves "third"' }, { registry.find("things", "third") })
  end)

  it("does not find helpers or the list of aliases", function()
    assert.is_nil(found("helper"))
    assert.is_nil(found("aliases"))
  end)

  it("looks in no other folder, whatever the name", function()
    for _, name in ipairs({ "../util/list", "..util.list", "a.b", "", ":", "first\0" }) do
      assert.is_nil(found(name))
    end
  end)

  it("gives every name and alias of the files", function()
    local all = assert(registry.load("things", { "first", "second", "helper" }))
    assert.equal(all.other, all["first:v2"])
    assert.equal("second", all.second.name)
  end)

  it("refuses a name claimed twice", function()
    package.loaded["things.twin"] = { name = "twin", aliases = { "other" } }
    assert.same({ nil, "other is claimed by first and twin" }, { registry.load("things", { "first", "twin" }) })
  end)

  it("finds every router by each of its names, and no two claim one", function()
    local files = {}
    for file in lfs.dir("routers") do files[#files + 1] = file:match("^([%w_]+)%.lua$") end
    for name, router in pairs(assert(registry.load("routers", files))) do
      assert.equal(router, (registry.find("routers", name)))
    end
  end)
end)
